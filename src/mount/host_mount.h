// mount/host_mount.h: mounts that people see, in the namespace of the server itself: made, found again, taken away.
//
// Such a mount outlives the process that made it. So it carries a source, a word of the maker's choice, by which
// /proc/self/mountinfo tells it from all others, after a restart too. Paths are resolved without following any symbolic
// link, so nobody who may write to a directory on the way can send a mount elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/file.h"
#include "mount/mount.h"

namespace volary {

// A name in a directory that was reached without a symbolic link.
struct HostPlace {
  Path path;
  Fd parent;
  std::string name;
};

// Throws `invalid` for a path that is relative, has "..", or leads through a symbolic link; `not_found`.
HostPlace open_place(const Path& path);
// The directory itself. Throws `invalid` unless it is one, and empty.
Fd open_empty_directory(const HostPlace& place);

// A line of /proc/self/mountinfo.
struct HostMount {
  uint64_t id = 0;
  std::string root;  // Of the mounted file system: "/" but for bind mounts.
  Path path;
  std::string source;
};
std::vector<HostMount> host_mounts();

// Carries out a plan so that its tree stands at `directory` (of open_empty_directory) under the name `source`. What it
// mounts on the way, below `staging`, is gone again when this returns. The plan needs no user namespace.
void mount_on_host(const MountPlan& plan, const Fd& directory, const Path& staging, const std::string& source);

enum class Unmounting { done, busy };
// Takes the mount away unless something is open in it. Gone already is done.
Unmounting unmount_from_host(const HostMount& mount);
// Takes away what a process that died left below `directory`, busy or not.
void detach_all_below(const Path& directory);

// "bash (123)" for each process that has something open in the mount, at most `count`.
std::vector<std::string> users_of(const HostMount& mount, size_t count);

}  // namespace volary
