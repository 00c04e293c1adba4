// core/progress.h: how far long work has come; written by the workers, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

namespace volary {

// Totals are 0 until they are known. Relaxed counters: each is right, together they may be a moment apart.
struct Progress {
  std::atomic<uint64_t> files_total{0};
  std::atomic<uint64_t> files_done{0};
  std::atomic<uint64_t> bytes_total{0};
  std::atomic<uint64_t> bytes_done{0};
  std::atomic<uint64_t> bytes_moved{0};  // Of these, what travelled; the others were there already.
};

}  // namespace volary
