// record/transfer.h: one import or export: what was asked, what is planned, how far it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class TransferKind { import, export_ };
BOOST_DESCRIBE_ENUM(TransferKind, import, export_)

enum class Strategy {
  overwrite,     // Copies what differs; keeps what only the target has.
  no_overwrite,  // Copies what the target lacks.
  mirror,        // The target becomes equal to the source, inside the target directory.
};
BOOST_DESCRIBE_ENUM(Strategy, overwrite, no_overwrite, mirror)

enum class TransferState {
  queued,     // Waits for a worker.
  planning,   // Lists both sides.
  running,    // Moves bytes.
  done,       // All of the plan happened.
  failed,     // Ended with an error; nothing half done is visible.
  cancelled,  // Asked to end.
};
BOOST_DESCRIBE_ENUM(TransferState, queued, planning, running, done, failed, cancelled)

constexpr bool is_terminal(TransferState state) {
  return state == TransferState::done || state == TransferState::failed || state == TransferState::cancelled;
}

// listed = completed + skipped + failed (invariant I10); deleted are files of the target.
struct TransferCounts {
  uint64_t total = 0;
  uint64_t completed = 0;
  uint64_t skipped = 0;
  uint64_t failed = 0;
  uint64_t deleted = 0;
  uint64_t bytes_total = 0;
  uint64_t bytes_done = 0;
};
BOOST_DESCRIBE_STRUCT(TransferCounts, (), (total, completed, skipped, failed, deleted, bytes_total, bytes_done))

struct Transfer {
  std::string id;
  std::string project;
  TransferKind kind{};
  std::string volume;
  uint64_t version = 0;             // export: the version read; import: the version made (0: none, nothing changed)
  std::string datastore;
  std::string source_directory;       // Below the datastore (import) or the volume (export).
  std::string destination_directory;  // The other side.
  Strategy strategy{};
  TransferState state{};
  TransferCounts counts;
  std::string error;  // Of a failed one: "code: message".
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::string created_by;
};
BOOST_DESCRIBE_STRUCT(Transfer, (), (id, project, kind, volume, version, datastore, source_directory,
                                     destination_directory, strategy, state, counts, error, created_at, started_at,
                                     ended_at, created_by))

// POST /volumes/{name}/imports and …/exports
struct NewTransfer {
  std::string datastore;
  std::optional<std::string> source_directory;
  std::optional<std::string> destination_directory;
  std::optional<Strategy> strategy;     // overwrite
  std::optional<std::string> version;   // export: "3", a tag or a checksum prefix; the head unless told
  std::optional<std::string> message;   // import: kept with the version
};
BOOST_DESCRIBE_STRUCT(NewTransfer, (), (datastore, source_directory, destination_directory, strategy, version, message))

enum class PlanAct { copy, skip, delete_ };
BOOST_DESCRIBE_ENUM(PlanAct, copy, skip, delete_)

struct PlanItem {
  PlanAct act{};
  std::string path;  // In the target.
  uint64_t size = 0;
  std::string reason;  // "new", "differs", "same", "exists", "only in target"
};
BOOST_DESCRIBE_STRUCT(PlanItem, (), (act, path, size, reason))

// What would move, be skipped and be deleted, before a byte does.
struct PlanView {
  Strategy strategy{};
  uint64_t copies = 0;
  uint64_t copy_bytes = 0;
  uint64_t skips = 0;
  uint64_t deletes = 0;
  uint64_t delete_bytes = 0;
  std::vector<PlanItem> items;  // The first 1000.
};
BOOST_DESCRIBE_STRUCT(PlanView, (), (strategy, copies, copy_bytes, skips, deletes, delete_bytes, items))

}  // namespace volary
