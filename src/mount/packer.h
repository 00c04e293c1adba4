// mount/packer.h: packed images of the trees that are mounted again and again, made in the background.
//
// Through overlayfs each file that is opened is opened twice, and reading a small one takes a sixth to three quarters
// more time; out of a packed image it is opened once, and files that are read in a row lie in a row on the disk. The
// price is a copy of their bytes, so only trees of small files are packed, up to a size, and while the disk has room
// for several such copies. Packed images are in the cache with all others, and go with them (mount/image_cache.h).
#pragma once

#include <condition_variable>
#include <deque>
#include <set>
#include <thread>

#include "core/synced.h"
#include "mount/image_cache.h"
#include "store/store.h"

namespace volary {

constexpr uint64_t packed_files_min = 1000;            // Of fewer, nobody would notice.
constexpr uint64_t packed_mean_bytes_max = 64 << 10;   // Of larger files, opening is a small part of reading.
constexpr uint64_t packed_free_share = 4;              // The disk has room for so many.
constexpr uint64_t packed_cache_share = 4;             // And so has the cache.

// Any thread may call.
class Packer {
 public:
  // Packs nothing that would take more than `bytes_max`. `log` gets a line for what could not be packed.
  Packer(const Store& store, ImageCache& images, uint64_t bytes_max, MountLog log);
  ~Packer();  // Gives up what it is at.

  // Returns at once. Has the tree packed if it is worth it, by a thread that gives way to all others. What cannot be
  // packed, for want of room or of an object, is mounted as before, and not tried again.
  void want(const Digest& tree);

 private:
  struct Wishes {
    std::set<Digest> known;  // Waiting, under way, or not worth it.
    std::deque<Digest> waiting;
    std::jthread worker;     // None if nothing is ever packed.
    bool is_ending = false;
  };

  void work();
  bool is_worth_it(const Digest& tree) const;
  void check_going_on();

  const Store& store_;
  ImageCache& images_;
  const uint64_t bytes_max_;
  const MountLog log_;
  std::condition_variable wished_;
  Synced<Wishes> wishes_;
};

}  // namespace volary
