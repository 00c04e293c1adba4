// engine/memory_watch.h: whether the kernel kills a process for its control group's memory limit.
//
// Docker says so itself; podman's service does not everywhere, and the group is gone with the container.
#pragma once

#include <string>

#include "core/file.h"

namespace volary {

class MemoryWatch {
 public:
  // Begins to watch the group that process `pid` is in. Where that cannot be done, nothing will be seen.
  explicit MemoryWatch(int64_t pid);

  // To poll for, with `events()`; -1 if nothing will be seen. When it is ready, look() at once.
  int descriptor() const { return told_ ? told_.get() : -1; }
  short events() const;
  void look();
  bool has_killed() const { return has_killed_; }

 private:
  Fd counts_;  // memory.oom_control, or in version 2 memory.events: "oom_kill 1".
  Fd told_;    // An eventfd, or counts_ again.
  bool is_version_2_ = false;
  bool has_killed_ = false;
};

}  // namespace volary
