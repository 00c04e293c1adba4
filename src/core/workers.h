// core/workers.h: the same work on many items by a bounded number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace volary {

// Calls work(i) for every i in [0, count), on `threads` threads (the caller's among them when one). Returns when all
// are done.
// The first exception stops the handing out of items, lets running ones end, and is thrown to the caller.
template <class Work>
void for_each_index(size_t count, size_t threads, Work work) {
  if (threads > count) threads = count;
  if (threads <= 1) {
    for (size_t i = 0; i < count; ++i) work(i);
    return;
  }
  std::atomic<size_t> next{0};
  std::mutex lock;
  std::exception_ptr first;
  const auto run = [&] {
    for (size_t i; (i = next.fetch_add(1)) < count;) {
      try {
        work(i);
      } catch (...) {  // Carried to the caller's thread, not handled here.
        next = count;
        const std::lock_guard guard(lock);
        if (!first) first = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    for (size_t t = 1; t < threads; ++t) {
      try {
        pool.emplace_back(run);
      } catch (const std::system_error&) {  // No more threads are to be had: those that there are do it.
        break;
      }
    }
    run();
  }
  if (first) std::rethrow_exception(first);
}

// What an item says about the number of threads.
enum class Crew {
  stays,
  grows,  // It waited for something far away: more threads would not be in the way of the others.
};

struct CrewSize {
  size_t first = 1;
  size_t most = 1;
  size_t more = 1;  // At once.
};

// As for_each_index(), by `size.first` threads to begin with and `size.more` again whenever work(i) answers
// Crew::grows, up to `size.most` in all.
template <class Work>
void for_each_index_growing(size_t count, const CrewSize& size, Work work) {
  std::atomic<size_t> next{0};
  std::mutex lock;
  std::exception_ptr first;
  std::vector<std::jthread> pool;  // Grows under the lock; joined when nobody can let it grow any more.
  const size_t most = std::min(size.most, count);
  const auto run = [&](auto& self) -> void {
    for (size_t i; (i = next.fetch_add(1)) < count;) {
      try {
        if (work(i) != Crew::grows || next >= count) continue;
        const std::lock_guard guard(lock);
        for (size_t n = 0; n < size.more && pool.size() + 1 < most; ++n) {
          try {
            pool.emplace_back([&] { self(self); });
          } catch (const std::system_error&) {  // No more threads are to be had: those that there are go on.
            break;
          }
        }
      } catch (...) {  // Carried to the caller's thread, not handled here.
        next = count;
        const std::lock_guard guard(lock);
        if (!first) first = std::current_exception();
      }
    }
  };
  {
    const std::lock_guard guard(lock);
    while (pool.size() + 1 < std::min(size.first, most)) pool.emplace_back([&] { run(run); });
  }
  run(run);
  for (size_t joined = 0;; ++joined) {
    std::jthread thread;
    {
      const std::lock_guard guard(lock);
      if (joined == pool.size()) break;
      thread = std::move(pool[joined]);
    }
    thread.join();
  }
  if (first) std::rethrow_exception(first);
}

// The number of threads this machine runs at once, at least 1.
inline size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

}  // namespace volary
