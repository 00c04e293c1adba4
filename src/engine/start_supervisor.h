// engine/start_supervisor.h: the process that sees a run to its end, started and heard of.
#pragma once

#include "core/file.h"
#include "engine/run_directory.h"

namespace volary {

// Whether somebody has taken this run up, now or before.
bool is_supervised(const RunDirectory& run);

// Starts "program supervise DIRECTORY" for a run with its spec.json; it outlives the caller. Returns when it is up, or
// when another one was faster. Throws `unavailable` with its words if it did not come up.
void start_supervisor(const Path& program, const Path& directory);

// All that a supervisor, or another process of ours, gets of our environment: nothing that could be a secret.
std::vector<std::string> supervisor_environment();

}  // namespace volary
