// store/walk.cc: reading along a tree of trees.
//
// Paths come in the order of their bytes, as a bucket lists its keys. Within one directory that is not the order of
// names: "a-b" comes before "a/c", because '-' is less than '/'. So a directory is told of at once, but entered only
// when the next name is past "NAME/". Directories that wait are nested prefixes of each other, so a stack holds them
// in the right order.
#include "store/store.h"
#include "store/tree_cursor.h"

namespace volary {

TreeCursor::TreeCursor(const Store& store, const Digest& tree) : store_(store) { enter({}, tree); }

void TreeCursor::enter(TreePath path, const Digest& tree) {
  levels_.push_back({std::move(path), store_.read_tree(tree), 0, {}});
}

void TreeCursor::enter_last() {
  Level& level = levels_.back();
  const TreeEntry& entry = level.tree.entries[level.waiting.back()];
  level.waiting.pop_back();
  enter(level.path.child(entry.name), entry.digest);
}

bool TreeCursor::next() {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    const std::vector<TreeEntry>& entries = level.tree.entries;
    const bool is_over = level.at == entries.size();
    if (!level.waiting.empty() && (is_over || entries[level.waiting.back()].name + '/' < entries[level.at].name)) {
      enter_last();
    } else if (is_over) {
      levels_.pop_back();
    } else {
      entry_ = &entries[level.at];
      path_ = level.path.child(entry_->name);
      if (entry_->kind == EntryKind::directory) level.waiting.push_back(level.at);
      ++level.at;
      return true;
    }
  }
  return false;
}

void walk(const Store& store, const Digest& tree, const VisitEntry& visit) {
  TreeCursor cursor(store, tree);
  while (cursor.next()) visit(cursor.path(), cursor.entry());
}

std::optional<TreeEntry> find_entry(const Store& store, const Digest& tree, const TreePath& path) {
  Digest at = tree;
  const auto components = path.components();
  for (size_t i = 0; i < components.size(); ++i) {
    const auto entry = store.read_encoded_tree(at).find(components[i]);
    if (!entry || i + 1 == components.size()) return entry;
    if (entry->kind != EntryKind::directory) return std::nullopt;
    at = entry->digest;
  }
  return std::nullopt;
}

}  // namespace volary
