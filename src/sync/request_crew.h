// sync/request_crew.h: how many requests of a transfer are under way at once.
//
// Near a store few are best: more would only be in each other's way, in the caches most of all. Far from it, each
// answer lets more begin, for threads that only wait hide the network's latency. An answer that was late because this
// process keeps the cores busy comes from no farther; nor does one that took longer than any network, from a store
// that has more to do than it can.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>

#include "core/workers.h"

namespace volary {

class RequestCrew {
 public:
  using Clock = std::chrono::steady_clock;

  // `first` requests to begin with, of `bytes` in all, each held in memory as far as request_memory_max.
  RequestCrew(size_t first, size_t requests, uint64_t bytes);

  CrewSize size() const { return size_; }
  // What the answer that began so long after its request says. Any thread.
  Crew after(Clock::duration waited) const;

 private:
  bool is_busy() const;

  const CrewSize size_;
  const std::clock_t worked_ = std::clock();
  const Clock::time_point since_ = Clock::now();
};

}  // namespace volary
