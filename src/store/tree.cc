// store/tree.cc: a directory as a value, by way of its encoding (store/encoded_tree.h).
#include "store/tree.h"

#include <algorithm>

#include "core/error.h"
#include "core/tree_path.h"
#include "store/encoded_tree.h"

namespace volary {

const TreeEntry* Tree::find(std::string_view name) const {
  const auto is_less = [](const TreeEntry& entry, std::string_view wanted) { return entry.name < wanted; };
  const auto found = std::lower_bound(entries.begin(), entries.end(), name, is_less);
  return found != entries.end() && found->name == name ? &*found : nullptr;
}

std::string encode(const Tree& tree) { return encoded(tree).bytes(); }

std::variant<Tree, std::string> try_decode(std::string_view bytes) {
  auto outcome = EncodedTree::try_parse(std::string(bytes));
  if (auto* flaw = std::get_if<std::string>(&outcome)) return std::move(*flaw);
  return std::get<EncodedTree>(outcome).tree();
}

Tree decode(std::string_view bytes) {
  auto outcome = try_decode(bytes);
  if (const auto* flaw = std::get_if<std::string>(&outcome))
    throw Error(Errc::corrupt, "these bytes are no tree: {}", *flaw);
  return std::get<Tree>(std::move(outcome));
}

TreeSummary summary_of(const Tree& tree) { return summary_of(encoded(tree)); }

TreeEntry directory_entry(std::string name, const TreeSummary& summary) {
  TreeEntry entry;
  entry.name = std::move(name);
  entry.kind = EntryKind::directory;
  entry.size = summary.bytes;
  entry.files = summary.files;
  entry.digest = summary.tree;
  entry.checksum = summary.checksum;
  return entry;
}

std::string flaw_of_link_target(std::string_view target) {
  if (target.empty()) return "its target is empty";
  if (target.size() > link_target_bytes_max)
    return fmt::format("its target has {} bytes: expected at most {}", target.size(), link_target_bytes_max);
  if (target.find('\0') != target.npos) return "its target contains a NUL byte";
  if (!is_utf8(target)) return fmt::format("its target '{}' is not UTF-8", printable(target));
  return {};
}

}  // namespace volary
