// mount/changed_files.cc: mount/changed_files.h. Many files at once, or the parts of one large file at once.
#include "mount/changed_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <set>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/synced.h"
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

struct Moment {
  uint64_t size = 0;
  int64_t modified_nanos = 0;
  int64_t changed_nanos = 0;
  bool operator==(const Moment&) const = default;
};

int64_t nanos(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

Moment moment_of(const Fd& fd, const Path& name) {
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0) throw error_from_errno(errno, "stat", name.native());
  return {static_cast<uint64_t>(status.st_size), nanos(status.st_mtim), nanos(status.st_ctim)};
}

// File times come from a clock that ticks: what was written within the last ticks may be written again unseen.
constexpr int64_t tick_nanos = 20'000'000;

bool is_at_rest(const Moment& moment) {
  timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanos(now) - std::max(moment.modified_nanos, moment.changed_nanos) > tick_nanos;
}

Digest digest_of(const Fd& fd, uint64_t size, const Path& name) {
  std::vector<char> block(block_bytes);
  Hasher hasher;
  for (uint64_t at = 0; at < size;) {
    const std::span<char> part(block.data(), std::min<uint64_t>(block.size(), size - at));
    read_exactly(fd.get(), part, at, name);
    hasher.update({part.data(), part.size()});
    at += part.size();
  }
  return hasher.finish();
}

Blob read_first(const Fd& fd, uint64_t size, const Path& name, Commit& commit, Progress& progress) {
  if (size >= large_file_bytes) return read_in_parts(fd, name, size, commit, progress);
  std::vector<char> bytes(size);
  read_exactly(fd.get(), bytes, 0, name);
  progress.bytes_done += size;
  return commit.add_blob({bytes.data(), bytes.size()});
}

constexpr int readings_max = 3;

// A file that others may be writing, as it was at one moment: nobody touched it from before the reading until after it,
// or a second reading found the same bytes. Nothing if that never came about, or it is gone.
std::optional<Blob> read_at_rest(const Upper& upper, const TreePath& path, Commit& commit, Progress& progress) {
  const Path name = upper.name_of(path);
  for (int attempt = 0; attempt < readings_max; ++attempt) {
    std::optional<Blob> blob;
    const auto error = error_of([&] {
      const Fd fd = upper.open_file(path);
      const Moment before = moment_of(fd, name);
      Blob read = read_first(fd, before.size, name, commit, progress);
      fault::point("mount.harvest.file_read");
      const bool is_whole = (moment_of(fd, name) == before && is_at_rest(before)) ||
                            digest_of(fd, before.size, name) == read.digest || fault::planted("harvest.torn");
      if (is_whole) blob = read;
    });
    if (blob) return blob;
    if (error && error->code() == Errc::not_found) return std::nullopt;
    if (error && error->code() != Errc::conflict) throw Error(*error);  // Conflict: it became shorter.
  }
  return std::nullopt;
}

}  // namespace

void ChangedFiles::add(const TreePath& path, const struct stat& status, size_t change) {
  if (status.st_nlink > 1) {
    const auto [known, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, files_.size());
    if (!is_new) return files_[known->second].changes.push_back(change);
  }
  files_.push_back({.path = path, .size = static_cast<uint64_t>(status.st_size), .changes = {change}});
}

void ChangedFiles::read(const Upper& upper, const Store& store, Commit& commit, Harvest& harvest, Progress& progress,
                        Writers writers) const {
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

  Synced<std::set<size_t>> restless;  // Changes that are left out.
  const auto read_file = [&](const File& file) {
    fault::point("mount.harvest.file");
    const Path name = upper.name_of(file.path);
    std::optional<Blob> blob;
    if (writers == Writers::there) {
      blob = read_at_rest(upper, file.path, commit, progress);
    } else {
      Fd fd = upper.open_file(file.path);
      blob = file.size < large_file_bytes ? read_in_order(std::move(fd), name, commit, progress)
                                          : read_in_parts(fd, name, file.size, commit, progress);
    }
    for (const size_t change : file.changes) {
      if (!blob) {
        restless.lock()->insert(change);
        continue;
      }
      harvest.changes[change].entry->size = blob->size;
      harvest.changes[change].entry->digest = blob->digest;
    }
    progress.files_done += 1;
  };
  for_each_index(small.size(), cores(), [&](size_t i) { read_file(files_[small[i]]); });
  for (const size_t i : large) read_file(files_[i]);
  auto left_out = restless.lock();
  for (const File& file : files_)
    if (!left_out->contains(file.changes.front())) harvest.bytes += harvest.changes[file.changes.front()].entry->size;
  for (auto one = left_out->rbegin(); one != left_out->rend(); ++one) {
    harvest.left_out.push_back(fmt::format("'{}', which is being written", harvest.changes[*one].path.text()));
    harvest.restless.push_back(harvest.changes[*one].path);
    harvest.changes.erase(harvest.changes.begin() + static_cast<ptrdiff_t>(*one));
  }
}

}  // namespace volary
