// store/walk.cc: reading along a tree of trees.
//
// Paths come in the order of their bytes, as a bucket lists its keys. Within one directory that is not the order of
// names: "a-b" comes before "a/c", because '-' is less than '/'. So a directory is told of at once, but entered only
// when the next name is past "NAME/". Directories that wait are nested prefixes of each other, so a stack holds them
// in the right order.
#include <vector>

#include "store/store.h"

namespace volary {
namespace {

class Walker {
 public:
  Walker(const Store& store, const VisitEntry& visit) : store_(store), visit_(visit) {}

  void walk(const Digest& digest, const TreePath& path) {
    const Tree tree = store_.read_tree(digest);
    std::vector<const TreeEntry*> waiting;
    const auto enter_last = [&] {
      const TreeEntry& entry = *waiting.back();
      waiting.pop_back();
      walk(entry.digest, path.child(entry.name));
    };
    for (const TreeEntry& entry : tree.entries) {
      while (!waiting.empty() && waiting.back()->name + '/' < entry.name) enter_last();
      visit_(path.child(entry.name), entry);
      if (entry.kind == EntryKind::directory) waiting.push_back(&entry);
    }
    while (!waiting.empty()) enter_last();
  }

 private:
  const Store& store_;
  const VisitEntry& visit_;
};

}  // namespace

void walk(const Store& store, const Digest& tree, const VisitEntry& visit) { Walker(store, visit).walk(tree, {}); }

std::optional<TreeEntry> find_entry(const Store& store, const Digest& tree, const TreePath& path) {
  Digest at = tree;
  const auto components = path.components();
  for (size_t i = 0; i < components.size(); ++i) {
    const Tree level = store.read_tree(at);
    const TreeEntry* entry = level.find(components[i]);
    if (!entry) return std::nullopt;
    if (i + 1 == components.size()) return *entry;
    if (entry->kind != EntryKind::directory) return std::nullopt;
    at = entry->digest;
  }
  return std::nullopt;
}

}  // namespace volary
