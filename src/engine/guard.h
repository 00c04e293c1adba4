// engine/guard.h: a process that holds everything a run starts, so that nothing can outlive it.
//
//   supervisor ── guard (pid 1 of a pid namespace) ── bubblewrap ── its own pid namespace: the job
//
// The kernel kills the guard when the supervisor ends, however it ends, and with pid 1 of a namespace everything in it.
// When the guard can be waited for, the kernel has already buried all the rest: that nothing is left is not checked but
// known.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/file.h"
#include "engine/limits.h"
#include "engine/runner.h"

namespace volary {

// Who the process is on the host: uid and gid 42420 where this program is root (so that what only root may read stays
// closed to it), else this program's own. The caller sees to it that directories bound writable belong to it.
struct SandboxUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
};
SandboxUser sandbox_user();

// Becomes `user` for good, without supplementary groups. Only system calls: for a child after fork.
void become(SandboxUser user);
// The end of a pipe, which the process may open again as /dev/stdout.
void give_to(SandboxUser user, const Fd& fd);

struct GuardedCommand {
  std::vector<std::string> arguments;  // arguments[0] is the program's absolute path.
  std::vector<int> descriptors;        // The command's 0, 1, 2, …; it gets no others.
  SandboxUser user;
  const Limits& limits;
};

class Guard {
 public:
  // The guard and its namespace exist; the command waits for go(). The caller must have one thread and CAP_SYS_ADMIN.
  explicit Guard(const GuardedCommand& command);
  ~Guard();  // Kills and waits.
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  int pid() const { return pid_; }
  void go();
  void terminate() const;  // SIGTERM for every process of the command.
  void kill() const;       // SIGKILL for everything.
  const Fd& ended() const { return pidfd_; }  // Readable when nothing is left.
  int wait();              // The command's exit code: 128 + n for a signal n.

 private:
  int pid_ = -1;
  Fd pidfd_;
  Fd leash_;  // Held for life: see tie_to_supervisor in guard.cc.
};

}  // namespace volary
