// store/layout.h: where things lie below a store's root. For store/ alone.
#pragma once

#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"

namespace volary {

struct Layout {
  explicit Layout(const Path& store_root)
      : root(store_root),
        objects(root / "objects"),
        trees(root / "trees"),
        images(root / "images"),
        tmp(root / "tmp"),
        quarantine(root / "quarantine"),
        unsettled(root / "unsettled") {}

  Path blob_path(const Digest& blob) const { return objects / blob.path(); }
  Path tree_path(const Digest& tree) const { return trees / tree.path(); }

  const Path root;
  const Path objects;
  const Path trees;
  const Path images;
  const Path tmp;
  const Path quarantine;
  const Path unsettled;
};

constexpr mode_t object_mode = 0444;

// When the file was written, or last reused by a commit.
inline Time used_at(const struct stat& status) {
  return {static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000 + status.st_mtim.tv_nsec / 1000};
}

}  // namespace volary
