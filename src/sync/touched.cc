// sync/touched.cc: one walk through both trees at once.
#include "sync/touched.h"

#include <optional>

namespace volary {
namespace {

using Directory = std::optional<Digest>;

Directory directory_of(const TreeEntry* entry) {
  return entry && entry->kind == EntryKind::directory ? Directory(entry->digest) : std::nullopt;
}

struct Walk {
  const Store& store;
  Filter::Paths& paths;

  void visit(const TreePath& path, const Directory& before, const Directory& after) {
    if (before == after) return;
    const Tree old = before ? store.read_tree(*before) : Tree{};
    const Tree now = after ? store.read_tree(*after) : Tree{};
    for (const TreeEntry& entry : old.entries) compare(path, &entry, now.find(entry.name));
    for (const TreeEntry& entry : now.entries)
      if (!old.find(entry.name)) compare(path, nullptr, &entry);
  }

  void compare(const TreePath& path, const TreeEntry* before, const TreeEntry* after) {
    if (before && after && *before == *after) return;
    const TreePath child = path.child((before ? before : after)->name);
    const bool is_file = (before && !directory_of(before)) || (after && !directory_of(after));
    if (is_file) paths.insert(child.text());
    visit(child, directory_of(before), directory_of(after));
  }
};

}  // namespace

void add_touched(const Store& store, const Digest& before, const Digest& after, Filter::Paths& paths) {
  Walk{store, paths}.visit({}, before, after);
}

}  // namespace volary
