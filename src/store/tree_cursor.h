// store/tree_cursor.h: the entries below a tree one by one, for whoever has something else to go along beside them.
#pragma once

#include <vector>

#include "store/store.h"

namespace volary {

// As walk(), but asked for each entry. Holds one tree per level. One thread; `store` outlives it.
class TreeCursor {
 public:
  TreeCursor(const Store& store, const Digest& tree);

  // Goes to the next entry, at first to the first; false behind the last. Throws as Store::read_tree.
  bool next();
  // Of the entry that next() went to, until it is called again.
  const TreePath& path() const { return path_; }
  const TreeEntry& entry() const { return *entry_; }

 private:
  struct Level {
    TreePath path;
    Tree tree;
    size_t at = 0;                // Of the entries, the next one that has not been told.
    std::vector<size_t> waiting;  // Directories told and not entered, each name a beginning of the next one's.
  };

  void enter(TreePath path, const Digest& tree);
  void enter_last();

  const Store& store_;
  std::vector<Level> levels_;
  TreePath path_;
  const TreeEntry* entry_ = nullptr;
};

}  // namespace volary
