// mount/changed_files.h: the files of an upper directory whose bytes must be read, and the reading of them.
#pragma once

#include <map>
#include <vector>

#include "mount/mount.h"
#include "mount/upper.h"

namespace volary {

class ChangedFiles {
 public:
  // The entry of changes[`change`] gets size and digest of the file at `path`. Hard links to one file are read once.
  void add(const TreePath& path, const struct stat& status, size_t change);
  // Reads them all, on all cores, into `commit`, and completes `harvest`.
  void read(const Upper& upper, const Store& store, Commit& commit, Harvest& harvest, Progress& progress,
            Writers writers) const;

 private:
  struct File {
    TreePath path;
    uint64_t size = 0;
    std::vector<size_t> changes;
  };
  std::vector<File> files_;
  std::map<std::pair<dev_t, ino_t>, size_t> linked_;  // Files with several names.
};

}  // namespace volary
