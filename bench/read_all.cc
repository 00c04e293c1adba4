// bench/read_all.cc: reads every file below a directory once, in the order of the directories; prints files, bytes and
// the seconds it took. For bench/store: what reading through a mount costs beside reading the same files directly, and
// what no program can be faster than that reads them all. With a number, so many threads share the directories in it.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
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
  static thread_local char block[1 << 16];
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

// The directories in `root`, each by one of the threads.
Counts read_by_threads(const std::string& root, int count) {
  std::vector<std::string> names;
  DIR* const listing = opendir(root.c_str());
  if (!listing) fail(root);
  while (const dirent* entry = readdir(listing))
    if (entry->d_name[0] != '.') names.push_back(root + "/" + entry->d_name);
  closedir(listing);
  std::vector<Counts> counts(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  std::atomic<size_t> next{0};
  for (Counts& own : counts)
    threads.emplace_back([&] {
      for (size_t i; (i = next++) < names.size();) {
        const int fd = open(names[i].c_str(), O_RDONLY | O_DIRECTORY);
        if (fd < 0) fail(names[i]);
        read_below(fd, names[i], own);
      }
    });
  for (std::thread& thread : threads) thread.join();
  Counts sum;
  for (const Counts& own : counts) {
    sum.files += own.files;
    sum.bytes += own.bytes;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 3 ? std::atoi(argv[2]) : 1;
  if (argc < 2 || argc > 3 || threads < 1) {
    std::fprintf(stderr, "usage: read_all DIRECTORY [THREADS]\n");
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  Counts counts;
  if (threads > 1) {
    counts = read_by_threads(argv[1], threads);
  } else {
    const int root = open(argv[1], O_RDONLY | O_DIRECTORY);
    if (root < 0) fail(argv[1]);
    read_below(root, argv[1], counts);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%llu files %llu bytes %.6f\n", static_cast<unsigned long long>(counts.files),
              static_cast<unsigned long long>(counts.bytes), seconds.count());
}
