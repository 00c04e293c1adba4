// store/host_file.h: whether a file or directory of the host stayed as it was. For store/ alone.
#pragma once

#include "core/file.h"

namespace volary {

// Whether nobody changed it in between: the same file, with the same size and times. (A change of a file through a
// shared mapping that was dirty already leaves no trace; nothing can tell it.)
bool is_unchanged(const struct stat& before, const struct stat& after);

// Its status, at a moment after which every change will show in its times: if it changed within the last tick of the
// kernel's clock, another change in this tick would leave the same time, so this waits until the tick is over.
struct stat settled_stat(int fd, const Path& path);

}  // namespace volary
