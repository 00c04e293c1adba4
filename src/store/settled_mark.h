// store/settled_mark.h: the file `unsettled`, which says what a crash may have torn. For store/ alone.
//
// The file is there from before the first write until the store is closed well, and its time of modification is a
// promise: every object and tree whose own time is older was durable. So after a crash only what is newer must be read
// and compared with its name, however large the store is. (How much newer: see settled_slack.)
//
// A time that survives a crash although a later one was set already is only more work, so moving the mark forward
// needs no sync. Making it, or setting it back when the clock has run backwards, is durable before anything is written.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "core/clock.h"
#include "core/file.h"

namespace volary {

// The kernel stamps files with a clock that lags by some milliseconds, and stamps before it takes the bytes.
constexpr int64_t settled_slack = 2'000'000;  // µs

// Any thread may call.
class SettledMark {
 public:
  SettledMark(const Path& root, const Clock& clock);

  // The promise of a process that did not close the store, or nothing if all is durable.
  std::optional<Time> left_behind() const;

  // A commit begins; the mark stands from here on. The number is for settle() and end().
  uint64_t begin();
  void end(uint64_t commit);
  // Call before each write: sets the mark back if the clock has run backwards.
  void before_write();
  // All that this commit wrote before `then` is durable now.
  void settle(uint64_t commit, Time then);
  // Whether a file of that time is durable for certain.
  bool is_settled(Time time) const { return time.micros < time_.load(std::memory_order_relaxed) - settled_slack; }
  // When the oldest commit that has not ended began; now if there is none.
  Time oldest_commit() const;

  // Everything is durable, and no commit open: the mark goes. Never throws: one that stays is only more work.
  void remove();

 private:
  struct OpenCommit {
    Time began;
    Time settled;  // All that it wrote before is durable.
  };

  void set_back(Time now);

  const Path path_;
  const Clock& clock_;
  std::atomic<int64_t> time_;     // Of the mark, once made; until then later than every time.
  mutable std::mutex lock_;       // Guards all below, and the file.
  std::map<uint64_t, OpenCommit> open_;
  uint64_t next_ = 0;
};

}  // namespace volary
