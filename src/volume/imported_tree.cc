// volume/imported_tree.cc: see volume/imported_tree.h.
#include "volume/imported_tree.h"

namespace volary {

ImportedTree::ImportedTree(const Store& store, Commit& commit, const Digest& base, const Plan& plan,
                           const TreePath& into, const Transfer& transfer)
    : store_(store), commit_(commit), base_(base), into_(into),
      // Objects have no directories: without this a mirror would not be what its source is, imported afresh.
      tree_(commit, base, plan.delete_files == 0 ? Emptied::stay : Emptied::go) {
  if (transfer.trash.empty()) return;
  trash_path_ = TreePath::parse(transfer.trash) / TreePath::parse(transfer.id);
  trash_.emplace(commit, empty_tree().tree);
}

void ImportedTree::take(const std::vector<Fetched>& group) {
  for (const Fetched& one : group) {
    const TreePath path = into_ / one.act.file.path;
    const bool is_copy = one.act.act == PlanAct::copy;
    if (trash_ && (!is_copy || (one.act.replaces && one.act.replaces->digest != one.blob.digest)))
      keep_in_trash(one.act, path);
    if (!is_copy) {
      tree_.change(path, std::nullopt);
      continue;
    }
    TreeEntry entry;
    entry.kind = EntryKind::file;
    entry.size = one.blob.size;
    entry.digest = one.blob.digest;
    tree_.change(path, std::move(entry));
  }
}

// What the volume has at `path`, under the same path below the trash.
void ImportedTree::keep_in_trash(const FileAct& act, const TreePath& path) {
  trash_->change(act.file.path, find_entry(store_, base_, path));
  is_trash_empty_ = false;
}

TreeSummary ImportedTree::finish() {
  const TreeSummary made = tree_.finish();
  if (is_trash_empty_) return made;
  return apply_changes(store_, commit_, made.tree, {{trash_path_, directory_entry({}, trash_->finish())}});
}

}  // namespace volary
