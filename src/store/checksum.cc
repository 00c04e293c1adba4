// store/checksum.cc: the OICM checksum of a directory on disk.
//
// A small file costs openat, one read and close: a read that gives less than was asked for has met the end, so
// neither fstat nor a second read is needed. A large one is hashed by parts on all threads (store/part_hash.h, which
// also says why nothing is mapped).
#include "store/checksum.h"

#include "core/error.h"
#include "core/stream.h"
#include "core/tree_path.h"
#include "store/host_scan.h"
#include "store/part_hash.h"

namespace volary {
namespace {

class LargeHash final : public LargeFile {
 public:
  LargeHash(Fd fd, uint64_t size, Path path, Progress& progress)
      : fd_(std::move(fd)), size_(size), path_(std::move(path)), progress_(progress), hash_(fd_.get(), size) {}

  uint64_t parts() const override { return hash_.parts(); }
  void read(uint64_t part) override {
    progress_.bytes_done.fetch_add(hash_.hash(part), std::memory_order_relaxed);
    if (hash_.failure() != 0) throw_failure(hash_.failure(), path_);
  }
  std::unique_ptr<LargeFile> finish(TreeEntry& entry) override {
    entry.size = size_;
    entry.digest = hash_.digest();
    return nullptr;
  }

 private:
  Fd fd_;
  uint64_t size_;
  Path path_;
  Progress& progress_;
  PartHash hash_;
};

class ChecksumReader final : public HostReader {
 public:
  explicit ChecksumReader(Progress& progress) : progress_(progress) {}

  void enter(int, const Path&) override {}

  void check(const TreeEntry& entry, const Path& directory) override {
    const auto refuse = [&](std::string_view what, std::string_view text) {
      throw Error(Errc::invalid, "{} '{}' in '{}' is not UTF-8, so the directory has no checksum", what,
                  printable(text), printable(directory.native()));
    };
    if (!is_utf8(entry.name)) refuse("the name", entry.name);
    if (!is_utf8(entry.target)) refuse("the link target", entry.target);
  }

  Reading read_file(Fd fd, const Path& directory, TreeEntry& entry) override {
    const std::span<char> block = thread_block();
    const Path path = directory / entry.name;
    size_t size = read_some(fd.get(), block, path);
    if (size < block.size()) {
      keep(entry, Digest::of({block.data(), size}), size);
      return {};
    }
    if (const auto whole = static_cast<uint64_t>(stat_of(fd.get(), path).st_size); whole >= large_file_bytes)
      return {.large = std::make_unique<LargeHash>(std::move(fd), whole, path, progress_)};
    Hasher hasher;
    uint64_t total = 0;
    for (; size > 0; size = read_some(fd.get(), block, path)) {
      hasher.update({block.data(), size});
      total += size;
    }
    keep(entry, hasher.finish(), total);
    return {};
  }

  TreeSummary finish(const Tree& tree) override {
    TreeSummary summary;
    summary.checksum = checksum_of(tree);
    for (const TreeEntry& entry : tree.entries) {
      summary.files += entry.kind == EntryKind::directory ? entry.files : 1;
      summary.bytes += entry.size;
    }
    return summary;
  }

  void leave_out(const Path&) override {}

 private:
  void keep(TreeEntry& entry, const Digest& digest, uint64_t size) {
    entry.size = size;
    entry.digest = digest;
    progress_.bytes_done.fetch_add(size, std::memory_order_relaxed);
  }

  Progress& progress_;
};

}  // namespace

DirectoryChecksum checksum_of_directory(const Path& directory, Progress& progress, size_t threads) {
  ChecksumReader reader(progress);
  const TreeSummary summary = scan_directory(directory, Liveness::still, reader, progress, reading(threads));
  return {.checksum = summary.checksum, .files = summary.files, .bytes = summary.bytes};
}

}  // namespace volary
