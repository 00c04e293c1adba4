// store/tree_checksum.cc: the OICM digest of one directory. docs/checksum.md has the rules.
//
// Each entry becomes a line "d:NAME:DIGEST", "f:NAME:DIGEST" or "l:NAME:TARGET"; the lines are sorted as bytes and
// joined by NUL. The order is that of the lines and not of the names: "f:a!:…" comes before "f:a:…", because '!' is
// less than ':'. But for such names the entries of a kind are in that order already.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "store/tree.h"

namespace volary {
namespace {

constexpr size_t block_bytes = 64 << 10;

void append_line(std::string& text, const ChecksumLine& line) {
  constexpr std::string_view letters = "fdl";
  text += letters[static_cast<size_t>(line.kind) - 1];
  text += ':';
  text += line.name;
  text += ':';
  if (line.kind == EntryKind::symlink) text += normal_link_target(line.value);
  else append_hex(text, line.value);
}

std::string text_of(const ChecksumLine& line) {
  std::string text;
  append_line(text, line);
  return text;
}

// Whether a's line stands before b's; both are of one kind.
bool stands_before(const ChecksumLine& a, const ChecksumLine& b) {
  const size_t common = std::min(a.name.size(), b.name.size());
  if (const int order = a.name.compare(0, common, b.name, 0, common)) return order < 0;
  const auto next = [common](const ChecksumLine& one) {
    return static_cast<unsigned char>(common < one.name.size() ? one.name[common] : ':');
  };
  if (next(a) != next(b)) return next(a) < next(b);
  return text_of(a) < text_of(b);  // "a" and "a:b": what follows the colon decides.
}

}  // namespace

Digest checksum_of(const std::vector<ChecksumLine>& lines) {
  std::array<std::vector<ChecksumLine>, 3> kinds;  // In the order of their letters. Each is nearly always sorted.
  for (const ChecksumLine& line : lines)
    kinds[line.kind == EntryKind::directory ? 0 : line.kind == EntryKind::file ? 1 : 2].push_back(line);
  Hasher hasher;
  std::string block;
  block.reserve(2 * block_bytes);
  bool is_first = true;
  for (auto& some : kinds) {
    if (!std::is_sorted(some.begin(), some.end(), stands_before)) std::sort(some.begin(), some.end(), stands_before);
    for (const ChecksumLine& line : some) {
      if (!std::exchange(is_first, false)) block += '\0';
      append_line(block, line);
      if (block.size() < block_bytes) continue;
      hasher.update(block);
      block.clear();
    }
  }
  hasher.update(block);
  return hasher.finish();
}

Digest checksum_of(const Tree& tree) {
  std::vector<ChecksumLine> lines;
  lines.reserve(tree.entries.size());
  for (const TreeEntry& entry : tree.entries)
    lines.push_back({entry.kind, entry.name,
                     entry.kind == EntryKind::file        ? entry.digest.raw()
                     : entry.kind == EntryKind::directory ? entry.checksum.raw()
                                                          : std::string_view(entry.target)});
  return checksum_of(lines);
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
