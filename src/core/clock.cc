// core/clock.cc: the system's clock, and RFC 3339 both ways.
#include "core/clock.h"

#include <time.h>

#include <array>
#include <chrono>
#include <cstdio>

#include "core/error.h"

namespace volary {
namespace {

class SystemClock final : public Clock {
 public:
  Time now() const override {
    timespec spec{};
    ::clock_gettime(CLOCK_REALTIME, &spec);
    return {static_cast<int64_t>(spec.tv_sec) * 1'000'000 + spec.tv_nsec / 1000};
  }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string text_of_seconds(int64_t seconds) {
  const time_t whole = seconds;
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::string to_text(Time time) {
  if (!time) return {};
  int64_t seconds = time.micros / 1'000'000;
  int64_t micros = time.micros % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  return fmt::format("{}.{:06}Z", text_of_seconds(seconds), micros);
}

Time parse_time(std::string_view text) {
  if (text.empty()) return {};
  constexpr size_t whole_size = std::string_view("2026-11-20T21:34:05").size();
  const std::string whole(text.substr(0, whole_size));
  std::tm parts{};
  if (std::sscanf(whole.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                  &parts.tm_hour, &parts.tm_min, &parts.tm_sec) == 6) {
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    std::string_view rest = text.substr(whole.size());
    int64_t micros = 0;
    if (rest.size() > 1 && rest[0] == '.' && is_digit(rest[1])) {
      rest.remove_prefix(1);
      for (int64_t scale = 100'000; !rest.empty() && is_digit(rest[0]); scale /= 10) {
        micros += (rest[0] - '0') * scale;
        rest.remove_prefix(1);
      }
    }
    const int64_t seconds = ::timegm(&parts);
    // The library makes the 2nd of March of a 30th of February; then the text does not come back.
    if (rest == "Z" && text_of_seconds(seconds) == whole) return {seconds * 1'000'000 + micros};
  }
  throw Error(Errc::invalid, "'{}' is not a time: expected RFC 3339 in UTC, such as 2026-11-20T21:34:05Z", text);
}

}  // namespace volary
