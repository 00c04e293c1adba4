// engine/processes.cc: looking through /proc, where everything may vanish between two looks.
#include "engine/processes.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <string>

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

}  // namespace

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

bool is_namespace_populated(unsigned long number) {
  const std::vector<int> numbers = all_processes();
  return std::any_of(numbers.begin(), numbers.end(), [&](int pid) {
    const std::string link = "/proc/" + std::to_string(pid) + "/ns/pid";
    return lies_in(Fd(::open(link.c_str(), O_RDONLY | O_CLOEXEC)), number);
  });
}

}  // namespace volary
