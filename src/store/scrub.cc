// store/scrub.cc: each file once from the disk, beside it what the cache has; a block at a time.
//
// The cached look uses preadv2(RWF_NOWAIT): it gives what is in memory and nothing else, so reading a whole store does
// not fill the cache with it. Only if a block differs, the file is read once more as everybody reads it, to say what
// its bytes hash to there.
#include "store/scrub.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/error.h"
#include "core/fault.h"
#include "store/layout.h"
#include "store/part_hash.h"

namespace volary {
namespace {

constexpr size_t look_bytes = 1 << 20;    // Of one read: long enough for a disk's full speed.
constexpr size_t alignment_bytes = 4096;  // What O_DIRECT asks of the buffer.
constexpr double burst_seconds = 0.1;     // How far a pace may run ahead.
constexpr int looks_max = 5;              // At a file that may not be complete yet.

struct FreeBlock {
  void operator()(void* block) const { std::free(block); }
};
using Block = std::unique_ptr<char, FreeBlock>;

Block aligned_block() {
  void* block = std::aligned_alloc(alignment_bytes, look_bytes);
  if (!block) throw Error(Errc::exhausted, "there is no memory left for a block of {} bytes", look_bytes);
  return Block(static_cast<char*>(block));
}

ssize_t pread_all(int fd, char* to, size_t size, uint64_t offset) {
  if (const int number = fault::errno_at("scrub.read")) return errno = number, -1;
  for (;;) {
    const ssize_t got = ::pread(fd, to, size, static_cast<off_t>(offset));
    if (got >= 0 || errno != EINTR) return got;
  }
}

// The hash of what every reader gets; nothing if it cannot be read.
std::optional<Digest> hash_as_read(int fd) {
  const Block block = aligned_block();
  Hasher hasher;
  for (uint64_t offset = 0;;) {
    const ssize_t size = pread_all(fd, block.get(), look_bytes, offset);
    if (size < 0) return std::nullopt;
    if (size == 0) return hasher.finish();
    hasher.update({block.get(), static_cast<size_t>(size)});
    offset += static_cast<uint64_t>(size);
  }
}

// Whether the cache holds other bytes for this range than `disk` has. Not cached is not other.
bool cache_differs(int fd, std::string_view disk, uint64_t offset, char* scratch) {
  size_t seen = 0;
  while (seen < disk.size()) {
    iovec to{scratch, disk.size() - seen};
    const ssize_t size = ::preadv2(fd, &to, 1, static_cast<off_t>(offset + seen), RWF_NOWAIT);
    if (size <= 0) {  // EAGAIN: this page is not in memory; look at the next. EOPNOTSUPP: nobody can say.
      if (size < 0 && errno != EAGAIN) return false;
      seen = (offset + seen) / alignment_bytes * alignment_bytes + alignment_bytes - offset;
      continue;
    }
    if (std::memcmp(scratch, disk.data() + seen, static_cast<size_t>(size)) != 0) return true;
    seen += static_cast<size_t>(size);
  }
  return false;
}

// Whether what looks damaged may be a small object that a commit is just writing under its own name.
bool is_being_written(const Path& path, const FileState& state) {
  if (state.found != FileState::Found::damaged) return false;
  const auto status = stat_of(path);
  return status && ::time(nullptr) - status->st_mtim.tv_sec < 10;
}

struct Opened {
  Fd direct;  // Past the cache, or
  Fd cached;  // as everybody reads; both where both can be had.
};

// Sets errno if neither can be opened.
Opened open_both_ways(const Path& path) {
  Opened opened;
  opened.cached = Fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened.cached) return opened;
  opened.direct = Fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_DIRECT));
  return opened;
}

}  // namespace

bool Pace::spend(uint64_t bytes) {
  if (bytes_per_second_ == 0) return !stop_.stop_requested();
  const auto seconds_now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  const double now = seconds_now();
  if (last_) ahead_seconds_ = std::max(0.0, ahead_seconds_ - (now - *last_));
  last_ = now;
  ahead_seconds_ += static_cast<double>(bytes) / static_cast<double>(bytes_per_second_);
  while (ahead_seconds_ > burst_seconds && !stop_.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(ahead_seconds_, 0.5)));
    const double later = seconds_now();
    ahead_seconds_ = std::max(0.0, ahead_seconds_ - (later - *last_));
    last_ = later;
  }
  return !stop_.stop_requested();
}

FileState examine_file(const Path& path, const Digest& digest, const std::string& thing, Pace& pace) {
  using Found = FileState::Found;
  Opened opened = open_both_ways(path);
  if (!opened.cached && errno == ENOENT) return {Found::absent, {}, 0, ""};
  FileState state{Found::damaged, {}, 0, ""};
  if (!opened.cached) {
    state.what = thing + " cannot be read: " + reason_of(errno);
    return state;
  }
  const Block block = aligned_block();
  const Block beside = aligned_block();
  Hasher hasher;
  bool differs = false;
  const auto file_bytes = static_cast<uint64_t>(stat_of(opened.cached.get(), path).st_size);
  while (state.bytes < file_bytes) {  // Not one read more: O_DIRECT may refuse the offset of the end.
    const int fd = opened.direct ? opened.direct.get() : opened.cached.get();
    const ssize_t size = pread_all(fd, block.get(), look_bytes, state.bytes);
    if (size < 0 && errno == EINVAL && opened.direct) {  // Opened this way, but not to be read.
      opened.direct.close();
      hasher.reset();
      state.bytes = 0;
      differs = false;
      continue;
    }
    if (size < 0) {
      state.what = thing + " cannot be read: " + reason_of(errno);
      return state;
    }
    if (size == 0) break;
    const std::string_view bytes(block.get(), static_cast<size_t>(size));
    hasher.update(bytes);
    if (opened.direct && !differs) differs = cache_differs(opened.cached.get(), bytes, state.bytes, beside.get());
    state.bytes += bytes.size();
    if (!pace.spend(bytes.size()) && state.bytes < file_bytes) {  // A large one may take hours.
      state.found = Found::unknown;
      return state;
    }
  }
  state.read = opened.direct ? ScrubWatcher::Read::directly : ScrubWatcher::Read::cached;
  const Digest disk = hasher.finish();
  const std::optional<Digest> cached = differs ? hash_as_read(opened.cached.get()) : disk;
  if (disk == digest && cached == digest) {
    state.found = Found::whole;
    return state;
  }
  const auto as_read = [&] { return cached ? "hash to " + cached->hex() : std::string("cannot be read"); };
  if (disk == digest)
    state.what = fmt::format("the bytes of {} that the page cache holds {}; those on the disk are whole", thing,
                             as_read());
  else if (cached == digest)
    state.what = fmt::format("the bytes of {} on the disk hash to {}; those that the page cache holds are whole", thing,
                             disk.hex());
  else
    state.what = fmt::format("the bytes of {} hash to {}", thing, disk.hex());
  return state;
}

void read_past_cache(const Path& path, Sink& sink) {
  const Opened opened = open_both_ways(path);
  if (!opened.cached) throw error_from_errno(errno, "open", path.native());
  if (!opened.direct)
    throw Error(Errc::unavailable, "'{}' cannot be read past the page cache: its file system takes no O_DIRECT",
                path.native());
  const Block block = aligned_block();
  const auto file_bytes = static_cast<uint64_t>(stat_of(opened.cached.get(), path).st_size);
  for (uint64_t offset = 0; offset < file_bytes;) {
    const ssize_t size = pread_all(opened.direct.get(), block.get(), look_bytes, offset);
    if (size <= 0) throw error_from_errno(size < 0 ? errno : EIO, "read", path.native());
    sink.write({block.get(), static_cast<size_t>(size)});
    offset += static_cast<uint64_t>(size);
  }
}

void scrub(const Store& store, const ScrubPlace& from, uint64_t bytes_per_second, const ScrubWatcher& watcher,
           Progress& progress, const std::stop_token& stop) {
  const Layout layout(store.root());
  Pace pace(bytes_per_second, stop);
  const auto pass = [&](ObjectKind kind, const Digest& after) {
    const bool is_tree = kind == ObjectKind::tree;
    each_object_file(is_tree ? layout.trees : layout.objects, after, [&](const Digest& digest, const struct stat&) {
      if (stop.stop_requested()) return;
      const std::string thing = (is_tree ? "tree " : "object ") + digest.hex();
      const Path path = is_tree ? layout.tree_path(digest) : layout.blob_path(digest);
      FileState state = examine_file(path, digest, thing, pace);
      for (int look = 0; look < looks_max && is_being_written(path, state); ++look) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        state = examine_file(path, digest, thing, pace);
      }
      if (state.found == FileState::Found::absent || state.found == FileState::Found::unknown) return;
      if (state.found == FileState::Found::damaged) watcher.damaged({kind, digest, state.what});
      ++progress.files_done;
      progress.bytes_done += state.bytes;
      watcher.passed({kind, digest}, state.bytes, state.read);
      fault::point("scrub.object");
    });
  };
  if (from.kind == ObjectKind::tree && !fault::planted("scrub.skips_trees")) pass(ObjectKind::tree, from.after);
  pass(ObjectKind::blob, from.kind == ObjectKind::blob ? from.after : Digest());
}

}  // namespace volary
