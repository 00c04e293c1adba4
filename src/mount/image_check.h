// mount/image_check.h: whether an image that was made earlier is what would be made today.
#pragma once

#include <functional>

#include "core/file.h"
#include "store/store.h"

namespace volary {

// `image`: images/<tree>-<uid>-<gid>.erofs or ….packed.erofs of the store. False for one of a tree that the store has
// no more, for a damaged one, for one of another name, and for a packed one for which the disk has too little room now:
// it may be removed, and is made again when a mount needs it. Those who have it mounted keep it. `check` is called
// again and again while a packed one is checked; what it throws ends the work.
bool image_is_whole(const Store& store, const Path& image, const std::function<void()>& check = [] {});

}  // namespace volary
