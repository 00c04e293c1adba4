// store/tree.h: a directory as a value, its one encoding, and its two digests.
//
// A tree names its entries and says what they hold; a version is the digest of its root tree. The encoding is
// canonical: equal directories have equal bytes, so equal digests (invariant I15). docs/format.md has the grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/digest.h"

namespace volary {

constexpr uint64_t tree_bytes_max = uint64_t{1} << 30;  // Of one encoded directory: some ten million entries.
constexpr size_t link_target_bytes_max = 4095;          // What the kernel takes.

enum class EntryKind : uint8_t { file = 1, directory = 2, symlink = 3 };

struct TreeEntry {
  std::string name;  // One component (core/tree_path.h).
  EntryKind kind = EntryKind::file;
  bool executable = false;  // file
  uint64_t size = 0;        // file: bytes. directory: logical bytes of all files below.
  uint64_t files = 0;       // directory: regular files and symlinks below.
  Digest digest;            // file: BLAKE3 of the bytes. directory: of the encoded tree.
  Digest checksum;          // directory: its OICM digest, so that a change above reads no tree beside it.
  std::string target;       // symlink: the text, kept as it is, never followed.
  bool operator==(const TreeEntry&) const = default;
};

// Entries sorted by name as bytes, each name once.
struct Tree {
  std::vector<TreeEntry> entries;
  bool operator==(const Tree&) const = default;

  const TreeEntry* find(std::string_view name) const;  // Null if absent.
};

// All that a parent or a version keeps of a tree.
struct TreeSummary {
  Digest tree;      // BLAKE3 of encode(tree): the identity.
  Digest checksum;  // The OICM digest (store/checksum.h).
  uint64_t files = 0;
  uint64_t bytes = 0;
  bool operator==(const TreeSummary&) const = default;
};

// Sorted and unique names, each a component, and good link targets are the caller's duty; throws `internal` if not
// so.
std::string encode(const Tree& tree);
// Throws `corrupt` unless `bytes` is exactly the canonical encoding of a tree.
Tree decode(std::string_view bytes);
// The same as a question: the tree, or what is wrong with the bytes.
std::variant<Tree, std::string> try_decode(std::string_view bytes);
TreeSummary summary_of(const Tree& tree);
TreeEntry directory_entry(std::string name, const TreeSummary& summary);

// The OICM digest alone. Asks of names and targets nothing but that they are UTF-8.
Digest checksum_of(const Tree& tree);

// What is wrong with `target` as the text of a symlink in a tree, or "": expected are 1 to 4095 bytes of UTF-8
// without NUL.
std::string flaw_of_link_target(std::string_view target);
// The target of a symlink as the OICM digest writes it: pathlib's normal form ("./a//b/" is "a/b", "" is ".").
std::string normal_link_target(std::string_view target);

}  // namespace volary
