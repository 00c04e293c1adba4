// record/difference.h: how two versions differ.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class FileChange {
  added,
  removed,
  changed,
  renamed,  // The same content, at another path.
};
BOOST_DESCRIBE_ENUM(FileChange, added, removed, changed, renamed)

struct FileDifference {
  FileChange change{};
  std::string path;                     // Of a removed one: where it was.
  std::optional<std::string> from;      // Of a renamed one: where it was.
  std::optional<uint64_t> size_before;  // Of what was there; 0 for what has no size of its own.
  std::optional<uint64_t> size_after;   // Of what is there now.
};
BOOST_DESCRIBE_STRUCT(FileDifference, (), (change, path, from, size_before, size_after))

struct DifferenceTotals {
  uint64_t added = 0;
  uint64_t removed = 0;
  uint64_t changed = 0;
  uint64_t renamed = 0;
  uint64_t bytes_added = 0;    // Of added files, and of the new content of changed ones.
  uint64_t bytes_removed = 0;  // Of removed files, and of the old content of changed ones.
};
BOOST_DESCRIBE_STRUCT(DifferenceTotals, (), (added, removed, changed, renamed, bytes_added, bytes_removed))

// One side: a version, or an empty volume (number 0).
struct DifferenceSide {
  std::string volume;
  uint64_t number = 0;
  std::string tree;
  uint64_t files = 0;
  uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(DifferenceSide, (), (volume, number, tree, files, bytes))

// GET /volumes/{name}/difference
struct VersionDifference {
  DifferenceSide from;
  DifferenceSide to;
  DifferenceTotals totals;            // Of all, whatever part `items` is.
  std::vector<FileDifference> items;  // In order of paths.
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(VersionDifference, (), (from, to, totals, items, next_cursor))

}  // namespace volary
