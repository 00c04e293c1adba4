// bench/read_all.cc: reads every file below a directory once, in the order of the directories; prints files, bytes and
// the seconds it took. For bench/store: what reading through a mount costs beside reading the same files directly.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Counts {
  uint64_t files = 0;
  uint64_t bytes = 0;
};

[[noreturn]] void fail(const std::string& path) {
  std::perror(path.c_str());
  std::exit(1);
}

void read_below(int directory, const std::string& path, Counts& counts) {
  static char block[1 << 16];
  DIR* const listing = fdopendir(directory);
  if (!listing) fail(path);
  while (const dirent* entry = readdir(listing)) {
    const char* name = entry->d_name;
    if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
    const int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | (entry->d_type == DT_DIR ? O_DIRECTORY : 0));
    if (fd < 0) fail(path + "/" + name);
    if (entry->d_type == DT_DIR) {
      read_below(fd, path + "/" + name, counts);
      continue;
    }
    ssize_t size = 0;
    while ((size = read(fd, block, sizeof block)) > 0) counts.bytes += static_cast<uint64_t>(size);
    if (size < 0) fail(path + "/" + name);
    ++counts.files;
    close(fd);
  }
  closedir(listing);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: read_all DIRECTORY\n");
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  const int root = open(argv[1], O_RDONLY | O_DIRECTORY);
  if (root < 0) fail(argv[1]);
  Counts counts;
  read_below(root, argv[1], counts);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%llu files %llu bytes %.6f\n", static_cast<unsigned long long>(counts.files),
              static_cast<unsigned long long>(counts.bytes), seconds.count());
}
