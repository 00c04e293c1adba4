// store/recovery.cc: what a crash may have torn is read again before anybody relies on it.
//
// A file system that loses power may keep a name and lose the bytes, or keep an older size. What was durable at the
// time of the mark needs no look; so a directory objects/ab whose own time is older has no new names and is passed
// over whole, and of the others only files as new as the mark are read.
#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "core/workers.h"
#include "store/part_hash.h"
#include "store/shelves.h"
#include "store/task_stack.h"

namespace volary {
namespace {

struct Suspect {
  Path path;
  Digest digest;
  uint64_t size = 0;
};

class Recoverer {
 public:
  Recoverer(const Layout& layout, Time settled) : layout_(layout), from_(settled.micros - settled_slack) {}

  Recovery run() {
    const Fd root = open_directory(layout_.root);
    // What the last process left in the page cache is on the disk now, so that what is read below is what will last.
    sync_file_system(root.get(), layout_.root);
    fault::point("store.recovering");
    find(layout_.objects);
    find(layout_.trees);
    std::sort(suspects_.begin(), suspects_.end(), [](const auto& a, const auto& b) { return a.size > b.size; });
    size_t large = 0;
    while (large < suspects_.size() && suspects_[large].size >= large_file_bytes) check(suspects_[large++], cores());
    for_each_index(suspects_.size() - large, reading(cores()), [&](size_t i) { check(suspects_[large + i], 1); });
    if (moved_ > 0) sync_file_system(root.get(), layout_.root);
    fault::point("store.recovered");
    return {.after_crash = true, .checked = suspects_.size(), .moved = moved_};
  }

 private:
  void find(const Path& folder) {
    for (const DirectoryEntry& fan : list_directory(folder)) {
      const Path path = folder / fan.name;
      const auto own = stat_of(path);
      if (fan.type != DT_DIR || !own || used_at(*own).micros < from_) continue;
      for (const DirectoryEntry& entry : list_directory(path)) {
        const auto digest = Digest::try_parse(fan.name + entry.name);
        const auto status = stat_of(path / entry.name);
        if (!digest || !status || used_at(*status).micros < from_) continue;
        suspects_.push_back({path / entry.name, *digest, static_cast<uint64_t>(status->st_size)});
      }
    }
  }

  void check(const Suspect& suspect, size_t threads) {
    if (is_whole(suspect, threads)) return;
    // Two checks never meet at one name: names are unique in each folder, and folders are kept apart.
    const Path below = suspect.path.lexically_relative(layout_.root);
    Path to = layout_.quarantine / "damaged" / below;
    make_directories(to.parent_path(), 0700);
    for (int number = 1; is_present(to); ++number)
      to = layout_.quarantine / "damaged" / (below.native() + "." + std::to_string(number));
    fault::point("store.moving_damaged");
    rename_file(suspect.path, to);
    ++moved_;
    fault::point("store.moved_damaged");
  }

  static bool is_whole(const Suspect& suspect, size_t threads) {
    // One that cannot be read is moved too: a commit that brings its bytes again shall write them anew.
    const Fd fd(::open(suspect.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) return false;
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    PartHash hash(fd.get(), suspect.size);
    for_each_index(hash.parts(), threads, [&](size_t part) { hash.hash(part); });
    return hash.failure() == 0 && hash.digest() == suspect.digest;
  }

  const Layout& layout_;
  const int64_t from_;
  std::vector<Suspect> suspects_;
  std::atomic<uint64_t> moved_{0};
};

}  // namespace

Recovery recover(const Layout& layout, Time settled) { return Recoverer(layout, settled).run(); }

}  // namespace volary
