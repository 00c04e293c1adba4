// core/quantity.cc: the words of core/quantity.h.
#include "core/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include "core/error.h"

namespace volary {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

double parse_with_unit(std::string_view text, std::string_view what, std::span<const Unit> units,
                       std::string_view expected) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (error == std::errc() && number >= 0)
    for (const Unit& one : units)
      if (one.name == unit) return number * one.factor;
  throw Error(Errc::invalid, "'{}' is not {}: expected {}", text, what, expected);
}

}  // namespace

uint64_t parse_bytes(std::string_view text, std::string_view what) {
  constexpr double ki = 1024;
  static constexpr std::array units = {
      Unit{"", 1},          Unit{"B", 1},
      Unit{"kB", 1e3},      Unit{"KB", 1e3},          Unit{"MB", 1e6},           Unit{"GB", 1e9},
      Unit{"TB", 1e12},     Unit{"PB", 1e15},         Unit{"KiB", ki},           Unit{"MiB", ki * ki},
      Unit{"GiB", ki * ki * ki}, Unit{"TiB", ki * ki * ki * ki}, Unit{"PiB", ki * ki * ki * ki * ki},
      Unit{"K", ki},        Unit{"M", ki * ki},       Unit{"G", ki * ki * ki},   Unit{"T", ki * ki * ki * ki},
      Unit{"P", ki * ki * ki * ki * ki}};
  const double bytes = parse_with_unit(text, what, units, "a size such as 500MB, 10GiB or 1.5TiB");
  if (bytes >= 9.2e18) throw Error(Errc::invalid, "'{}' is not {}: expected less than 8 EiB", text, what);
  return static_cast<uint64_t>(std::llround(bytes));
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr std::array<std::string_view, 6> units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

int64_t parse_seconds(std::string_view text, std::string_view what) {
  static constexpr std::array units = {Unit{"", 1}, Unit{"s", 1}, Unit{"m", 60}, Unit{"h", 3600}, Unit{"d", 86400}};
  const double seconds = parse_with_unit(text, what, units, "a duration such as 90s, 15m, 12h or 7d");
  if (seconds > 1e9) throw Error(Errc::invalid, "'{}' is not {}: expected at most 30 years", text, what);
  return std::llround(seconds);
}

std::string seconds_text(int64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d{}h", seconds / 86400, seconds / 3600 % 24);
}

}  // namespace volary
