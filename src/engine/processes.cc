// engine/processes.cc: looking through /proc, where everything may vanish between two looks.
#include "engine/processes.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include "core/file.h"

namespace volary {
namespace {

// Whether the pid namespace `fd`, or one it lies in, is number `wanted`.
bool lies_in(Fd fd, ino_t wanted) {
  while (fd) {
    struct stat found {};
    if (::fstat(fd.get(), &found) < 0) return false;
    if (found.st_ino == wanted) return true;
    fd = Fd(::ioctl(fd.get(), NS_GET_PARENT));
  }
  return false;
}

// A zombie has closed its files and left its memory; only its number waits for a parent that may never ask. Its first
// thread may be one while others run.
bool is_dead(int pid) {
  const Fd fd(::open(("/proc/" + std::to_string(pid) + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> block;
  const ssize_t size = fd ? ::read(fd.get(), block.data(), block.size()) : -1;
  if (size <= 0) return true;  // Gone since it was listed.
  const std::string_view status(block.data(), static_cast<size_t>(size));
  const bool is_zombie = status.find("\nState:\tZ") != status.npos || status.find("\nState:\tX") != status.npos;
  const bool has_threads =
      status.find("\nThreads:\t0\n") == status.npos && status.find("\nThreads:\t1\n") == status.npos;
  return is_zombie && !has_threads;
}

}  // namespace

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

int wait_for_child(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return exit_code_of(status);
}

std::vector<int> all_processes() {
  std::vector<int> numbers;
  std::error_code ended;
  for (std::filesystem::directory_iterator one("/proc", ended), end; !ended && one != end; one.increment(ended)) {
    const std::string name = one->path().filename();
    int number = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && rest == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

std::vector<int> processes_in(unsigned long number) {
  std::vector<int> found = all_processes();
  std::erase_if(found, [&](int pid) {
    const std::string link = "/proc/" + std::to_string(pid) + "/ns/pid";
    return !lies_in(Fd(::open(link.c_str(), O_RDONLY | O_CLOEXEC)), number);
  });
  return found;
}

// Before Linux 6.9 a group has its number only, which is its own while its leader is there.
void signal_group(const Fd& process, int number, int signal) {
  constexpr unsigned to_group = 1u << 2;  // PIDFD_SIGNAL_PROCESS_GROUP
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, to_group) == 0) return;
  if (errno == EINVAL && ::syscall(SYS_pidfd_send_signal, process.get(), 0, nullptr, 0) == 0 &&
      ::kill(-number, signal) == 0)
    return;
  ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

bool is_namespace_populated(unsigned long number) {
  const std::vector<int> numbers = all_processes();
  return std::any_of(numbers.begin(), numbers.end(), [&](int pid) {
    const std::string link = "/proc/" + std::to_string(pid) + "/ns/pid";
    return lies_in(Fd(::open(link.c_str(), O_RDONLY | O_CLOEXEC)), number) && !is_dead(pid);
  });
}

}  // namespace volary
