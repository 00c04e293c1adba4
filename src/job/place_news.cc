// job/place_news.cc: trees walked beside each other, as far as they differ.
#include "job/place_news.h"

#include <optional>
#include <string>
#include <utility>

namespace volary {
namespace {

using Entry = std::optional<TreeEntry>;  // Nothing: no such name.

bool is_kind(const Entry& entry, EntryKind kind) { return entry && entry->kind == kind; }
bool is_directory(const Entry& entry) { return is_kind(entry, EntryKind::directory); }

Tree tree_of(const Store& store, const Entry& entry) {
  return is_directory(entry) ? store.read_tree(entry->digest) : Tree();
}

Entry root(const Digest& tree) {
  TreeEntry entry;
  entry.kind = EntryKind::directory;
  entry.digest = tree;
  return entry;
}

// Names in order, as those of each tree are.
template <class Visit>
void visit_names(const std::vector<const Tree*>& trees, Visit visit) {
  std::vector<size_t> at(trees.size());
  for (;;) {
    const std::string* name = nullptr;
    for (size_t i = 0; i < trees.size(); ++i)
      if (at[i] < trees[i]->entries.size() && (!name || trees[i]->entries[at[i]].name < *name))
        name = &trees[i]->entries[at[i]].name;
    if (!name) return;
    std::vector<Entry> found(trees.size());
    const std::string here = *name;
    for (size_t i = 0; i < trees.size(); ++i) {
      const auto& entries = trees[i]->entries;
      if (at[i] < entries.size() && entries[at[i]].name == here) found[i] = entries[at[i]++];
    }
    visit(here, found);
  }
}

class News {
 public:
  News(const Store& store, Removed removed) : store_(store), removed_(removed) {}

  // Whether anything is at that path then.
  bool visit(const TreePath& path, const Entry& known, const Entry& last, const Entry& now) {
    if (known == now) return known.has_value();
    if (!known && removed_ == Removed::stays && last == now) return false;
    if (is_kind(known, EntryKind::symlink) && !is_kind(now, EntryKind::symlink)) return true;
    if (is_kind(known, EntryKind::file) && is_kind(now, EntryKind::file) && known->executable &&
        known->digest == now->digest)
      return true;
    if (is_directory(known)) return visit_directory(path, known, last, now);
    if (!known && is_directory(now) && is_directory(last) && removed_ == Removed::stays)
      return visit_children(path, known, last, now);
    changes.push_back({path, now});
    return now.has_value();
  }

  std::vector<TreeChange> changes;

 private:
  bool visit_directory(const TreePath& path, const Entry& known, const Entry& last, const Entry& now) {
    const size_t before = changes.size();
    const bool is_empty = known->digest == empty_tree().tree;
    if (visit_children(path, known, last, now) || is_directory(now) || (is_empty && !now)) return true;
    changes.resize(before);
    changes.push_back({path, now});
    return now.has_value();
  }

  bool visit_children(const TreePath& path, const Entry& known, const Entry& last, const Entry& now) {
    const Tree known_tree = tree_of(store_, known);
    const Tree last_tree = tree_of(store_, last);
    const Tree now_tree = tree_of(store_, now);
    bool is_any = false;
    visit_names({&known_tree, &last_tree, &now_tree}, [&](const std::string& name, const std::vector<Entry>& found) {
      if (visit(path.child(name), found[0], found[1], found[2])) is_any = true;
    });
    return is_any;
  }

  const Store& store_;
  const Removed removed_;
};

void collect_successors(const Store& store, const TreePath& path, const Entry& begun, const Entry& pushed,
                        std::vector<TreeChange>& changes) {
  if (begun == pushed || !begun) return;
  if (!is_directory(begun) || !is_directory(pushed)) return changes.push_back({path, pushed});
  const Tree begun_tree = tree_of(store, begun);
  const Tree pushed_tree = tree_of(store, pushed);
  visit_names({&begun_tree, &pushed_tree}, [&](const std::string& name, const std::vector<Entry>& found) {
    collect_successors(store, path.child(name), found[0], found[1], changes);
  });
}

}  // namespace

std::vector<TreeChange> news_of(const Store& store, const PlaceSeen& seen, Removed removed) {
  News news(store, removed);
  if (seen.known != seen.now) news.visit({}, root(seen.known), root(seen.last), root(seen.now));
  return std::move(news.changes);
}

std::vector<TreeChange> successors_of(const Store& store, const Digest& begun, const Digest& pushed) {
  std::vector<TreeChange> changes;
  if (begun != pushed) collect_successors(store, {}, root(begun), root(pushed), changes);
  return changes;
}

}  // namespace volary
