// store/encoded_tree.h: a directory as its one encoding, read where it lies. To find or change a few of its many
// entries, none of the others has to become a value of its own: they are copied as the bytes that they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/tree.h"

namespace volary {

constexpr size_t tree_head_bytes = 12;  // Before the first entry: the mark and the number of entries.

// What the OICM digest of a directory is made of: of each entry its kind, its name, and the raw bytes of its digest (of
// a directory, of its OICM digest), or its target.
struct ChecksumLine {
  EntryKind kind = EntryKind::file;
  std::string_view name;
  std::string_view value;
};

// One entry, in the bytes of its tree, which outlive it.
class EntryView {
 public:
  // `bytes` were parsed already.
  explicit EntryView(std::string_view bytes) : bytes_(bytes) {}

  EntryKind kind() const { return static_cast<EntryKind>(bytes_[0]); }
  std::string_view name() const { return {bytes_.data() + 2, static_cast<uint8_t>(bytes_[1])}; }
  uint64_t size() const;   // As TreeEntry::size.
  uint64_t files() const;  // How many files and symlinks it is or holds.
  ChecksumLine line() const {
    const std::string_view name = this->name();
    const std::string_view rest(name.end(), static_cast<size_t>(bytes_.end() - name.end()));
    switch (kind()) {
      case EntryKind::file: return {EntryKind::file, name, {rest.data() + 1 + 8, Digest::size}};
      case EntryKind::directory: return {EntryKind::directory, name, {rest.data() + 16 + Digest::size, Digest::size}};
      case EntryKind::symlink: break;
    }
    return {EntryKind::symlink, name, rest.substr(2)};
  }
  TreeEntry entry() const;
  void read(TreeEntry& entry) const;  // Into one that has no values yet.

 private:
  std::string_view bytes_;
};

// What a directory adds up to: below 2^63, so that no reader of a tree need think of overflow.
struct TreeSums {
  uint64_t bytes = 0;
  uint64_t files = 0;
  bool add(const EntryView& entry);  // False, and nothing is added, if it would be too much.
};

class EncodedTree {
 public:
  EncodedTree();  // Without entries.
  // What is wrong with the bytes, unless they are exactly the canonical encoding of a tree.
  static std::variant<EncodedTree, std::string> try_parse(std::string bytes);

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return ends_.size(); }  // Entries.
  EntryView operator[](size_t i) const { return EntryView(between(i, i + 1)); }
  // Of the first entry from `begin` on that does not stand before `name`; size() if there is none.
  size_t lower_bound(std::string_view name, size_t begin = 0) const;
  std::optional<TreeEntry> find(std::string_view name) const;
  const TreeSums& sums() const { return sums_; }
  Tree tree() const;

 private:
  friend class TreeEncoder;
  // Of the entries [begin, end).
  std::string_view between(size_t begin, size_t end) const {
    const size_t from = begin == 0 ? tree_head_bytes : ends_[begin - 1];
    const size_t to = end == 0 ? tree_head_bytes : ends_[end - 1];
    return {bytes_.data() + from, to - from};
  }

  std::string bytes_;
  std::vector<uint32_t> ends_;  // Where in `bytes_` each entry ends.
  TreeSums sums_;
};

// Entries in the order of their names become a tree.
class TreeEncoder {
 public:
  TreeEncoder(size_t bytes_expected, size_t entries_expected);
  // Throws `internal` for an entry that stands in the wrong place, has a name or target that is refused, or too much;
  // `exhausted` where the tree becomes larger than one may be.
  void add(const TreeEntry& entry);
  // The entries [begin, end) of another tree. Throws as above for the first.
  void add(const EncodedTree& tree, size_t begin, size_t end);
  // Nothing may follow.
  EncodedTree finish();

 private:
  void check_order(std::string_view name) const;
  void end_entry(size_t end);

  EncodedTree made_;
};

Digest checksum_of(const EncodedTree& tree);
TreeSummary summary_of(const EncodedTree& tree);
EncodedTree encoded(const Tree& tree);

}  // namespace volary
