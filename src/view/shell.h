// view/shell.h: a version shown to one command and what it starts, in a mount namespace of their own.
//
// This needs no root: without it, the command runs in a user namespace too, where its user is called root and may
// mount. The server prepares; the person's own process (`volary enter DIRECTORY COMMAND…`, started by
// `volary volume shell`) does the rest. For as long as one of these processes lives, it holds the lock of the file
// "holder", which they inherit.
#pragma once

#include <optional>
#include <string>

#include "core/file.h"
#include "mount/mount.h"

namespace volary {

// The server's part: writes what the shell needs into the mount's directory.
void write_shell(const Path& directory, MountPlan plan, const Path& path);

// The number of the process that the version is shown to; nothing when it and all that it started have ended, or it has
// not begun. Asked too early, the answer may be "".
std::optional<std::string> holder_of_shell(const Path& directory);

// Shows it and becomes the command; returns only on failure, with the exit status. For a process with one thread.
int run_shell(const Path& directory, char** command);

}  // namespace volary
