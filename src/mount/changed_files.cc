// mount/changed_files.cc: mount/changed_files.h. Many files at once, or the parts of one large file at once.
#include "mount/changed_files.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/workers.h"

namespace volary {
namespace {

constexpr uint64_t large_file_bytes = 32 << 20;  // From here on, a file is worth several threads.

Blob read_in_order(Fd fd, const Path& name, Commit& commit, Progress& progress) {
  thread_local std::vector<char> block(block_bytes);
  const auto writer = commit.new_blob();
  while (const size_t size = read_some(fd.get(), block, name)) {
    writer->write({block.data(), size});
    progress.bytes_done += size;
  }
  return writer->finish();
}

void read_exactly(int fd, std::span<char> to, uint64_t offset, const Path& name) {
  while (!to.empty()) {
    const size_t size = read_some_at(fd, to, offset, name);
    if (size == 0) throw Error(Errc::conflict, "'{}' became shorter while it was read", name.native());
    to = to.subspan(size);
    offset += size;
  }
}

Blob read_in_parts(const Fd& fd, const Path& name, uint64_t size, Commit& commit, Progress& progress) {
  const auto writer = commit.new_blob_in_parts(size);
  for_each_index(writer->parts(), cores(), [&](size_t part) {
    const uint64_t part_size = writer->size_of(part);
    const auto bytes = std::make_unique_for_overwrite<char[]>(part_size);
    read_exactly(fd.get(), {bytes.get(), part_size}, writer->offset_of(part), name);
    writer->write(part, {bytes.get(), part_size});
    progress.bytes_done += part_size;
  });
  return writer->finish();
}

}  // namespace

void ChangedFiles::add(const TreePath& path, const struct stat& status, size_t change) {
  if (status.st_nlink > 1) {
    const auto [known, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, files_.size());
    if (!is_new) return files_[known->second].changes.push_back(change);
  }
  files_.push_back({.path = path, .size = static_cast<uint64_t>(status.st_size), .changes = {change}});
}

void ChangedFiles::read(const Upper& upper, const Store& store, Commit& commit, Harvest& harvest,
                        Progress& progress) const {
  const uint64_t free = free_bytes(store.root());
  std::vector<size_t> small;
  std::vector<size_t> large;
  for (size_t i = 0; i < files_.size(); ++i) {
    // A file may be all hole and claim any size: better said before the disk is full.
    if (files_[i].size > free)
      throw Error(Errc::exhausted, "'{}' has {} bytes: the store has {} free", files_[i].path.text(),
                  files_[i].size, free);
    (files_[i].size < large_file_bytes ? small : large).push_back(i);
    progress.bytes_total += files_[i].size;
  }
  progress.files_total += files_.size();
  harvest.files = files_.size();

  const auto read_file = [&](const File& file) {
    fault::point("mount.harvest.file");
    const Path name = upper.name_of(file.path);
    Fd fd = upper.open_file(file.path);
    const Blob blob = file.size < large_file_bytes ? read_in_order(std::move(fd), name, commit, progress)
                                                   : read_in_parts(fd, name, file.size, commit, progress);
    for (const size_t change : file.changes) {
      harvest.changes[change].entry->size = blob.size;
      harvest.changes[change].entry->digest = blob.digest;
    }
    progress.files_done += 1;
  };
  for_each_index(small.size(), cores(), [&](size_t i) { read_file(files_[small[i]]); });
  for (const size_t i : large) read_file(files_[i]);
  for (const File& file : files_) harvest.bytes += harvest.changes[file.changes.front()].entry->size;
}

}  // namespace volary
