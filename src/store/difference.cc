// store/difference.cc: two trees side by side, then renames found among what came and what went.
//
// One descent through both trees, only into directories that differ, gives what changed in place and the topmost
// entries that came or went. A directory among these whose digest is on both sides is a rename, and never opened.
// What is left of the gone side is opened whole and indexed by digest; the side that came is opened from the top, and
// each directory or file that the index knows is a rename.
#include "store/difference.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace volary {
namespace {

constexpr size_t no_parent = std::numeric_limits<size_t>::max();
constexpr size_t candidates_max = 64;  // Looked at for one of the same name, of all with the same content.

// Something that is on one side only.
struct Lone {
  TreePath path;
  TreeEntry entry;
};

// Something gone, in a list where all below an entry stands right behind it.
struct Gone {
  Lone lone;
  size_t parent = no_parent;
  size_t end = 0;          // All from here to there is below it.
  bool is_taken = false;   // Renamed, itself or with a directory above.
  bool is_broken = false;  // Something below it was renamed away, so it cannot be as a whole.
};

// What may be matched by its digest.
bool has_content(const TreeEntry& entry) {
  switch (entry.kind) {
    case EntryKind::file: return entry.size > 0;
    case EntryKind::directory: return entry.files > 0;
    case EntryKind::symlink: return false;
  }
  return false;
}

bool is_same(const TreeEntry& a, const TreeEntry& b) {
  if (a.kind != b.kind || a.executable != b.executable) return false;
  return a.kind == EntryKind::symlink ? a.target == b.target : a.digest == b.digest;
}

class Comparison {
 public:
  explicit Comparison(const Store& store) : store_(store) {}

  std::vector<Difference> run(const Digest& before, const Digest& after) {
    if (before != after) descend(before, after, {});
    match_tops();
    for (const Lone& top : removed_tops_) open_removed(top.path, top.entry, no_parent);
    index_removed();
    for (const Lone& top : added_tops_) open_added(top.path, top.entry);
    // Files that kept their names choose first.
    std::erase_if(added_files_, [&](const Lone& file) { return take_match(file.path, file.entry, Name::same); });
    for (const Lone& file : added_files_)
      if (!take_match(file.path, file.entry, Name::any)) add({Change::added, file.path, {}, {}, file.entry});
    for (Gone& gone : removed_)
      if (!gone.is_taken) add({Change::removed, gone.lone.path, {}, gone.lone.entry, {}});
    std::sort(result_.begin(), result_.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(result_);
  }

 private:
  enum class Name { same, any };

  void add(Difference difference) { result_.push_back(std::move(difference)); }

  void descend(const Digest& before, const Digest& after, const TreePath& path) {
    const Tree old_tree = store_.read_tree(before);
    const Tree new_tree = store_.read_tree(after);
    auto old = old_tree.entries.begin();
    auto now = new_tree.entries.begin();
    while (old != old_tree.entries.end() || now != new_tree.entries.end()) {
      if (now == new_tree.entries.end() || (old != old_tree.entries.end() && old->name < now->name)) {
        removed_tops_.push_back({path.child(old->name), *old});
        ++old;
      } else if (old == old_tree.entries.end() || now->name < old->name) {
        added_tops_.push_back({path.child(now->name), *now});
        ++now;
      } else {
        if (!is_same(*old, *now)) compare(*old, *now, path.child(now->name));
        ++old;
        ++now;
      }
    }
  }

  // Two different entries at one path.
  void compare(const TreeEntry& old, const TreeEntry& now, const TreePath& path) {
    if (old.kind == EntryKind::directory && now.kind == EntryKind::directory)
      return descend(old.digest, now.digest, path);
    add({Change::changed, path, {}, old, now});
    if (old.kind == EntryKind::directory) descend(old.digest, empty_tree().tree, path);
    if (now.kind == EntryKind::directory) descend(empty_tree().tree, now.digest, path);
  }

  // Directories that went at one place and came at another as they were, so that neither need be opened.
  void match_tops() {
    std::unordered_map<Digest, std::vector<size_t>> came;
    for (size_t i = added_tops_.size(); i-- > 0;) {
      const TreeEntry& entry = added_tops_[i].entry;
      if (entry.kind == EntryKind::directory && has_content(entry)) came[entry.digest].push_back(i);
    }
    std::vector<bool> is_matched(added_tops_.size());
    std::erase_if(removed_tops_, [&](const Lone& gone) {
      const auto found = gone.entry.kind == EntryKind::directory ? came.find(gone.entry.digest) : came.end();
      if (found == came.end() || found->second.empty()) return false;
      const size_t at = found->second.back();
      found->second.pop_back();
      is_matched[at] = true;
      add({Change::renamed, added_tops_[at].path, gone.path, gone.entry, added_tops_[at].entry});
      return true;
    });
    size_t at = 0;
    std::erase_if(added_tops_, [&](const Lone&) { return is_matched[at++]; });
  }

  void open_removed(const TreePath& path, const TreeEntry& entry, size_t parent) {
    const size_t own = removed_.size();
    removed_.push_back({.lone = {path, entry}, .parent = parent});
    if (entry.kind == EntryKind::directory)
      for (const TreeEntry& below : store_.read_tree(entry.digest).entries)
        open_removed(path.child(below.name), below, own);
    removed_[own].end = removed_.size();
  }

  void index_removed() {
    for (size_t i = 0; i < removed_.size(); ++i)
      if (const TreeEntry& entry = removed_[i].lone.entry; has_content(entry)) index_[entry.digest].places.push_back(i);
  }

  void open_added(const TreePath& path, const TreeEntry& entry) {
    if (entry.kind == EntryKind::file) {  // Files wait until no more directories are to be matched.
      added_files_.push_back({path, entry});
      return;
    }
    if (entry.kind == EntryKind::directory && take_match(path, entry, Name::any)) return;
    add({Change::added, path, {}, {}, entry});
    if (entry.kind != EntryKind::directory) return;
    for (const TreeEntry& below : store_.read_tree(entry.digest).entries) open_added(path.child(below.name), below);
  }

  // Whether it is something gone, renamed: preferably of the same name, or only then.
  bool take_match(const TreePath& path, const TreeEntry& entry, Name name) {
    const auto found = has_content(entry) ? index_.find(entry.digest) : index_.end();
    if (found == index_.end()) return false;
    auto& [places, next] = found->second;
    const auto is_free = [&](size_t place) {
      const Gone& gone = removed_[place];
      return !gone.is_taken && !gone.is_broken && gone.lone.entry.kind == entry.kind;
    };
    while (next < places.size() && !is_free(places[next])) ++next;
    if (next == places.size()) return false;
    std::optional<size_t> match;
    for (size_t i = next; i < std::min(places.size(), next + candidates_max); ++i) {
      if (!is_free(places[i]) || removed_[places[i]].lone.entry.name != entry.name) continue;
      match = places[i];
      break;
    }
    if (!match && name == Name::same) return false;
    const size_t best = match.value_or(places[next]);
    for (size_t i = best; i < removed_[best].end; ++i) removed_[i].is_taken = true;
    for (size_t above = removed_[best].parent; above != no_parent; above = removed_[above].parent)
      removed_[above].is_broken = true;
    add({Change::renamed, path, removed_[best].lone.path, removed_[best].lone.entry, entry});
    return true;
  }

  struct Places {
    std::vector<size_t> places;  // In removed_.
    size_t next = 0;             // All before are used.
  };

  const Store& store_;
  std::vector<Lone> removed_tops_;
  std::vector<Lone> added_tops_;
  std::vector<Gone> removed_;
  std::unordered_map<Digest, Places> index_;
  std::vector<Lone> added_files_;
  std::vector<Difference> result_;
};

void add_to(DifferenceSum& sum, const TreeEntry& entry, Change change) {
  if (entry.kind != EntryKind::directory) {
    ++sum.files;
    sum.bytes += entry.size;
  } else if (change == Change::renamed) {  // All else below a directory is told of by itself.
    sum.files += entry.files;
    sum.bytes += entry.size;
  }
}

}  // namespace

std::vector<Difference> difference(const Store& store, const Digest& before, const Digest& after) {
  return Comparison(store).run(before, after);
}

DifferenceCounts counts_of(std::span<const Difference> differences) {
  DifferenceCounts counts;
  for (const Difference& one : differences) {
    DifferenceSum& sum = one.change == Change::added     ? counts.added
                         : one.change == Change::removed ? counts.removed
                         : one.change == Change::changed ? counts.changed
                                                         : counts.renamed;
    add_to(sum, one.after ? *one.after : *one.before, one.change);
  }
  return counts;
}

std::vector<TreeChange> changes_of(std::span<const Difference> differences) {
  std::vector<TreeChange> changes;
  for (const Difference& one : differences) {
    if (one.from) changes.push_back({*one.from, std::nullopt});
    changes.push_back({one.path, one.after});
  }
  return changes;
}

}  // namespace volary
