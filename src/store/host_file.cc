// store/host_file.cc: comparing what stat says.
#include "store/host_file.h"

#include <time.h>

#include <chrono>
#include <thread>
#include <tuple>

namespace volary {
namespace {

constexpr std::chrono::milliseconds tick{20};  // Twice the longest one that kernels have: 100 a second.

int64_t nanos_of(const timespec& time) { return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec; }

auto traits_of(const struct stat& status) {
  return std::tuple(status.st_dev, status.st_ino, status.st_size, nanos_of(status.st_mtim), nanos_of(status.st_ctim));
}

}  // namespace

bool is_unchanged(const struct stat& before, const struct stat& after) {
  return traits_of(before) == traits_of(after);
}

struct stat settled_stat(int fd, const Path& path) {
  const struct stat status = stat_of(fd, path);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const std::chrono::nanoseconds age(nanos_of(now) - nanos_of(status.st_ctim));
  if (age < std::chrono::nanoseconds(0) || age >= tick) return status;
  std::this_thread::sleep_for(tick);
  return stat_of(fd, path);
}

}  // namespace volary
