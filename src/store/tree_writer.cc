// store/tree_writer.cc: one level for each directory on the way to the newest change. A directory that is left becomes
// a change of the one above, at the end the root.
//
// It becomes that when the one above is left in its turn, or too much waits for it: what directories beside each other
// become is found on all cores. Each is a matter of its own changes and of the tree that it was, and has its own place
// in the one above, so it does not matter which of them is made first.
#include "store/tree_writer.h"

#include <algorithm>

#include "core/error.h"
#include "core/workers.h"

namespace volary {
namespace {

constexpr uint64_t left_bytes_max = 4 << 20;   // Of what waits in one directory.
constexpr uint64_t entries_per_thread = 1000;  // For fewer, some 100 µs of work, it does not pay to start another.

void check(const TreePath& path, const TreeEntry& entry) {
  if (path.is_root() && entry.kind != EntryKind::directory)
    throw Error(Errc::invalid, "the root of a volume can only be a directory");
  if (entry.kind != EntryKind::symlink) return;
  if (const std::string flaw = flaw_of_link_target(entry.target); !flaw.empty())
    throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", path.text(), flaw);
}

[[noreturn]] void refuse(std::string_view path, std::string_view above, const TreeEntry& found) {
  throw Error(Errc::invalid, "'{}' is a {} and cannot hold '{}'", above,
              found.kind == EntryKind::file ? "file" : "symbolic link", path);
}

}  // namespace

TreeWriter::TreeWriter(Commit& commit, const Digest& base, Emptied emptied) : commit_(commit), emptied_(emptied) {
  TreeEntry root;  // What it sums up to is found out where it matters: at the end, if nothing has changed.
  root.kind = EntryKind::directory;
  root.digest = base;
  begin(std::move(root));
}

void TreeWriter::change(const TreePath& path, std::optional<TreeEntry> entry) {
  if (entry) check(path, *entry);
  if (path.is_root()) return begin(std::move(entry));
  const std::string_view text = path.text();
  while (!text.starts_with(path_)) leave();
  for (size_t end; (end = text.find('/', path_.size())) != text.npos;)
    enter(text.substr(path_.size(), end - path_.size()));
  if (entry) keep_parents(path);
  levels_.back().changed.push_back({std::string(text.substr(path_.size())), std::move(entry)});
}

TreeSummary TreeWriter::finish() {
  while (levels_.size() > 1) leave();
  Level root = std::move(levels_.back());
  levels_.clear();
  make_left(root);
  if (root.changed.empty() && root.is_directory()) return summary_of(before(root));
  const auto result = result_of(root);
  if (!result) return empty_tree();
  return {.tree = result->digest, .checksum = result->checksum, .files = result->files, .bytes = result->size};
}

void TreeWriter::begin(std::optional<TreeEntry> root) {
  levels_.clear();
  levels_.emplace_back(Level{.current = std::move(root)});
}

void TreeWriter::enter(std::string_view name) {
  Level& above = levels_.back();
  const size_t place = place_of(above, name);
  path_.append(name) += '/';
  levels_.push_back({.place = place, .path_bytes = path_.size(), .current = above.changed[place].entry});
}

void TreeWriter::leave() {
  Level level = std::move(levels_.back());
  levels_.pop_back();
  Level& above = levels_.back();
  path_.resize(above.path_bytes);
  make_left(level);
  above.left_bytes += level.bytes();
  above.left.push_back(std::move(level));
  if (above.left_bytes > left_bytes_max) make_left(above);
}

void TreeWriter::make_left(Level& level) {
  std::vector<Level>& left = level.left;
  uint64_t entries = 0;
  for (const Level& one : left) entries += one.changed.size() + (one.is_directory() ? one.current->files : 0);
  for_each_index(left.size(), std::min<uint64_t>(cores(), entries / entries_per_thread), [&](size_t i) {
    level.changed[left[i].place].entry = result_of(left[i]);
    left[i] = {};
  });
  left.clear();
  level.left_bytes = 0;
}

uint64_t TreeWriter::Level::bytes() const {
  uint64_t bytes = sizeof(Level) + (before ? before->bytes().size() : 0);
  for (const Changed& one : changed)
    bytes += sizeof one + one.name.size() + (one.entry ? one.entry->target.size() : 0);
  return bytes;
}

void TreeWriter::keep_parents(const TreePath& path) {
  for (Level& level : levels_) {
    if (level.path_bytes > path.text().size()) return;
    if (level.adds) continue;
    if (level.current && !level.is_directory())
      refuse(path.text(), std::string_view(path_).substr(0, level.path_bytes - 1), *level.current);
    level.adds = true;
  }
}

// Of the change of `name`, which is as it was if it has none yet. Only names that begin with this one come between the
// change of a path and those below it.
size_t TreeWriter::place_of(Level& level, std::string_view name) {
  for (size_t i = level.changed.size(); i-- > 0 && level.changed[i].name.starts_with(name);)
    if (level.changed[i].name == name) return i;
  level.changed.push_back({std::string(name), before(level).find(name)});
  return level.changed.size() - 1;
}

// What the directory held, and nothing of what is none. Read when it is first asked for: where only names in it change,
// by whoever makes it.
const EncodedTree& TreeWriter::before(Level& level) {
  static const EncodedTree nothing;
  if (!level.before && level.is_directory()) level.before = commit_.read_tree(level.current->digest);
  return level.before ? *level.before : nothing;
}

std::optional<TreeEntry> TreeWriter::result_of(Level& level) {
  if (level.changed.empty() || (!level.is_directory() && !level.adds)) return level.current;
  const EncodedTree tree = after(level);
  const bool is_root = level.path_bytes == 0;
  if (emptied_ == Emptied::go && !is_root && tree.size() == 0 && before(level).size() > 0) return std::nullopt;
  return directory_entry({}, commit_.add_tree(tree));
}

EncodedTree TreeWriter::after(Level& level) {
  constexpr size_t entry_bytes_usual = 80;
  const EncodedTree& before = this->before(level);
  std::vector<Changed>& changed = level.changed;
  const auto by_name = [](const Changed& a, const Changed& b) { return a.name < b.name; };
  if (!std::is_sorted(changed.begin(), changed.end(), by_name)) std::sort(changed.begin(), changed.end(), by_name);
  TreeEncoder encoder(before.bytes().size() + entry_bytes_usual * changed.size(), before.size() + changed.size());
  size_t old = 0;  // All before it are dealt with.
  for (Changed& one : changed) {
    const size_t place = before.lower_bound(one.name, old);
    encoder.add(before, old, place);
    old = place < before.size() && before[place].name() == one.name ? place + 1 : place;
    if (!one.entry) continue;
    one.entry->name = std::move(one.name);
    encoder.add(*one.entry);
  }
  encoder.add(before, old, before.size());
  return encoder.finish();
}

}  // namespace volary
