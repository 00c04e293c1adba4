// store/add_directory.cc: a directory of the host becomes a tree of a commit, while others may be changing it.
//
// Each file is as it was at one moment between the beginning and the end of the whole: its status is the same before
// and after it was read, or it is read again. (There is no one moment for all files; only a snapshot of the file
// system has that.)
//
// A small file costs openat, fstat, one read, fstat and close here, and in the commit a create, write and close if its
// content is new. A large one is cloned where the file system can share its blocks, which happens at one moment, and
// then read to name it; otherwise it is copied by parts on all threads, each part hashed as it passes. Holes are read
// as the zeros they are.
#include "store/host_file.h"
#include "store/host_scan.h"
#include "store/part_hash.h"
#include "store/store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/fault.h"
#include "core/place.h"
#include "core/synced.h"
#include "core/tree_path.h"

namespace volary {
namespace {

[[noreturn]] void refuse_changing(const Path& path) {
  throw Error(Errc::conflict, "'{}' changes while it is read: it was read {} times", path.native(), attempts_max);
}

// Reads until at least `enough` is there or the file ends. Only for failures is the path put together.
size_t read_until(size_t enough, int fd, std::span<char> to, uint64_t offset, const Path& directory,
                  const std::string& name) {
  for (size_t total = 0;;) {
    const int number = fault::errno_at("file.read");
    const ssize_t size = ::pread(fd, to.data() + total, to.size() - total, static_cast<off_t>(offset + total));
    if (number != 0 || (size < 0 && errno != EINTR))
      throw error_from_errno(number != 0 ? number : errno, "read", (directory / name).native());
    if (size > 0) total += static_cast<size_t>(size);
    if (size == 0 || total >= enough) return total;
  }
}

// A file on its way by parts, and what may have to be done again.
struct Source {
  Fd fd;
  Path path;
  struct stat status {};  // Before it was read.
  int attempt = 1;
};

class LargeCopy final : public LargeFile {
 public:
  LargeCopy(Commit& commit, Source source, Progress& progress)
      : commit_(commit),
        source_(std::move(source)),
        progress_(progress),
        writer_(commit.new_blob_in_parts(static_cast<uint64_t>(source_.status.st_size))) {}

  uint64_t parts() const override { return writer_->parts(); }

  void read(uint64_t part) override {
    const uint64_t size = writer_->size_of(part);
    const auto bytes = std::make_unique_for_overwrite<char[]>(size);
    const size_t found = read_until(size, source_.fd.get(), {bytes.get(), size}, writer_->offset_of(part),
                                    source_.path.parent_path(), source_.path.filename().native());
    if (found < size) return;  // Shorter than it was: finish() sees that too.
    writer_->write(part, {bytes.get(), size});
    progress_.bytes_done.fetch_add(size, std::memory_order_relaxed);
    bytes_ += size;
  }

  std::unique_ptr<LargeFile> finish(TreeEntry& entry) override {
    fault::point("add.read");
    if (!is_unchanged(source_.status, stat_of(source_.fd.get(), source_.path))) return again();
    const Blob blob = writer_->finish();
    entry.size = blob.size;
    entry.digest = blob.digest;
    return nullptr;
  }

 private:
  std::unique_ptr<LargeFile> again() {
    if (source_.attempt++ == attempts_max) refuse_changing(source_.path);
    writer_.reset();
    progress_.bytes_done -= bytes_;
    source_.status = settled_stat(source_.fd.get(), source_.path);
    return std::make_unique<LargeCopy>(commit_, std::move(source_), progress_);
  }

  Commit& commit_;
  Source source_;
  Progress& progress_;
  std::unique_ptr<PartWriter> writer_;
  std::atomic<uint64_t> bytes_{0};
};

class LargeClone final : public LargeFile {
 public:
  LargeClone(std::unique_ptr<BlobClone> clone, Progress& progress) : clone_(std::move(clone)), progress_(progress) {}

  uint64_t parts() const override { return clone_->parts(); }
  void read(uint64_t part) override {
    progress_.bytes_done.fetch_add(clone_->read(part), std::memory_order_relaxed);
  }
  std::unique_ptr<LargeFile> finish(TreeEntry& entry) override {
    const Blob blob = clone_->finish();
    entry.size = blob.size;
    entry.digest = blob.digest;
    return nullptr;
  }

 private:
  std::unique_ptr<BlobClone> clone_;
  Progress& progress_;
};

// What was read of files with several names, until the last of them was met.
class KnownLinks {
 public:
  // Fills in the entry if the same file was read as it still is.
  bool fill(const struct stat& status, TreeEntry& entry) {
    auto known = known_.lock();
    const auto found = known->find({status.st_dev, status.st_ino});
    if (found == known->end() || !is_unchanged(found->second.status, status)) return false;
    entry.size = found->second.blob.size;
    entry.digest = found->second.blob.digest;
    if (--found->second.names_left == 0) known->erase(found);
    return true;
  }

  void keep(const struct stat& status, const Blob& blob) {
    (*known_.lock())[{status.st_dev, status.st_ino}] = {status, blob, status.st_nlink - 1};
  }

 private:
  struct Known {
    struct stat status {};
    Blob blob;
    nlink_t names_left = 0;
  };
  Synced<std::map<std::pair<dev_t, ino_t>, Known>> known_;
};

class AddingReader final : public HostReader {
 public:
  AddingReader(Commit& commit, Progress& progress)
      : commit_(commit), progress_(progress), store_(stat_of(commit.store().root(), Follow::yes).value()) {}

  void enter(int fd, const Path& path) override {
    const struct stat status = stat_of(fd, path);
    if (status.st_dev == store_.st_dev && status.st_ino == store_.st_ino) refuse_store(path);
  }

  [[noreturn]] void refuse_store(const Path& path) const {
    throw Error(Errc::invalid, "'{}' cannot be added: the store '{}' is or holds it, or is below it", path.native(),
                commit_.store().root().native());
  }

  void check(const TreeEntry& entry, const Path& directory) override {
    if (const std::string flaw = flaw_of_component(entry.name); !flaw.empty())
      check_component(entry.name, (directory / entry.name).native());
    if (entry.kind != EntryKind::symlink) return;
    if (const std::string flaw = flaw_of_link_target(entry.target); !flaw.empty())
      throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", (directory / entry.name).native(), flaw);
  }

  Reading read_file(Fd fd, const Path& directory, TreeEntry& entry) override {
    for (int attempt = 1; attempt <= attempts_max; ++attempt) {
      const struct stat before = settled_stat(fd.get(), directory);
      if (!S_ISREG(before.st_mode)) return {.is_there = false};
      entry.executable = (before.st_mode & S_IXUSR) != 0;
      const auto size = static_cast<uint64_t>(before.st_size);
      if (before.st_nlink > 1 && links_.fill(before, entry)) return {};
      if (size >= large_file_bytes)
        return {.large = open_large({std::move(fd), directory / entry.name, before, attempt})};
      const auto blob = size < block_bytes ? read_small(fd.get(), before, directory, entry)
                                           : read_medium(fd.get(), before, directory, entry);
      if (!blob) continue;
      entry.size = blob->size;
      entry.digest = blob->digest;
      if (before.st_nlink > 1) links_.keep(before, *blob);
      progress_.bytes_done.fetch_add(blob->size, std::memory_order_relaxed);
      return {};
    }
    refuse_changing(directory / entry.name);
  }

  TreeSummary finish(const Tree& tree) override { return commit_.add_tree(tree); }
  void leave_out(const Path& path) override { left_out_.lock()->push_back(path.native()); }

  std::vector<std::string> take_left_out() {
    auto left_out = std::move(*left_out_.lock());
    std::sort(left_out.begin(), left_out.end());
    left_out.erase(std::unique(left_out.begin(), left_out.end()), left_out.end());  // Some directory was listed twice.
    return left_out;
  }

 private:
  // These two return nothing if the file changed meanwhile.
  std::optional<Blob> read_small(int fd, const struct stat& before, const Path& directory, const TreeEntry& entry) {
    const std::span<char> block = thread_block();
    const auto size = static_cast<size_t>(before.st_size);
    const size_t found = read_until(size, fd, block.first(size + 1), 0, directory, entry.name);  // One more tells more.
    fault::point("add.read");
    if (found != size || !is_unchanged(before, stat_of(fd, directory))) return std::nullopt;
    return commit_.add_blob({block.data(), size});
  }

  std::optional<Blob> read_medium(int fd, const struct stat& before, const Path& directory, const TreeEntry& entry) {
    const std::span<char> block = thread_block();
    const auto writer = commit_.new_blob();
    uint64_t total = 0;
    for (size_t size = block.size(); size == block.size(); total += size) {
      size = read_until(block.size(), fd, block, total, directory, entry.name);
      writer->write({block.data(), size});
    }
    fault::point("add.read");
    if (!is_unchanged(before, stat_of(fd, directory))) return std::nullopt;
    return writer->finish();
  }

  std::unique_ptr<LargeFile> open_large(Source source) {
    if (auto clone = commit_.clone_blob(source.fd.get(), source.path))
      return std::make_unique<LargeClone>(std::move(clone), progress_);
    return std::make_unique<LargeCopy>(commit_, std::move(source), progress_);
  }

  Commit& commit_;
  Progress& progress_;
  const struct stat store_;
  KnownLinks links_;
  Synced<std::vector<std::string>> left_out_;
};

}  // namespace

AddedDirectory add_directory(Commit& commit, const Path& directory, Progress& progress, size_t threads,
                             const std::stop_token& stop) {
  AddingReader reader(commit, progress);
  std::error_code missing;  // Opening it will say what is wrong.
  const Path from = std::filesystem::canonical(directory, missing);
  const Path store = std::filesystem::canonical(commit.store().root());
  if (!missing && (is_within(from, store) || is_within(store, from))) reader.refuse_store(directory);
  const TreeSummary summary = scan_directory(directory, Liveness::live, reader, progress, reading(threads), stop);
  return {.summary = summary, .left_out = reader.take_left_out()};
}

}  // namespace volary
