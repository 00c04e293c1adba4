// store/tree_checksum.cc: the OICM digest of one directory. docs/checksum.md has the rules.
//
// Each entry becomes a line "d:NAME:DIGEST", "f:NAME:DIGEST" or "l:NAME:TARGET"; the lines are sorted as bytes and
// joined by NUL. The order is that of the lines and not of the names: "f:a!:…" comes before "f:a:…", because '!' is
// less than ':'. But for names that go on where others end, the entries of a kind are in that order already.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "store/encoded_tree.h"

namespace volary {
namespace {

constexpr std::string_view letters = "fdl";  // Of the kinds from 1 on.
constexpr size_t block_bytes = 32 << 10;      // What is hashed at once: BLAKE3 likes powers of two.
constexpr size_t usual_line_bytes_max = 512;  // That of a file or directory, unless its name is longer than any.

std::string text_of(const ChecksumLine& line) {
  std::string text{letters[static_cast<size_t>(line.kind) - 1], ':'};
  text.append(line.name) += ':';
  if (line.kind == EntryKind::symlink) text += normal_link_target(line.value);
  else append_hex(text, line.value);
  return text;
}

// The lines one after the other, hashed block by block.
class Text {
 public:
  void add(const ChecksumLine& line) {
    if (!std::exchange(is_first_, false)) block_[used_++] = '\0';
    const size_t size = 3 + line.name.size() + 2 * line.value.size();
    if (line.kind == EntryKind::symlink || size >= usual_line_bytes_max) {
      add(text_of(line));
    } else {
      char* to = block_.data() + used_;
      *to++ = letters[static_cast<size_t>(line.kind) - 1];
      *to++ = ':';
      to = std::copy(line.name.begin(), line.name.end(), to);
      *to++ = ':';
      write_hex(to, line.value);
      used_ += size;
    }
    if (used_ >= block_bytes) hash_block();
  }

  Digest finish() {
    hasher_.update({block_.data(), used_});
    return hasher_.finish();
  }

 private:
  void add(std::string_view text) {
    while (used_ + text.size() > block_.size()) {
      text.remove_prefix(text.copy(block_.data() + used_, block_.size() - used_));
      used_ = block_.size();
      hash_block();
    }
    used_ += text.copy(block_.data() + used_, text.size());
  }

  // What has come beyond it is the begin of the next.
  void hash_block() {
    hasher_.update({block_.data(), block_bytes});
    used_ -= block_bytes;
    std::copy_n(block_.data() + block_bytes, used_, block_.data());
  }

  Hasher hasher_;
  std::array<char, block_bytes + usual_line_bytes_max> block_;  // Room for one line more, with the NUL before it.
  size_t used_ = 0;
  bool is_first_ = true;
};

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

// Of lines in the order of names. Looks at each twice or more, and keeps none.
template <class LineOf>
Digest checksum_of(size_t count, const LineOf& line_of) {
  struct Kind {
    EntryKind kind;
    bool is_there = false;
    bool is_sorted = true;  // Nearly always.
    std::string_view last = {};
  };
  std::array<Kind, 3> kinds{Kind{EntryKind::directory}, Kind{EntryKind::file}, Kind{EntryKind::symlink}};
  for (size_t i = 0; i < count; ++i) {
    const ChecksumLine line = line_of(i);
    Kind& kind = kinds[line.kind == EntryKind::directory ? 0 : line.kind == EntryKind::file ? 1 : 2];
    const size_t end = kind.last.size();
    const bool goes_on = kind.is_there && line.name.size() > end && line.name.starts_with(kind.last);
    if (goes_on && static_cast<unsigned char>(line.name[end]) <= ':') kind.is_sorted = false;  // Or may not be.
    kind.is_there = true;
    kind.last = line.name;
  }
  Text text;
  for (const Kind& kind : kinds) {
    if (!kind.is_there) continue;
    std::vector<ChecksumLine> unsorted;
    for (size_t i = 0; i < count; ++i) {
      const ChecksumLine line = line_of(i);
      if (line.kind != kind.kind) continue;
      if (kind.is_sorted) text.add(line);
      else unsorted.push_back(line);
    }
    std::sort(unsorted.begin(), unsorted.end(), stands_before);
    for (const ChecksumLine& line : unsorted) text.add(line);
  }
  return text.finish();
}

}  // namespace

Digest checksum_of(const EncodedTree& tree) {
  return checksum_of(tree.size(), [&](size_t i) { return tree[i].line(); });
}

Digest checksum_of(const Tree& tree) {
  return checksum_of(tree.entries.size(), [&](size_t i) -> ChecksumLine {
    const TreeEntry& entry = tree.entries[i];
    return {entry.kind, entry.name,
            entry.kind == EntryKind::file        ? entry.digest.raw()
            : entry.kind == EntryKind::directory ? entry.checksum.raw()
                                                 : std::string_view(entry.target)};
  });
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
