// store/layout.h: where things lie below a store's root, and what the commits of one process share. For store/ alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "core/digest.h"
#include "core/file.h"

namespace volary {

struct Layout {
  explicit Layout(const Path& store_root)
      : root(store_root),
        objects(root / "objects"),
        trees(root / "trees"),
        images(root / "images"),
        tmp(root / "tmp") {}

  Path blob_path(const Digest& blob) const { return objects / blob.path(); }
  Path tree_path(const Digest& tree) const { return trees / tree.path(); }

  const Path root;
  const Path objects;
  const Path trees;
  const Path images;
  const Path tmp;

  // Held from the first rename of a commit to its last sync.
  std::mutex renaming;
  // Names in objects/ or trees/ that no sync has followed yet, maybe: at the start we do not know how the last
  // process ended. Guarded by `renaming`.
  bool unsynced_names = true;
  // After a failed sync the kernel may hold as clean what never reached the disk. No commit is taken until a restart.
  std::atomic<bool> sync_failed{false};
  // Whether the process's umask takes bits from 0444, so that each file needs a chmod.
  bool modes_are_masked = false;
};

constexpr mode_t object_mode = 0444;

// Whether `path` is there with the size it must have. One of another size is damaged: as good as absent, to be
// replaced.
bool is_stored(const Path& path, uint64_t size);

}  // namespace volary
