// engine/container_body.h: a run as the engine is told of it.
#pragma once

#include "core/file.h"
#include "core/json.h"
#include "engine/runner.h"

namespace volary {

// The body of POST /containers/create. `staging`: where the run's mounts stand. `image_sets_home`: else HOME is where
// the process may write.
json::value container_body(const RunSpec& spec, const Path& run_directory, const Path& staging, bool image_sets_home);

}  // namespace volary
