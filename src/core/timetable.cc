// core/timetable.cc: threads that sleep most of the time.
#include "core/timetable.h"

#include <condition_variable>
#include <mutex>

#include "core/error.h"

namespace volary {

void Timetable::add(std::string what, Duration first, Duration period, Task task) {
  threads_.emplace_back([this, what = std::move(what), first, period, task = std::move(task)](
                            const std::stop_token& stop) { run(what, first, period, task, stop); });
}

void Timetable::stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Timetable::run(const std::string& what, Duration first, Duration period, const Task& task,
                    const std::stop_token& stop) const {
  std::mutex lock;
  std::condition_variable_any nobody_notifies;
  for (Duration pause = first;; pause = period) {
    std::unique_lock guard(lock);
    nobody_notifies.wait_for(guard, stop, pause, [] { return false; });
    if (stop.stop_requested()) return;
    try {
      task(stop);
    } catch (const Error& error) {
      log_(fmt::format("{}: {}", what, error.what()));
    }
  }
}

}  // namespace volary
