// net/handler_pool.h: a fixed number of threads, and a bounded queue of what they shall do.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "core/synced.h"

namespace volary {

class HandlerPool {
 public:
  HandlerPool(size_t threads, size_t queue_max);
  ~HandlerPool() { end(); }
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  // Whether `work` will be done; not if queue_max others wait. It must not throw. Any thread.
  bool try_add(std::function<void()> work);
  // Does all that is queued, then ends the threads. One thread at a time; again is nothing.
  void end();
  // A place among those that wait for slow clients, at most half of the threads; false if there is none.
  bool try_take_slow_place();
  void give_back_slow_place() { --slow_; }
  // Whether the calling thread is one of the pool's.
  bool is_own_thread() const;

 private:
  struct Queue {
    std::deque<std::function<void()>> waiting;
    bool ending = false;
  };
  void run();

  const size_t queue_max_;
  const size_t slow_max_;
  std::atomic<size_t> slow_{0};
  Synced<Queue> queue_;
  std::condition_variable changed_;
  std::vector<std::jthread> threads_;
};

}  // namespace volary
