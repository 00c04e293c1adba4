// core/clock.h: points in time, and where they come from.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace volary {

// Microseconds since 1970-01-01 UTC. A default-made Time is "never".
struct Time {
  int64_t micros = 0;
  auto operator<=>(const Time&) const = default;
  explicit operator bool() const { return micros != 0; }
  Time plus_seconds(int64_t seconds) const { return {micros + seconds * 1'000'000}; }
};

// "2026-11-20T21:34:05.123456Z" (RFC 3339); "" for never.
std::string to_text(Time time);
// The reverse; fractions of a second are optional. Throws `invalid`.
Time parse_time(std::string_view text);

// The seam for time. Any thread may call.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

Clock& system_clock();

// Stands still until told. For tests.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time start) : now_(start) {}
  Time now() const override { return now_; }
  void set(Time now) { now_ = now; }

 private:
  Time now_;
};

}  // namespace volary
