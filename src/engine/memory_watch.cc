// engine/memory_watch.cc: the kernel's two ways to tell of it.
#include "engine/memory_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "core/error.h"

namespace volary {
namespace {

// The group's path after `prefix` in /proc/PID/cgroup: "9:memory:/docker/…", or "0::/…" in version 2.
std::string group_of(const std::string& groups, std::string_view controller) {
  std::istringstream in(groups);
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second != line.npos && line.substr(first + 1, second - first - 1) == controller) return line.substr(second + 1);
  }
  return "";
}

Fd try_open(const Path& path, int flags) { return Fd(::open(path.c_str(), flags | O_CLOEXEC)); }

}  // namespace

MemoryWatch::MemoryWatch(int64_t pid) {
  const Fd groups_file = try_open(fmt::format("/proc/{}/cgroup", pid), O_RDONLY);
  if (!groups_file) return;
  std::array<char, 8192> bytes;
  const ssize_t size = ::read(groups_file.get(), bytes.data(), bytes.size());
  const std::string groups(bytes.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
  if (const std::string group = group_of(groups, "memory"); !group.empty()) {
    const Path directory = "/sys/fs/cgroup/memory" + group;
    counts_ = try_open(directory / "memory.oom_control", O_RDONLY);
    const Fd control = try_open(directory / "cgroup.event_control", O_WRONLY);
    if (!counts_ || !control) return;
    Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const std::string order = fmt::format("{} {}", event.get(), counts_.get());
    if (event && ::write(control.get(), order.data(), order.size()) > 0) told_ = std::move(event);
    return;
  }
  is_version_2_ = true;
  counts_ = try_open("/sys/fs/cgroup" + group_of(groups, "") + "/memory.events", O_RDONLY);
  if (counts_) told_ = Fd(::fcntl(counts_.get(), F_DUPFD_CLOEXEC, 3));
}

short MemoryWatch::events() const { return is_version_2_ ? POLLPRI : POLLIN; }

// Version 1 tells when the limit is met, and also when the group goes: then it cannot be read any more.
void MemoryWatch::look() {
  if (!told_ || has_killed_) return;
  uint64_t times = 0;
  const bool is_told = !is_version_2_ && ::read(told_.get(), &times, sizeof times) == sizeof times;
  std::array<char, 4096> bytes;
  const ssize_t size = ::pread(counts_.get(), bytes.data(), bytes.size(), 0);
  if (size <= 0) {
    has_killed_ = times > 1;
    told_.close();
    return;
  }
  std::istringstream in(std::string(bytes.data(), static_cast<size_t>(size)));
  std::string key;
  for (uint64_t count = 0; in >> key >> count;)
    if (key == "oom_kill" && count > 0) has_killed_ = true;
  if (is_told) has_killed_ = true;
}

}  // namespace volary
