// store/apply_changes.cc: a tree with some paths changed, at the cost of the trees on the way to them.
//
// The changes are sorted so that all below one path stand together, right after the changes of that path itself. Then
// one descent does everything: per directory it merges two sorted lists, the entries that are there and the groups of
// changes, and only directories with changes below them are read and written.
//
// The result is that of making the changes one after the other: of several changes of one path the last counts, and
// it also wipes out every earlier change below that path.
#include <algorithm>
#include <span>

#include "core/error.h"
#include "store/store.h"

namespace volary {
namespace {

// The order of paths in which '/' is less than every other byte (control characters are in no path).
bool stands_before(std::string_view a, std::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

class Application {
 public:
  using Changes = std::span<const TreeChange*>;

  Application(Commit& commit, Emptied emptied) : commit_(commit), emptied_(emptied) {}

  // What stands at the first `depth` bytes of the changes' paths afterwards, where `current` stood before.
  std::optional<TreeEntry> apply(Changes changes, size_t depth, std::optional<TreeEntry> current) {
    size_t own = 0;
    while (own < changes.size() && changes[own]->path.text().size() == depth) ++own;
    Changes below = changes.subspan(own);
    if (own > 0) {
      const TreeChange* last = changes[own - 1];
      current = last->entry;
      // Positions in the caller's list are addresses: what is below and came before `last` was wiped out by it.
      const auto kept = std::remove_if(below.begin(), below.end(), [&](const TreeChange* one) { return one < last; });
      below = below.first(static_cast<size_t>(kept - below.begin()));
    }
    if (below.empty()) return current;
    const bool is_directory = current && current->kind == EntryKind::directory;
    const auto adds = [](const TreeChange* one) { return one->entry.has_value(); };
    const auto addition = std::find_if(below.begin(), below.end(), adds);
    if (addition == below.end() && !is_directory) return current;  // Removes what is not there.
    if (current && !is_directory) refuse(**addition, depth, *current);
    const Tree before = current ? commit_.read_tree(current->digest) : Tree{};
    const Tree after = merge(before, below, depth == 0 ? 0 : depth + 1);
    if (emptied_ == Emptied::go && depth > 0 && after.entries.empty() && !before.entries.empty()) return std::nullopt;
    return directory_entry({}, commit_.add_tree(after));
  }

 private:
  [[noreturn]] static void refuse(const TreeChange& change, size_t depth, const TreeEntry& found) {
    const std::string_view path = change.path.text();
    throw Error(Errc::invalid, "'{}' is a {} and cannot hold '{}'", path.substr(0, depth),
                found.kind == EntryKind::file ? "file" : "symbolic link", path);
  }

  // The entries of `before` with `changes`, which all begin with the same `start` bytes.
  Tree merge(const Tree& before, Changes changes, size_t start) {
    Tree after;
    after.entries.reserve(before.entries.size() + changes.size());
    auto old = before.entries.begin();
    while (!changes.empty()) {
      const std::string_view path = changes.front()->path.text();
      const size_t end = std::min(path.find('/', start), path.size());
      const std::string_view prefix = path.substr(0, end);
      const auto belongs = [&](const TreeChange* one) {
        const std::string_view text = one->path.text();
        return text.starts_with(prefix) && (text.size() == end || text[end] == '/');
      };
      const auto group_end = std::find_if_not(changes.begin(), changes.end(), belongs);
      const Changes group = changes.first(static_cast<size_t>(group_end - changes.begin()));
      changes = changes.subspan(group.size());

      const std::string name(prefix.substr(start));
      while (old != before.entries.end() && old->name < name) after.entries.push_back(*old++);
      std::optional<TreeEntry> current;
      if (old != before.entries.end() && old->name == name) current = *old++;
      if (auto entry = apply(group, end, std::move(current))) {
        entry->name = name;
        after.entries.push_back(*std::move(entry));
      }
    }
    after.entries.insert(after.entries.end(), old, before.entries.end());
    return after;
  }

  Commit& commit_;
  const Emptied emptied_;
};

void check(const TreeChange& change) {
  if (!change.entry) return;
  if (change.path.is_root() && change.entry->kind != EntryKind::directory)
    throw Error(Errc::invalid, "the root of a volume can only be a directory");
  if (change.entry->kind != EntryKind::symlink) return;
  if (const std::string flaw = flaw_of_link_target(change.entry->target); !flaw.empty())
    throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", change.path.text(), flaw);
}

}  // namespace

TreeSummary apply_changes(const Store&, Commit& commit, const Digest& base, std::vector<TreeChange> changes,
                          Emptied emptied) {
  std::vector<const TreeChange*> sorted;
  sorted.reserve(changes.size());
  for (const TreeChange& change : changes) {
    check(change);
    sorted.push_back(&change);
  }
  std::sort(sorted.begin(), sorted.end(), [](const TreeChange* a, const TreeChange* b) {
    return a->path == b->path ? a < b : stands_before(a->path.text(), b->path.text());
  });
  const TreeEntry root = directory_entry({}, summary_of(commit.read_tree(base)));
  const auto result = Application(commit, emptied).apply(sorted, 0, root);
  if (!result) return empty_tree();
  return {.tree = result->digest, .checksum = result->checksum, .files = result->files, .bytes = result->size};
}

}  // namespace volary
