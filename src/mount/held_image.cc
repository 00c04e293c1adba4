// mount/held_image.cc: mount/held_image.h.
#include "mount/held_image.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <utility>
#include <vector>

#include "core/error.h"
#include "mount/kernel_mount.h"

namespace volary {
namespace {

constexpr uint64_t memory_share = 4;
constexpr size_t block_bytes = 128 << 10;

// What the kernel would give without writing anything to the disk first.
uint64_t free_memory_bytes() {
  std::istringstream lines(try_read_file("/proc/meminfo").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    uint64_t kibibytes = 0;
    if (words >> name >> kibibytes && name == "MemAvailable:") return kibibytes << 10;
  }
  return 0;
}

void read_through(const Fd& file, const Path& path, const std::function<void()>& check) {
  std::array<char, block_bytes> block;
  do check();
  while (read_some(file.get(), block, path) > 0);
}

}  // namespace

HeldImage::HeldImage(const Path& image) : image_(image), root_(hold_image_by_loop(image)) {}

void HeldImage::read_all(const std::function<void()>& check) const {
  const Fd image = open_to_read(image_);
  if (static_cast<uint64_t>(stat_of(image.get(), image_).st_size) > free_memory_bytes() / memory_share) return;
  const auto open_below = [&](const Path& path, int flags) {
    Fd fd(::openat(root_.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags));
    if (!fd) throw error_from_errno(errno, "open", path.native());
    return fd;
  };
  std::vector<Path> directories = {"."};
  while (!directories.empty()) {
    const Path directory = std::move(directories.back());
    directories.pop_back();
    for (const DirectoryEntry& entry : list_directory(open_below(directory, O_DIRECTORY).get(), directory)) {
      const Path path = directory / entry.name;
      if (entry.type == DT_DIR) directories.push_back(path);
      if (entry.type == DT_REG) read_through(open_below(path, 0), path, check);
    }
  }
  ::posix_fadvise(image.get(), 0, 0, POSIX_FADV_DONTNEED);  // The bytes are in memory twice, and this is for nobody.
}

}  // namespace volary
