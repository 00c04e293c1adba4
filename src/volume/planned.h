// volume/planned.h: both sides of an import or export, listed and compared, and held against what was agreed to. For
// this folder only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/database.h"
#include "record/datastore.h"
#include "record/plan.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/acts.h"
#include "sync/listing.h"
#include "sync/plan.h"

namespace volary {

constexpr size_t conflicts_shown_max = 100;

// What is to be compared.
struct Comparison {
  TransferKind kind{};
  Datastore datastore;
  Version version;   // Of the volume: import: its newest; export: the one that is read. Number 0: it has none yet.
  Digest tree;       // That version's.
  TreePath source;   // The directories on both sides.
  TreePath target;
  Strategy strategy{};
  Filter filter{};
  bool may_be_empty = false;  // Whether a source without files is an order to delete what the target has of it.
};

struct Planned {
  std::vector<Listed> source;  // Of both sides, what the plan speaks of.
  std::vector<Listed> target;
  TreePath directory;          // Of the datastore's side: the keys of its files are below it.
  std::vector<OddObject> odd;  // Of the datastore, those that the filter takes.
  Plan plan;
  std::unique_ptr<ActList> acts;  // What the plan copies and deletes, where that is not kept in its lists.
  PlanSides sides;
  TransferCounts counts = {};  // As of counts_of(), once it is known what becomes of conflicts.
  uint64_t beside = 0;  // Directory markers or symbolic links of the source: counted as skipped.
  CaseOnly alike{conflicts_shown_max};

  // Source files that keep the transfer from beginning.
  uint64_t conflicts(TransferKind kind) const {
    return plan.conflicts.size() + (kind == TransferKind::import ? odd.size() : 0);
  }
};

// How much of a plan is kept in its lists: all is counted.
struct Kept {
  size_t acts = SIZE_MAX;      // Copies, and deletions.
  bool acts_in_order = false;  // They are kept in the order of paths, in Planned::acts, all of them.
  size_t others = 0;           // What is skipped, and what stays; and whether names that look alike are told of.
};

// Lists both sides, beside each other and each to its end, and plans. Nothing is written. Memory goes with what is
// kept.
Planned compare(const Comparison& wanted, Remote& remote, const Store& store, Database& database,
                const Kept& kept = {});

// Throws `invalid` for conflicts that were not to be left out, naming the first and how many there are, and `conflict`
// for a side that is not what was expected, or for a mirror that would delete more than half and was not confirmed;
// `not_found` for an empty source: that is never an order to delete everything. `remote` is what messages call it.
void check_agreed(const Planned& planned, const Comparison& wanted, const Transfer& transfer,
                  const std::string& remote);

// Why each file that was left out was not copied, the first transfer_failures_max.
std::vector<TransferFailure> left_out_of(const Planned& planned, TransferKind kind, FileOutcome outcome);

// The counts before anything has moved. `conflicts` is what becomes of them.
TransferCounts counts_of(const Planned& planned, TransferKind kind, FileOutcome conflicts);

// With at most `items_max` items and conflicts_shown_max conflicts.
PlanView view_of(const Planned& planned, TransferKind kind, size_t items_max);

}  // namespace volary
