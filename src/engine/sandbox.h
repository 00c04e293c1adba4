// engine/sandbox.h: what a process may see: the host's own system, read-only, and what it was given.
//
//   /usr /bin /lib* /etc /opt …   the host's, read-only; /etc/passwd knows the sandbox's user
//   /proc                         new: the sandbox's processes only
//   /dev                          new: null, zero, full, random, urandom, tty, pts, shm
//   /sys                          the host's, read-only
//   /tmp /var/tmp /run            new and empty, in memory
//   the run's binds               at their places
//
// Everything else of the host (home directories, the store, the database) is not there. The network is the host's.
// The process is uid and gid 42420 inside, never root outside, has no capabilities and can gain none, nor make user
// namespaces. Why it is done so: docs/decisions/0006-sandbox.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/guard.h"
#include "engine/runner.h"

namespace volary {

// How the process meets files of its own that are not writable by their mode.
enum class OwnFiles {
  by_mode,          // As anybody does.
  always_writable,  // It may open them for writing: CAP_DAC_OVERRIDE in its user namespace, where it counts for its own
                    // files only.
};

// An existing directory, which nothing in `spec` or `directory` lies in, to be covered by a tmpfs in a mount namespace
// of our own.
Path choose_staging(const RunSpec& spec, const Path& directory);

// Places what the sandbox shows in `staging` (bind mounts, in the caller's mount namespace, where it must be root) and
// returns bubblewrap's options. The command is to be `inside_program`.
std::vector<std::string> prepare_sandbox(const RunSpec& spec, const Path& staging, OwnFiles own_files);

constexpr const char* inside_program = "/run/volary";  // This program, in the sandbox.

// bubblewrap's path along PATH. get_ throws `unavailable` where it is not installed.
std::optional<Path> find_bubblewrap();
Path get_bubblewrap();

// For `volary doctor`: whether a sandbox works here, found out by making one.
struct SandboxReport {
  bool works = false;
  std::string used;    // "bubblewrap 0.8.0 as uid 42420"
  std::string reason;  // Why it works or does not: "user namespaces are off (kernel.unprivileged_userns_clone = 0)"
};
SandboxReport describe_sandbox();

}  // namespace volary
