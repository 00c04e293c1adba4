// store/tree_checksum.cc: the OICM digest of one directory. docs/checksum.md has the rules.
//
// Each entry becomes a line "d:NAME:DIGEST", "f:NAME:DIGEST" or "l:NAME:TARGET"; the lines are sorted as bytes and
// joined by NUL. The order is that of the lines and not of the names: "f:a!:…" comes before "f:a:…", because '!' is
// less than ':'. But for such names the entries of a kind are in that order already.
#include <algorithm>
#include <array>
#include <vector>

#include "store/tree.h"

namespace volary {
namespace {

constexpr size_t block_bytes = 64 << 10;

void append_line(std::string& text, const TreeEntry& entry) {
  switch (entry.kind) {
    case EntryKind::file:
      text.append("f:").append(entry.name) += ':';
      return entry.digest.append_hex_to(text);
    case EntryKind::directory:
      text.append("d:").append(entry.name) += ':';
      return entry.checksum.append_hex_to(text);
    case EntryKind::symlink:
      text.append("l:").append(entry.name).append(":").append(normal_link_target(entry.target));
  }
}

std::string line_of(const TreeEntry& entry) {
  std::string line;
  append_line(line, entry);
  return line;
}

// Whether a's line stands before b's; both are of one kind.
bool stands_before(const TreeEntry* a, const TreeEntry* b) {
  const size_t common = std::min(a->name.size(), b->name.size());
  if (const int order = a->name.compare(0, common, b->name, 0, common)) return order < 0;
  const auto next = [common](const TreeEntry* one) {
    return static_cast<unsigned char>(common < one->name.size() ? one->name[common] : ':');
  };
  if (next(a) != next(b)) return next(a) < next(b);
  return line_of(*a) < line_of(*b);  // "a" and "a:b": what follows the colon decides.
}

}  // namespace

Digest checksum_of(const Tree& tree) {
  std::array<std::vector<const TreeEntry*>, 3> kinds;  // In the order of their letters.
  for (const TreeEntry& entry : tree.entries) {
    const size_t kind = entry.kind == EntryKind::directory ? 0 : entry.kind == EntryKind::file ? 1 : 2;
    kinds[kind].push_back(&entry);
  }
  Hasher hasher;
  std::string block;
  bool is_first = true;
  for (auto& entries : kinds) {
    if (!std::is_sorted(entries.begin(), entries.end(), stands_before))
      std::sort(entries.begin(), entries.end(), stands_before);
    for (const TreeEntry* entry : entries) {
      if (!is_first) block += '\0';
      is_first = false;
      append_line(block, *entry);
      if (block.size() < block_bytes) continue;
      hasher.update(block);
      block.clear();
    }
  }
  hasher.update(block);
  return hasher.finish();
}

// As Python's PurePosixPath(target).as_posix(): empty and "." components go, ".." stays, and exactly two leading
// slashes stay two.
std::string normal_link_target(std::string_view target) {
  const size_t slashes = std::min(target.find_first_not_of('/'), target.size());
  std::string normal(slashes == 2 ? 2 : std::min<size_t>(slashes, 1), '/');
  bool first = true;
  for (size_t start = slashes; start < target.size();) {
    const size_t end = std::min(target.find('/', start), target.size());
    const std::string_view part = target.substr(start, end - start);
    start = end + 1;
    if (part.empty() || part == ".") continue;
    if (!first) normal += '/';
    normal += part;
    first = false;
  }
  return normal.empty() ? "." : normal;
}

}  // namespace volary
