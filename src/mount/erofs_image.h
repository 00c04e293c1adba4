// mount/erofs_image.h: the image writer, over any source of trees, into a file that has no name yet.
//
// Two images of a tree are written. The plain one has names and sizes, and sends overlayfs to objects/ for each file's
// bytes. The packed one has the bytes too and is read by itself, without overlayfs, which opens a second file for each
// that is opened.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/file.h"
#include "mount/mount.h"

namespace volary {

using ReadTree = std::function<Tree(const Digest&)>;

// As write_erofs_image() in mount/mount.h. `file` is empty; it is neither synced nor moved here.
void write_erofs_image(const ReadTree& read_tree, const Digest& tree, Owner owner, TempFile& file);

// The tree stands in the image's root under packed_name_of(tree), by which a mount of it is known among all others.
// Throws if an object is absent or damaged. `check` is called again and again; what it throws ends the work.
void write_packed_image(const Store& store, const Digest& tree, Owner owner, TempFile& file,
                        const std::function<void()>& check);
std::string packed_name_of(const Digest& tree);
// What a file takes in a packed image beside its bytes, at most: its inode, and the rest of its last block.
constexpr uint64_t packed_bytes_beside = 64 + 4096;

// What they are called in images/, behind the tree and the owner.
constexpr std::string_view image_suffix = ".erofs";
constexpr std::string_view packed_suffix = ".packed.erofs";

}  // namespace volary
