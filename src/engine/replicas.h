// engine/replicas.h: several processes of one command inside one sandbox, which begin together and end together.
//
// Each has RANK and LOCAL_RANK, from 0, WORLD_SIZE and LOCAL_WORLD_SIZE, and, unless the job sets them itself,
// MASTER_ADDR=127.0.0.1, MASTER_PORT, a port that was free a moment ago, and TF_CONFIG with a port for each. What they
// print is passed on line by line with "[RANK] " in front. The first one that fails ends the others: SIGTERM, after the
// grace SIGKILL; its exit code is that of all of them.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/file.h"
#include "engine/deadline.h"
#include "engine/inside.h"

namespace volary {

// Ports of 127.0.0.1; each was free while all of them were taken.
std::vector<uint16_t> free_ports(size_t count);

// The environment of each.
std::vector<std::map<std::string, std::string>> environments_of_replicas(
    const std::map<std::string, std::string>& env, size_t count, const std::vector<uint16_t>& ports);

// For a process with one thread that has a process namespace almost for itself: all else that runs there is ended with
// the replicas.
class Replicas {
 public:
  explicit Replicas(const InsideSpec& spec) : spec_(spec) {}
  // 0 when all of them execute the command, or the errno of why it cannot be executed; then none is left.
  int begin();
  // The exit code, when none runs any more.
  int wait();

 private:
  struct Replica {
    pid_t pid = -1;
    Fd process;  // A pidfd; closed when it has ended.
    Fd output;
    std::string line;  // Begun, not ended.
  };

  bool take_output(size_t rank);
  void end_line(size_t rank);
  void bury(size_t rank);
  void end_all();

  const InsideSpec& spec_;
  std::vector<Replica> replicas_;
  std::optional<int> failure_;  // The first one's exit code.
  Deadline kill_at_;
};

}  // namespace volary
