// store/task_stack.h: work that makes more work, on several threads, newest first.
//
// Newest first means depth first: what waits stays small even if the whole is large.
//
// Reading files that are in memory keeps a core busy; reading them from a disk waits, and a disk is fast only if many
// requests wait for it at once. So a run starts with a few threads and takes one more whenever a task has mostly
// waited.
#pragma once

#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

namespace volary {

struct Threads {
  size_t first = 1;
  size_t most = first;
};

// For work that reads files: from `computing` threads up to as many as keep a disk busy.
inline Threads reading(size_t computing) {
  constexpr size_t most = 64;
  return {.first = computing < 1 ? 1 : computing, .most = computing < most ? most : computing};
}

template <class Task>
class TaskStack {
 public:
  void push(Task task) {
    const std::lock_guard guard(lock_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
  }

  // Calls work(task) for every task, those pushed meanwhile too, on so many threads, the caller's among them. The first
  // exception stops the handing out of tasks, lets running ones end, and is thrown to the caller. Once for each stack.
  template <class Work>
  void run(Threads threads, Work work) {
    std::function<void()> turn;
    std::vector<std::future<void>> others;  // Guarded by lock_. Waits for all of them, whatever happens.
    const auto start_another = [&] { others.push_back(std::async(std::launch::async, std::cref(turn))); };
    turn = [&] {
      Turn own(*this);
      while (auto task = next()) {
        const Stopwatch watch;
        work(*task);
        task.reset();  // What it owns goes before the others may think that all is done.
        finish_one();
        if (!watch.has_mostly_waited()) continue;
        const std::lock_guard guard(lock_);
        if (!stopped_ && !tasks_.empty() && others.size() + 1 < threads.most) start_another();
      }
      own.ended = true;
    };
    {
      const std::lock_guard guard(lock_);
      while (others.size() + 1 < threads.first) start_another();
    }
    turn();
    stop();  // Nobody starts another one now.
    for (auto& one : others) one.get();
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

  // How long a task took, and how much of it the thread was at work.
  class Stopwatch {
   public:
    bool has_mostly_waited() const {
      const int64_t passed = now(CLOCK_MONOTONIC) - began_;
      return passed > shortest_wait && passed > 4 * (now(CLOCK_THREAD_CPUTIME_ID) - worked_);
    }

   private:
    static constexpr int64_t shortest_wait = 500'000;  // ns; what warm tasks take.
    static int64_t now(clockid_t clock) {
      timespec time{};
      ::clock_gettime(clock, &time);
      return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
    }
    int64_t began_ = now(CLOCK_MONOTONIC);
    int64_t worked_ = now(CLOCK_THREAD_CPUTIME_ID);
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

// Calls work(i) for every i in [0, count), as a TaskStack does.
template <class Work>
void for_each_index(size_t count, Threads threads, Work work) {
  constexpr size_t per_task = 16;
  TaskStack<size_t> starts;
  for (size_t i = count; i > 0; i = (i - 1) / per_task * per_task) starts.push((i - 1) / per_task * per_task);
  starts.run(threads, [&](size_t start) {
    for (size_t i = start; i < std::min(count, start + per_task); ++i) work(i);
  });
}

}  // namespace volary
