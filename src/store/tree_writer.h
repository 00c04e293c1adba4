// store/tree_writer.h: a tree made out of another by changes that come one by one, so that a million of them need not
// be held: directories that were left are written before they are many, those beside each other at the same time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace volary {

// Of each directory on the way to the newest change it holds the entries that were there and those that changed, and of
// those beside them at most some MiB. One thread calls; `commit` outlives it.
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
    std::shared_ptr<const EncodedTree> before = {};  // If it is a directory, and was looked into.
    std::vector<Changed> changed = {};               // Each name once; not in the order of names.
    std::vector<Level> left = {};  // Directories in it whose changes have all come, and which are still to be made.
    uint64_t left_bytes = 0;       // What these take in memory.
    bool adds = false;             // Whether something below it was set, and not only removed.

    bool is_directory() const { return current && current->kind == EntryKind::directory; }
    uint64_t bytes() const;
  };

  void begin(std::optional<TreeEntry> root);
  void enter(std::string_view name);
  void leave();
  size_t place_of(Level& level, std::string_view name);
  const EncodedTree& before(Level& level);
  // Those that were left in it become changes of it.
  void make_left(Level& level);
  std::optional<TreeEntry> result_of(Level& level);
  EncodedTree after(Level& level);

  Commit& commit_;
  const Emptied emptied_;
  std::vector<Level> levels_;  // From the root to the directory of the newest change.
  std::string path_;           // Of the last of them, with a "/" at the end unless it is the root.
};

}  // namespace volary
