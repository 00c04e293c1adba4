// volume/file_page.h: one page of the files of a version, without walking what comes before it.
#pragma once

#include <vector>

#include "store/store.h"
#include "volume/volumes.h"

namespace volary {

// What `filter` takes of the directory `top`, which stands at `directory`, in the order of paths as bytes. Reads the
// trees on the way down to filter.after and those that the page shows something of.
std::vector<FileEntry> file_page(const Store& store, const Digest& top, const TreePath& directory,
                                 const FileFilter& filter);

}  // namespace volary
