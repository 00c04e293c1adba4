// mount/image_cache.h: the images and link farms in a store's images/, each made once and kept while it is used.
//
//   <tree>-<uid>-<gid>.erofs    an EROFS image of names and sizes (mount/erofs_image.cc)
//   <tree>-<uid>-<gid>.packed.erofs   one that has the bytes of the files too (mount/packer.h)
//   <tree>.links/tree           a directory of hard links (mount/link_farm.h)
//   <tree>.links/bytes          the disk space that it took, in decimal digits
//
// A name there always means a finished one, also after a crash: it is made in the store's tmp/, synced, and renamed.
// All of it may be thrown away when nothing is being mounted with it. The access time is when it was last asked for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/synced.h"
#include "mount/held_image.h"
#include "mount/mount.h"

namespace volary {

enum class CachedKind {
  image,
  packed_image,
  link_farm,
  former,  // Of an older program or another owner: of no use any more.
};

struct CachedTree {
  std::string name;            // In images/.
  CachedKind kind{};
  std::optional<Digest> tree;  // Of `former` perhaps nothing.
  uint64_t bytes = 0;          // On the disk.
  Time last_used;
};

// Each takes a descriptor of the process and a loop device of the machine.
constexpr size_t held_images_max = 128;

// Any thread may call.
class ImageCache {
 public:
  ImageCache(const Store& store, Owner owner);

  // Where it lies; made first if it is not there. Callers that want the same at once wait for the one that makes it.
  Path image_of(const Digest& tree);
  Path farm_of(const Digest& tree);
  // Waits for nothing and makes nothing.
  bool has_image(const Digest& tree) const { return is_present(images() / image_name(tree)); }
  // Not of one that is being removed, either. It is held from now on (mount/held_image.h), until it is removed, or
  // so many others were asked for later.
  std::optional<Path> find_packed(const Digest& tree);
  // Made if it is not there, held, and read. `check` is called again and again; what it throws ends the work.
  void pack(const Digest& tree, const std::function<void()>& check);

  // Least recently used first.
  std::vector<CachedTree> list() const;
  // As if it had been asked for now. Absent is fine.
  void touch(const std::string& name) const;
  // No more holds what is there no more: the store's sweep and scrub take images away by themselves, and the disk has
  // the room of what is held only afterwards.
  void let_go_of_absent();
  // False if `is_in_use` says so: then nothing happens. Waits for one that is being made; whoever asks for it
  // meanwhile waits, and then makes it again.
  bool remove(const std::string& name, const std::function<bool()>& is_in_use);

 private:
  Path images() const;
  std::string image_name(const Digest& tree) const;
  std::string packed_name(const Digest& tree) const;
  Path temporaries() const { return store_.root() / "tmp"; }
  CachedTree describe(const std::string& name) const;
  struct Held {
    HeldImage image;
    uint64_t last_asked = 0;  // When that of another is less, it was asked for before.
  };
  using HeldImages = std::map<std::string, Held>;  // By name.
  bool is_held(const std::string& name);
  void keep(const std::string& name, HeldImage image);
  template <class Make>
  void make_once(const std::string& name, Make make);
  // Nobody else has `name` in hand while the answer lives.
  class InHand;

  const Store& store_;
  const Owner owner_;
  Synced<std::set<std::string>> in_hand_;
  Synced<HeldImages> held_;
  std::atomic<uint64_t> times_asked_ = 0;
  std::condition_variable released_;
};

}  // namespace volary
