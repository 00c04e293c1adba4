// mount/link_farm.h: a tree as a directory of hard links to objects.
#pragma once

#include "store/store.h"

namespace volary {

// Makes `directory`, which must not exist, with all of `tree` below it, and syncs it. Files are links to their
// objects, so they keep mode 0444; an executable one is a copy with 0555; so is what cannot be linked once more, with
// 0444. Shared directories are never changed afterwards: it may only be shown read-only. The answer is how many bytes
// of the disk it took: of directories and copies, not of links.
uint64_t make_link_farm(const Store& store, const Digest& tree, const Path& directory);

}  // namespace volary
