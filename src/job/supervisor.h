// job/supervisor.h: the program as a run's supervisor, "volary supervise DIRECTORY" (engine/runner.h starts it).
//
// It performs the run's mount plans in a mount namespace of its own, so that they vanish with it, runs the process in a
// sandbox over them and writes how it ended. For a container they are made on the host, and taken away at the end.
// RunSpec::mounts is a list of MountPlan; a RunBind's relative source is a plan's `root`.
#pragma once

#include "core/file.h"

namespace volary {

// The exit status. For a process with one thread that has done nothing else yet. "-" as the directory is the part of
// the supervisor that runs inside the sandbox (engine/inside.h), "+" a command beside a run's (engine/exec.h).
int run_supervisor(const Path& directory);

}  // namespace volary
