// core/clock.cc: the system's clock, and RFC 3339 both ways.
#include "core/clock.h"

#include <time.h>

#include <array>
#include <chrono>
#include <optional>

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

constexpr size_t whole_size = std::string_view("2026-11-20T21:34:05").size();

// Of exactly such a text; a listing has one for each of a million keys, so no sscanf().
std::optional<int64_t> seconds_of_text(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() != form.size()) return std::nullopt;
  for (size_t i = 0; i < form.size(); ++i)
    if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i]) return std::nullopt;
  const auto number = [&](size_t at) { return 10 * (text[at] - '0') + (text[at + 1] - '0'); };
  const std::chrono::year_month_day day{std::chrono::year(100 * number(0) + number(2)),
                                        std::chrono::month(static_cast<unsigned>(number(5))),
                                        std::chrono::day(static_cast<unsigned>(number(8)))};
  const int hour = number(11);
  const int minute = number(14);
  const int second = number(17);
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
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
  if (const auto seconds = seconds_of_text(text.substr(0, whole_size))) {
    std::string_view rest = text.substr(whole_size);
    int64_t micros = 0;
    if (rest.size() > 1 && rest[0] == '.' && is_digit(rest[1])) {
      rest.remove_prefix(1);
      for (int64_t scale = 100'000; !rest.empty() && is_digit(rest[0]); scale /= 10) {
        micros += (rest[0] - '0') * scale;
        rest.remove_prefix(1);
      }
    }
    if (rest == "Z") return {*seconds * 1'000'000 + micros};
  }
  throw Error(Errc::invalid, "'{}' is not a time: expected RFC 3339 in UTC, such as 2026-11-20T21:34:05Z", text);
}

}  // namespace volary
