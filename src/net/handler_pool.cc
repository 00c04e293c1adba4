// net/handler_pool.cc: the threads of net/handler_pool.h.
#include "net/handler_pool.h"

#include <algorithm>
#include <utility>

namespace volary {
namespace {

thread_local const HandlerPool* pool_of_this_thread = nullptr;

}  // namespace

HandlerPool::HandlerPool(size_t threads, size_t queue_max)
    : queue_max_(queue_max), slow_max_(std::max<size_t>(1, threads / 2)) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void HandlerPool::end() {
  queue_.lock()->ending = true;
  changed_.notify_all();
  threads_.clear();
}

bool HandlerPool::try_add(std::function<void()> work) {
  {
    auto queue = queue_.lock();
    if (queue->waiting.size() >= queue_max_) return false;
    queue->waiting.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

bool HandlerPool::try_take_slow_place() {
  if (++slow_ <= slow_max_) return true;
  --slow_;
  return false;
}

bool HandlerPool::is_own_thread() const { return pool_of_this_thread == this; }

void HandlerPool::run() {
  pool_of_this_thread = this;
  for (;;) {
    std::function<void()> work;
    {
      auto queue = queue_.lock();
      queue.wait(changed_, [&] { return queue->ending || !queue->waiting.empty(); });
      if (queue->waiting.empty()) return;
      work = std::move(queue->waiting.front());
      queue->waiting.pop_front();
    }
    work();
  }
}

}  // namespace volary
