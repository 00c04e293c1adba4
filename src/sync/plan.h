// sync/plan.h: what a transfer will do, as a value, before it does anything. Pure: no clock, no disk, no network.
//
// Both sides are lists of files by path. Two files are the same only if both digests are known and equal: sizes and
// times prove nothing.
//
//                 source only     both, same    both, different    target only
//   overwrite     copy            skip          copy               stays
//   no_overwrite  copy            skip          skip               stays
//   mirror        copy            skip          copy               delete
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/tree_path.h"
#include "record/transfer.h"

namespace volary {

// A file of one side. `path` is relative to that side's directory.
struct Listed {
  TreePath path;
  uint64_t size = 0;
  std::optional<Digest> digest;  // If the bytes are known.
  std::string key;               // Of the object, where this side is a datastore.
  std::string etag;
  bool executable = false;
};

struct PlannedCopy {
  size_t source = 0;               // Index into the source list.
  std::optional<size_t> replaces;  // Index into the target list.
};

struct Plan {
  Strategy strategy{};
  std::vector<PlannedCopy> copies;
  std::vector<size_t> skips;    // Indices into the source list.
  std::vector<size_t> deletes;  // Indices into the target list.
  uint64_t copy_bytes = 0;
  uint64_t replaced_bytes = 0;  // Sizes of what copies replace.
  uint64_t delete_bytes = 0;

  bool changes_nothing() const { return copies.empty() && deletes.empty(); }
};

// Both lists are sorted here by path. Throws `invalid` if a path would have to be a file and a directory at once, or
// comes twice in a list.
Plan make_plan(std::vector<Listed>& source, std::vector<Listed>& target, Strategy strategy);

// For people: at most `items_max` items, copies first.
PlanView view_of(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
                 size_t items_max);

}  // namespace volary
