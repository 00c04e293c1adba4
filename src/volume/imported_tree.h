// volume/imported_tree.h: the tree that an import makes, group by group while the files come. For this folder only.
#pragma once

#include <optional>
#include <vector>

#include "record/transfer.h"
#include "store/tree_writer.h"
#include "sync/fetch.h"

namespace volary {

// Its memory goes with the directories on the way to the newest file, and not with the files. `store` and `commit`
// outlive it.
class ImportedTree {
 public:
  // `base` is the volume's tree, below whose directory `into` the transfer's files come.
  ImportedTree(const Store& store, Commit& commit, const Digest& base, const Plan& plan, const TreePath& into,
               const Transfer& transfer);
  // What is brought next, in the order of paths.
  void take(const std::vector<Fetched>& group);
  // In the commit, not published. Nothing may follow.
  TreeSummary finish();

 private:
  void keep_in_trash(const FileAct& act, const TreePath& path);

  const Store& store_;
  Commit& commit_;
  const Digest base_;
  const TreePath into_;
  TreeWriter tree_;
  TreePath trash_path_;              // The transfer's own.
  std::optional<TreeWriter> trash_;  // What comes there: made by itself, for its paths are in between others.
  bool is_trash_empty_ = true;
};

}  // namespace volary
