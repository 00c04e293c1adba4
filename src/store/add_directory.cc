// store/add_directory.cc: a directory of the host becomes a tree of a commit.
//
// A small file costs openat, fstat (for its executable bit), read and close here, and in the commit one stat if its
// content is present, or a create, write and close if it is new. A large one is copied by parts on all threads, each
// part hashed as it passes.
#include <algorithm>

#include "core/error.h"
#include "core/stream.h"
#include "core/tree_path.h"
#include "core/synced.h"
#include "store/host_scan.h"
#include "store/part_hash.h"
#include "store/store.h"

namespace volary {
namespace {

// Reads exactly `to`, or throws that the file changed.
void read_exactly(int fd, std::span<char> to, uint64_t offset, const Path& path) {
  while (!to.empty()) {
    const size_t size = read_some_at(fd, to, offset, path);
    if (size == 0) throw_failure(failure_shorter, path);
    to = to.subspan(size);
    offset += size;
  }
}

class LargeCopy final : public LargeFile {
 public:
  LargeCopy(Fd fd, Path path, Progress& progress, std::unique_ptr<PartWriter> writer)
      : fd_(std::move(fd)), path_(std::move(path)), progress_(progress), writer_(std::move(writer)) {}

  uint64_t parts() const override { return writer_->parts(); }

  void read(uint64_t part) override {
    const uint64_t size = writer_->size_of(part);
    const auto bytes = std::make_unique_for_overwrite<char[]>(size);
    read_exactly(fd_.get(), {bytes.get(), size}, writer_->offset_of(part), path_);
    writer_->write(part, {bytes.get(), size});
    progress_.bytes_done.fetch_add(size, std::memory_order_relaxed);
  }

  void finish(TreeEntry& entry) override {
    const Blob blob = writer_->finish();
    entry.size = blob.size;
    entry.digest = blob.digest;
  }

 private:
  Fd fd_;
  Path path_;
  Progress& progress_;
  std::unique_ptr<PartWriter> writer_;
};

class AddingReader final : public HostReader {
 public:
  AddingReader(Commit& commit, Progress& progress) : commit_(commit), progress_(progress) {}

  void check(const TreeEntry& entry, const Path& directory) override {
    check_component(entry.name, (directory / entry.name).native());
    if (entry.kind != EntryKind::symlink) return;
    if (const std::string flaw = flaw_of_link_target(entry.target); !flaw.empty())
      throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", (directory / entry.name).native(), flaw);
  }

  std::unique_ptr<LargeFile> read_file(Fd fd, const Path& directory, TreeEntry& entry) override {
    const Path path = directory / entry.name;
    const struct stat status = stat_of(fd.get(), path);
    entry.executable = (status.st_mode & S_IXUSR) != 0;
    const auto size = static_cast<uint64_t>(status.st_size);
    if (size >= large_file_bytes)
      return std::make_unique<LargeCopy>(std::move(fd), path, progress_, commit_.new_blob_in_parts(size));

    const auto writer = commit_.new_blob();
    const std::span<char> block = thread_block();
    for (size_t left = block.size(); left == block.size();) {  // A short read has met the end.
      left = read_some(fd.get(), block, path);
      writer->write({block.data(), left});
    }
    const Blob blob = writer->finish();
    entry.size = blob.size;
    entry.digest = blob.digest;
    progress_.bytes_done.fetch_add(blob.size, std::memory_order_relaxed);
    return nullptr;
  }

  TreeSummary finish(const Tree& tree) override { return commit_.add_tree(tree); }
  void leave_out(const Path& path) override { left_out_.lock()->push_back(path.native()); }

  std::vector<std::string> take_left_out() {
    auto left_out = std::move(*left_out_.lock());
    std::sort(left_out.begin(), left_out.end());
    return left_out;
  }

 private:
  Commit& commit_;
  Progress& progress_;
  Synced<std::vector<std::string>> left_out_;
};

}  // namespace

AddedDirectory add_directory(Commit& commit, const Path& directory, Progress& progress, size_t threads) {
  AddingReader reader(commit, progress);
  const TreeSummary summary = scan_directory(directory, reader, progress, threads);
  return {.summary = summary, .left_out = reader.take_left_out()};
}

}  // namespace volary
