// store/task_stack.h: work that makes more work, on several threads, newest first.
//
// Newest first means depth first: what waits stays small even if the whole is large.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "core/workers.h"

namespace volary {

template <class Task>
class TaskStack {
 public:
  void push(Task task) {
    const std::lock_guard guard(lock_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
  }

  // Calls work(task) for every task, those pushed meanwhile too, on `threads` threads. The first exception stops the
  // handing out of tasks, lets running ones end, and is thrown to the caller.
  template <class Work>
  void run(size_t threads, Work work) {
    for_each_index(threads, threads, [&](size_t) {
      Turn turn(*this);
      while (auto task = next()) {
        work(*task);
        task.reset();  // What it owns goes before the others may think that all is done.
        finish_one();
      }
      turn.ended = true;
    });
  }

 private:
  // One thread's time in run(). If it ends by an exception, the threads that wait for tasks must hear of it.
  struct Turn {
    explicit Turn(TaskStack& owner) : stack(owner) {}
    ~Turn() {
      if (!ended) stack.stop();
    }
    TaskStack& stack;
    bool ended = false;
  };

  std::optional<Task> next() {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return stopped_ || !tasks_.empty() || running_ == 0; });
    if (stopped_ || tasks_.empty()) return std::nullopt;
    std::optional<Task> task(std::move(tasks_.back()));
    tasks_.pop_back();
    ++running_;
    return task;
  }

  void finish_one() {
    const std::lock_guard guard(lock_);
    if (--running_ == 0 && tasks_.empty()) changed_.notify_all();
  }

  void stop() {
    const std::lock_guard guard(lock_);
    stopped_ = true;
    changed_.notify_all();
  }

  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  size_t running_ = 0;
  bool stopped_ = false;
};

}  // namespace volary
