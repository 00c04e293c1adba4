// core/timetable.h: what a server does again and again while it runs.
//
// Each entry has a thread, so that one that takes hours keeps no other waiting. Times are measured by the clock that
// nobody can set: an operator who puts the date right causes nothing.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace volary {

class Timetable {
 public:
  using Log = std::function<void(std::string_view line)>;
  using Task = std::function<void(const std::stop_token& stop)>;  // Ends soon when told to.
  using Duration = std::chrono::milliseconds;

  // Any thread may call `log`.
  explicit Timetable(Log log) : log_(std::move(log)) {}
  ~Timetable() { stop(); }

  // Runs `task` when `first` has passed, and then `period` after the end of each run. An Error that it throws is logged
  // with `what`, and the next run comes as if there had been none.
  void add(std::string what, Duration first, Duration period, Task task);
  // Tells every task to end and waits for them.
  void stop();

 private:
  void run(const std::string& what, Duration first, Duration period, const Task& task,
           const std::stop_token& stop) const;

  Log log_;
  std::vector<std::jthread> threads_;
};

}  // namespace volary
