// store/difference.h: what became of one tree in another.
//
// Only trees that differ are read, so the cost follows the difference and not the size of the versions. What is gone
// at one path and appears at another with the same content is one rename, each end used once: of a whole directory if
// all in it is the same, else of files. Empty files and directories are too alike to be called renamed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/tree_path.h"
#include "store/store.h"

namespace volary {

enum class Change { added, removed, changed, renamed };

// One path. A directory that came or went is told of itself and then by all below it; one that was renamed only of
// itself; one that is in both trees is told of only by what differs in it.
struct Difference {
  Change change = Change::changed;
  TreePath path;                 // In the tree after; of what was removed, in the tree before.
  std::optional<TreePath> from;  // renamed: the path in the tree before.
  std::optional<TreeEntry> before, after;  // Nothing where it was not.
};

// Files and symlinks, those of renamed directories too, and the bytes of the files: of changed ones, the bytes after.
struct DifferenceSum {
  uint64_t files = 0;
  uint64_t bytes = 0;
  bool operator==(const DifferenceSum&) const = default;
};

struct DifferenceCounts {
  DifferenceSum added, removed, changed, renamed;
  bool operator==(const DifferenceCounts&) const = default;
};

// Sorted by path. "Changed" is content, kind, executable bit or link target. Of a directory that became a file, what
// was below it is removed; of a file that became a directory, what is below it is added. Throws as Store::read_tree.
std::vector<Difference> difference(const Store& store, const Digest& before, const Digest& after);

DifferenceCounts counts_of(std::span<const Difference> differences);

// What apply_changes needs to make the tree after out of the tree before.
std::vector<TreeChange> changes_of(std::span<const Difference> differences);

}  // namespace volary
