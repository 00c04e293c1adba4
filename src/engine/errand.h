// engine/errand.h: work on a thread of its own that a loop over descriptors can wait for, and end.
#pragma once

#include <exception>
#include <functional>
#include <stop_token>
#include <thread>

#include "core/file.h"

namespace volary {

class Errand {
 public:
  explicit Errand(std::function<void(const std::stop_token&)> work);
  // Asks the work to end and waits for it.
  ~Errand() = default;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  const Fd& ended() const { return ended_; }  // Readable when the work has ended.
  void ask_to_end() { thread_.request_stop(); }
  // Waits, and throws what the work threw.
  void finish();

 private:
  Fd ended_;
  std::exception_ptr thrown_;
  std::jthread thread_;  // The last: the others outlive it.
};

}  // namespace volary
