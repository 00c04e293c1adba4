// engine/deadline.h: a moment by which something must have happened, for loops around poll(). None is set at first.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>
#include <optional>

namespace volary {

class Deadline {
 public:
  void set(int64_t seconds_from_now) { at_ = Clock::now() + std::chrono::seconds(seconds_from_now); }
  void clear() { at_.reset(); }
  bool has_passed() const { return at_ && Clock::now() >= *at_; }

  // How long to wait for it, for poll(), but no longer than `most`, where -1 is for ever.
  int millis(int most = -1) const {
    if (!at_) return most;
    const int64_t left = std::chrono::ceil<std::chrono::milliseconds>(*at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, most < 0 ? INT_MAX : most));
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> at_;
};

}  // namespace volary
