// mount/erofs_image.h: the image writer, over any source of trees, into a file that has no name yet.
#pragma once

#include <functional>

#include "core/file.h"
#include "mount/mount.h"

namespace volary {

using ReadTree = std::function<Tree(const Digest&)>;

// As write_erofs_image() in mount/mount.h. `file` is empty; it is neither synced nor moved here.
void write_erofs_image(const ReadTree& read_tree, const Digest& tree, Owner owner, TempFile& file);

}  // namespace volary
