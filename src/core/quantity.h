// core/quantity.h: sizes and durations as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace volary {

// "1536", "10MB", "1.5GiB", "2 TiB" in bytes: kB to PB count by 1000, KiB to PiB (and K, M, G, T, P alone) by 1024.
// Throws `invalid`, naming `what` ("the quota").
uint64_t parse_bytes(std::string_view text, std::string_view what);
// "512 B", "1.5 GiB": three significant digits.
std::string bytes_text(uint64_t bytes);
// "90", "30s", "15m", "12h", "7d" in seconds. Throws `invalid`.
int64_t parse_seconds(std::string_view text, std::string_view what);
// "45s", "3m10s", "2h05m", "3d4h".
std::string seconds_text(int64_t seconds);

}  // namespace volary
