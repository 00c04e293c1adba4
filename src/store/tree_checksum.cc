// store/tree_checksum.cc: the OICM digest of one directory. docs/checksum.md has the rules.
//
// Each entry becomes a line "d:NAME:DIGEST", "f:NAME:DIGEST" or "l:NAME:TARGET"; the lines are sorted as bytes and
// joined by NUL. The order is that of the lines and not of the names: "f:a!:…" comes before "f:a:…", because '!' is
// less than ':'.
#include <algorithm>
#include <vector>

#include "store/tree.h"

namespace volary {
namespace {

constexpr size_t block_bytes = 64 << 10;

std::string line_of(const TreeEntry& entry) {
  switch (entry.kind) {
    case EntryKind::file: return "f:" + entry.name + ":" + entry.digest.hex();
    case EntryKind::directory: return "d:" + entry.name + ":" + entry.checksum.hex();
    case EntryKind::symlink: return "l:" + entry.name + ":" + normal_link_target(entry.target);
  }
  return {};
}

}  // namespace

Digest checksum_of(const Tree& tree) {
  std::string lines;  // All of them one after the other: a million small strings would cost more than their sorting.
  std::vector<std::pair<size_t, size_t>> places;
  places.reserve(tree.entries.size());
  for (const TreeEntry& entry : tree.entries) {
    const std::string line = line_of(entry);
    places.emplace_back(lines.size(), line.size());
    lines += line;
  }
  const auto at = [&](const auto& place) { return std::string_view(lines).substr(place.first, place.second); };
  std::sort(places.begin(), places.end(), [&](const auto& a, const auto& b) { return at(a) < at(b); });

  Hasher hasher;
  std::string block;
  for (const auto& place : places) {
    if (&place != &places.front()) block += '\0';
    block += at(place);
    if (block.size() < block_bytes) continue;
    hasher.update(block);
    block.clear();
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
