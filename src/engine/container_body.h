// engine/container_body.h: a run as the engine is told of it.
#pragma once

#include "core/file.h"
#include "core/json.h"
#include "engine/runner.h"

namespace volary {

// What the engine and the image have to do with it.
struct BodyFacts {
  Path run_directory;
  Path staging;                   // Where the run's mounts stand.
  bool image_sets_home = false;   // Else HOME is where the process may write.
  json::array device_requests{};  // For its GPUs.
};

// The body of POST /containers/create.
json::value container_body(const RunSpec& spec, const BodyFacts& facts);

}  // namespace volary
