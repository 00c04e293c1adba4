// core/synced.h: a lock that owns what it guards, so that nobody touches the value without it.
//
//   Synced<std::map<std::string, int>> counts;
//   counts.lock()->insert({"a", 1});                 // locked until the end of the statement
//   auto held = counts.lock(); held.wait(condition, [&] { return !held->empty(); });
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace volary {

template <class Value>
class Synced {
 public:
  template <class... Args>
  explicit Synced(Args&&... args) : value_(std::forward<Args>(args)...) {}

  class Held {
   public:
    Value* operator->() { return &value_; }
    Value& operator*() { return value_; }
    template <class Ready>
    void wait(std::condition_variable& condition, Ready ready) {
      condition.wait(lock_, std::move(ready));
    }
    template <class Ready>
    bool wait_for(std::condition_variable& condition, std::chrono::milliseconds time, Ready ready) {
      return condition.wait_for(lock_, time, std::move(ready));
    }
    void unlock() { lock_.unlock(); }

   private:
    friend class Synced;
    Held(std::mutex& mutex, Value& value) : lock_(mutex), value_(value) {}
    std::unique_lock<std::mutex> lock_;
    Value& value_;
  };

  Held lock() { return Held(mutex_, value_); }

 private:
  std::mutex mutex_;
  Value value_;
};

}  // namespace volary
