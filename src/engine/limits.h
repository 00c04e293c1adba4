// engine/limits.h: how much of the machine one run may use.
//
// Cores: by affinity, which the process inherits, and by a quota of a control group where there is one (a process can
// widen its affinity, not its quota). Memory: by a control group, cgroup v2 or v1, whichever has the memory controller.
// The groups are made below the one this program runs in, or below the nearest parent that hands the controller down.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/file.h"
#include "engine/runner.h"

namespace volary {

// Why this machine cannot hold a run to its limits ("memory cannot be limited here: …"); nothing if it can. Found out
// by trying.
std::optional<std::string> why_unenforceable(const RunSpec& spec);

class Limits {
 public:
  // Makes the control groups and notes them in `record` first, for remove_control_groups. Throws `unavailable` where a
  // limit cannot be set.
  Limits(const RunSpec& spec, const Path& record);
  Limits(const Limits&) = delete;
  Limits& operator=(const Limits&) = delete;

  // Puts the calling process under the limits. Before it gives up its privileges.
  void enter() const;
  // "killed: the process exceeded its memory limit of 64 MiB", if the kernel killed something for it.
  std::optional<std::string> exceeded() const;

 private:
  struct Group {
    Path path;
    Fd members;  // cgroup.procs
  };
  void set_memory(uint64_t bytes);
  void set_quota(uint64_t cpus);

  std::vector<Group> groups_;
  std::optional<Path> memory_events_;  // Where the kernel counts its kills.
  std::optional<uint64_t> memory_bytes_;
  std::vector<int> cores_;
  std::string group_name_;
  Path record_;
};

// Removes the groups noted in `record`, and the record. They must be empty; absent is success.
void remove_control_groups(const Path& record);

}  // namespace volary
