// core/workers.h: the same work on many items by a bounded number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
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
    for (size_t t = 1; t < threads; ++t) pool.emplace_back(run);
    run();
  }
  if (first) std::rethrow_exception(first);
}

// The number of threads this machine runs at once, at least 1.
inline size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

}  // namespace volary
