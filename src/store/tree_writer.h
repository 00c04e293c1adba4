// store/tree_writer.h: a tree made out of another by changes that come one by one, so that a million of them need not
// be held: a directory is written when it is left.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace volary {

// Of each directory on the way to the newest change it holds the entries that were there and those that changed. One
// thread; `commit` outlives it.
class TreeWriter {
 public:
  TreeWriter(Commit& commit, const Digest& base, Emptied emptied = Emptied::stay);

  // The next change, as TreeChange says it. Each path comes once, the changes of what lies below a directory come
  // together, and behind that of the directory itself: as in the order of TreePath. Throws as apply_changes.
  void change(const TreePath& path, std::optional<TreeEntry> entry);
  // Something was set at `path` for a while, which is that of the newest change or above it: the directories that it
  // lies in are there from now on.
  void keep_parents(const TreePath& path);
  // `base` with all changes made, as apply_changes would: in the commit, and as durable as that. Nothing may follow.
  TreeSummary finish();

 private:
  struct Changed {
    std::string name;
    std::optional<TreeEntry> entry;
  };
  struct Level {
    size_t place = 0;                  // Of its change in the directory above.
    size_t path_bytes = 0;             // Of its path, with a "/" at the end.
    std::optional<TreeEntry> current;  // What stood there before what lies below it changed.
    std::shared_ptr<const EncodedTree> before = {};  // If it is a directory.
    std::vector<Changed> changed = {};  // Each name once; not in the order of names.
    bool adds = false;                 // Whether something below it was set, and not only removed.

    bool is_directory() const { return current && current->kind == EntryKind::directory; }
    bool had_entries() const { return before && before->size() > 0; }
  };

  void begin(std::optional<TreeEntry> root);
  void enter(std::string_view name);
  void leave();
  static size_t place_of(Level& level, std::string_view name);
  std::optional<TreeEntry> result_of(Level& level);
  static EncodedTree after(Level& level);

  Commit& commit_;
  const Emptied emptied_;
  std::vector<Level> levels_;  // From the root to the directory of the newest change.
  std::string path_;           // Of the last of them, with a "/" at the end unless it is the root.
};

}  // namespace volary
