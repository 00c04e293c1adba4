// record/container.h: what people may ask of a job's container, besides its image.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class Pull {
  missing,  // Fetch the image if this machine does not have it.
  always,   // Ask the registry whether there is a newer one.
  never,
};
BOOST_DESCRIBE_ENUM(Pull, missing, always, never)

struct NewContainer {
  std::optional<Pull> pull;
  std::optional<std::string> registry_secret;  // With `username` and `password`; then the registry is always asked.
  std::vector<std::string> entrypoint;         // The image's unless told.
  std::optional<std::string> user;             // "UID" or "UID:GID"; 42420:42420 unless told.
  std::vector<std::string> ports;              // "CONTAINER" or "HOST:CONTAINER", at 127.0.0.1.
  std::optional<uint64_t> gpus;
  bool read_only_root = false;
};
BOOST_DESCRIBE_STRUCT(NewContainer, (), (pull, registry_secret, entrypoint, user, ports, gpus, read_only_root))

}  // namespace volary
