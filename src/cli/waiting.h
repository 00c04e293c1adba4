// cli/waiting.h: the options by which a writer waits for its turn instead of being refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/error.h"
#include "core/quantity.h"

namespace volary {

constexpr uint64_t writer_wait_seconds_default = 7 * 86400;

inline std::vector<CommandField> wait_fields(bool& wait, std::optional<std::string>& time) {
  return {{.name = "--wait", .target = &wait,
           .help = "if another writes the volume now, wait for it to end instead of being refused"},
          {.name = "--timeout", .target = &time, .help = "with --wait: give up after this time; 7d unless told",
           .value = "TIME"}};
}

inline std::optional<uint64_t> wait_seconds_of(bool wait, const std::optional<std::string>& time) {
  if (!wait && time) throw Error(Errc::invalid, "--timeout says how long to wait: expected --wait with it");
  if (!wait) return std::nullopt;
  return time ? static_cast<uint64_t>(parse_seconds(*time, "a timeout")) : writer_wait_seconds_default;
}

}  // namespace volary
