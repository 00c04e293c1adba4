// store/settled_mark.cc: the promise of store/settled_mark.h on disk.
#include "store/settled_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "core/error.h"
#include "core/fault.h"
#include "store/layout.h"

namespace volary {
namespace {

constexpr int64_t never = std::numeric_limits<int64_t>::max();

void set_time(int fd, const Path& path, int64_t micros) {
  const timespec time{.tv_sec = micros / 1'000'000, .tv_nsec = micros % 1'000'000 * 1000};
  const std::array<timespec, 2> times{time, time};
  if (::futimens(fd, times.data()) < 0) throw error_from_errno(errno, "set the time of", path.native());
}

}  // namespace

SettledMark::SettledMark(const Path& root, const Clock& clock)
    : path_(Layout(root).unsettled), clock_(clock), time_(never) {}

std::optional<Time> SettledMark::left_behind() const {
  const auto status = stat_of(path_);
  if (!status) return std::nullopt;
  return used_at(*status);
}

uint64_t SettledMark::begin() {
  before_write();
  const std::lock_guard guard(lock_);
  const Time now = clock_.now();
  open_.emplace(next_, OpenCommit{now, now});
  return next_++;
}

void SettledMark::end(uint64_t commit) {
  const std::lock_guard guard(lock_);
  open_.erase(commit);
}

void SettledMark::before_write() {
  const Time now = clock_.now();
  if (now.micros >= time_.load(std::memory_order_relaxed)) return;
  const std::lock_guard guard(lock_);
  if (now.micros < time_) set_back(now);
}

// Also makes the mark: one that does not stand yet is later than every time.
void SettledMark::set_back(Time now) {
  fault::point("store.unsettling");
  if (fault::planted("store.no_mark")) return time_.store(now.micros);
  const Fd fd = open_to_append(path_, 0600);
  set_time(fd.get(), path_, now.micros);
  sync_file(fd.get(), path_);
  fault::point("store.unsettled_written");
  sync_directory(path_.parent_path());
  for (auto& [number, commit] : open_) {
    commit.began = std::min(commit.began, now);
    commit.settled = std::min(commit.settled, now);
  }
  time_ = now.micros;
  fault::point("store.unsettled");
}

void SettledMark::settle(uint64_t commit, Time then) {
  const std::lock_guard guard(lock_);
  Time oldest = std::min(then, clock_.now());
  open_.at(commit).settled = oldest;
  for (const auto& [number, one] : open_) oldest = std::min(oldest, one.settled);
  if (oldest.micros <= time_) return;
  fault::point("store.settling");
  set_time(open_to_append(path_, 0600).get(), path_, oldest.micros);
  time_ = oldest.micros;
  fault::point("store.settled");
}

Time SettledMark::oldest_commit() const {
  const std::lock_guard guard(lock_);
  Time oldest = clock_.now();
  for (const auto& [number, commit] : open_) oldest = std::min(oldest, commit.began);
  return oldest;
}

void SettledMark::remove() {
  const std::lock_guard guard(lock_);
  if (fault::errno_at("store.settled_mark_removal") == 0) ::unlink(path_.c_str());
  time_ = never;
}

}  // namespace volary
