// record/plan.h: what a transfer would do: for people, and whole, in a file that can be carried out later.
#pragma once

#include "record/transfer.h"

namespace volary {

enum class PlanAct {
  copy,
  skip,
  delete_,
  stay,  // Only in the target, and not the transfer's to touch. Listed in plan files only.
};
BOOST_DESCRIBE_ENUM(PlanAct, copy, skip, delete_, stay)

struct PlanItem {
  PlanAct act{};
  std::string path;  // In the target.
  uint64_t size = 0;
  std::string reason;  // "new", "differs", "same", "exists", "only in target"
  std::string etag;    // Of the datastore's object, if there is one: what a plan that is applied must find.
};
BOOST_DESCRIBE_STRUCT(PlanItem, (), (act, path, size, reason, etag))

enum class ConflictKind {
  name,                // The object's key cannot name a file, or would be too long a name in the target.
  file_and_directory,  // One name would be both.
  case_only,           // Names that differ only in the case of letters: fine here, but not on every machine.
};
BOOST_DESCRIBE_ENUM(ConflictKind, name, file_and_directory, case_only)

struct PlanConflict {
  ConflictKind kind{};
  std::string path;  // As of a TransferFailure.
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(PlanConflict, (), (kind, path, reason))

// What would move, be skipped and be deleted, before a byte does.
struct PlanView {
  Strategy strategy{};
  uint64_t copies = 0;
  uint64_t copy_bytes = 0;
  uint64_t skips = 0;
  uint64_t deletes = 0;
  uint64_t delete_bytes = 0;
  uint64_t stays = 0;         // Files that only the target has and keeps.
  uint64_t target_files = 0;  // That filters do not leave out.
  bool needs_confirmation = false;  // More than half of them would be deleted.
  uint64_t conflicts = 0;     // Source files that keep the transfer from beginning, unless it may leave them out.
  uint64_t case_only = 0;
  std::vector<PlanConflict> conflict_items;  // The first 100 of both.
  PlanSides sides;
  std::vector<PlanItem> items;  // The first 1000.
};
BOOST_DESCRIBE_STRUCT(PlanView, (), (strategy, copies, copy_bytes, skips, deletes, delete_bytes, stays, target_files,
                                     needs_confirmation, conflicts, case_only, conflict_items, sides, items))

// A plan in a file: one JSON document with an item a line, as it comes from the server. The digest is that of the text
// of all members before "items", as one object on one line, and of the items, each on a line of its own: who changed
// the file by hand is told so, because what is carried out is what both sides' digests stand for.
constexpr std::string_view plan_format = "volary-plan-1";
struct PlanFile {
  std::string format;
  TransferKind kind{};
  std::string volume;
  NewTransfer request;
  PlanView plan;  // Without items.
  std::vector<PlanItem> items;
  std::string digest;
};
BOOST_DESCRIBE_STRUCT(PlanFile, (), (format, kind, volume, request, plan, items, digest))

}  // namespace volary
