// sync/plan.h: what a transfer will do, as a value, before it does anything. Pure: no clock, no disk, no network.
//
// Both sides are lists of files by path. Two files are the same only if both digests are known and equal: sizes and
// times prove nothing.
//
//                 source only     both, same    both, different    target only
//   overwrite     copy            skip          copy               stays
//   no_overwrite  copy            skip          skip               stays
//   mirror        copy            skip          copy               delete
//
// What a filter leaves out of either side takes part in nothing: it is not copied, not replaced, not deleted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/tree_path.h"
#include "record/plan.h"
#include "sync/filter.h"

namespace volary {

// A file of one side. `path` is relative to that side's directory; where that is a datastore's, the object's key is
// key_of(directory, path), and not kept a second time: there may be millions.
struct Listed {
  TreePath path;
  uint64_t size = 0;
  std::optional<Digest> digest;  // If the bytes are known.
  std::string etag;              // Of the object, where this side is a datastore.
  bool executable = false;
};

struct PlannedCopy {
  size_t source = 0;               // Index into the source list.
  std::optional<size_t> replaces;  // Index into the target list.
};

// A source file that cannot be copied for its name.
struct Conflict {
  size_t source = 0;  // Index into the source list.
  ConflictKind kind{};
  std::string reason;
};

struct Plan {
  Strategy strategy{};
  std::vector<PlannedCopy> copies;
  std::vector<size_t> skips;        // Indices into the source list.
  std::vector<size_t> deletes;      // Indices into the target list.
  std::vector<size_t> stays;        // Indices into the target list: only there, and kept.
  std::vector<Conflict> conflicts;  // Of the source; neither copied nor skipped, and what the target has there stays.
  uint64_t copy_bytes = 0;
  uint64_t replaced_bytes = 0;  // Sizes of what copies replace.
  uint64_t delete_bytes = 0;

  bool changes_nothing() const { return copies.empty() && deletes.empty(); }
};

struct PlanOptions {
  Strategy strategy{};
  Filter filter{};
  size_t path_bytes_max = SIZE_MAX;  // In the target, of a path below its directory.
};

// Sorts both lists by path and takes out of them what the filter leaves out. Every source file that is left is in
// exactly one of copies, skips and conflicts; every target file is replaced, skipped over, deleted, stays, or is kept
// by a conflict. Where a name would be a file and a directory at once, one of the source's files is the conflict: the
// file that others lie below, or the one that would lie below a file which stays. Throws `invalid` for a path that
// comes twice in a list.
Plan make_plan(std::vector<Listed>& source, std::vector<Listed>& target, const PlanOptions& options);

// Whether so many deletions want to be confirmed: more than half of what the target has.
bool needs_confirmation(const Plan& plan, const std::vector<Listed>& target);

// All that happens to files, numbered: copies, deletions, what is skipped, what stays.
size_t item_count(const Plan& plan);
PlanItem item_at(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target, size_t index);

// For people: at most `items_max` items, without what stays.
PlanView view_of(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
                 size_t items_max);

// Groups of source files whose paths differ only in the case of ASCII letters: how many files, and the first `max`.
struct CaseOnly {
  uint64_t files = 0;
  std::vector<PlanConflict> first;
};
CaseOnly case_only_names(const std::vector<Listed>& source, size_t max);

// Of the paths, etags and sizes of objects in the order of the list.
Digest listing_digest(const std::vector<Listed>& files);

}  // namespace volary
