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
#include <unordered_map>
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

struct PlannedSkip {
  size_t source = 0;
  size_t target = 0;
};

// A source file that cannot be copied for its name.
struct Conflict {
  size_t source = 0;  // Index into the source list.
  ConflictKind kind{};
  std::string reason;
};

// What the lists speak of is in two lists of files, one for each side, of which a plan keeps only those: memory goes
// with what is to be done. The counts are of all.
struct Plan {
  Strategy strategy{};
  std::vector<PlannedCopy> copies;
  std::vector<PlannedSkip> skips;
  std::vector<size_t> deletes;      // Indices into the target list.
  std::vector<size_t> stays;        // Indices into the target list: only there, and kept.
  std::vector<Conflict> conflicts;  // Of the source; neither copied nor skipped, and what the target has there stays.
  uint64_t source_files = 0;
  uint64_t target_files = 0;
  uint64_t copy_files = 0;
  uint64_t skip_files = 0;
  uint64_t delete_files = 0;
  uint64_t stay_files = 0;
  uint64_t copy_bytes = 0;
  uint64_t replaced_bytes = 0;  // Sizes of what copies replace.
  uint64_t delete_bytes = 0;

  bool changes_nothing() const { return copy_files == 0 && delete_files == 0; }
};

struct PlanOptions {
  Strategy strategy{};
  Filter filter{};
  size_t path_bytes_max = SIZE_MAX;  // In the target, of a path below its directory.
  size_t acts_kept = SIZE_MAX;       // How many copies, and deletions, stand in the plan's lists: the first ones,
  size_t others_kept = SIZE_MAX;     // and how many of what is skipped, and of what stays.
};

class ActList;

// Makes a plan of two sides that come in the order of paths, file by file, and keeps of them what the plan speaks of.
// What the filter leaves out takes part in nothing. Every source file that is left is in exactly one of copies, skips
// and conflicts; every target file is replaced, skipped over, deleted, stays, or is kept by a conflict. Where a name
// would be a file and a directory at once, one of the source's files is the conflict: the file that others lie below,
// or the one that would lie below a file which stays.
class Planner {
 public:
  // `acts`: where copies and deletions are listed, in the order of paths, instead of in the plan; null: in the plan.
  explicit Planner(const PlanOptions& options, ActList* acts = nullptr);
  // The next path, and what each side has there; null: nothing. What comes is behind all that came before.
  // False if the filter leaves it out.
  bool add(const Listed* source, const Listed* target);

  struct Result {
    Plan plan;
    std::vector<Listed> source;
    std::vector<Listed> target;
  };
  Result finish();

 private:
  // Why a file cannot be copied: of several reasons the first is told.
  enum class Clash { name, directory_too, below_a_file, above_a_file };

  // A path whose end is not known to be that of a component: others may lie below it.
  struct Open {
    std::string path;
    uint64_t source_bytes = 0;
    uint64_t target_bytes = 0;
    bool in_source = false;
    bool in_target = false;
    bool is_beside = false;  // Of the target, where the filter leaves it out.
    std::optional<size_t> conflict;  // Index into conflicts.
    Clash clash{};                   // The reason of it.
    bool is_decided = false;  // To be copied or skipped:
    bool is_copy = false;
    size_t item = SIZE_MAX;  // Index into copies or skips, or number of the act.
  };

  Open& open(const std::string& path);
  bool stays(const Open& one) const;
  bool clashes(Open& one, const Listed* source);
  void conflict(Open& one, Clash clash, std::string reason);
  void take_back(const Open& one);
  void decide(Open& one, const Listed* source, const Listed* target);
  size_t keep(std::vector<Listed>& list, const Listed& file);

  const PlanOptions options_;
  ActList* const acts_;
  Result result_;
  std::vector<Open> open_;  // Each a prefix of the next; from open_count_ on they wait to be used again.
  size_t open_count_ = 0;
  std::vector<size_t> taken_back_copies_;
  std::vector<size_t> taken_back_skips_;
};

// The same of two whole lists, each sorted here. Throws `invalid` for a path that comes twice in a list.
Planner::Result make_plan(std::vector<Listed> source, std::vector<Listed> target, const PlanOptions& options,
                          ActList* acts = nullptr);

// Whether so many deletions want to be confirmed: more than half of what the target has.
bool needs_confirmation(const Plan& plan);

// All that happens to files and is kept, numbered: copies, deletions, what is skipped, what stays.
size_t item_count(const Plan& plan);
PlanItem item_at(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target, size_t index);

// For people: at most `items_max` items, without what stays.
PlanView view_of(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
                 size_t items_max);

// Finds names that differ only in the case of ASCII letters. They come in order, so that of two such names the first
// has a capital where they differ: only names with capitals are remembered.
class CaseOnly {
 public:
  explicit CaseOnly(size_t max) : max_(max) {}
  void add(const std::string& path);
  uint64_t files() const { return files_; }  // Of each group all but the first.
  const std::vector<PlanConflict>& first() const { return first_; }  // At most `max`.

 private:
  size_t max_;
  uint64_t files_ = 0;
  std::vector<PlanConflict> first_;
  std::unordered_map<std::string, std::string> with_capitals_;  // By the name without them.
};

// Of the paths, etags and sizes of objects in the order in which they come.
class ListingDigest {
 public:
  void add(const Listed& file);
  Digest finish();
  uint64_t files() const { return files_; }

 private:
  void flush();
  Hasher hasher_;
  std::string block_;
  uint64_t files_ = 0;
};

}  // namespace volary
