// record/transfer.h: one import, export or snapshot of a directory: what was asked, what is planned, how far it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "record/volume.h"

namespace volary {

enum class TransferKind {
  import,    // From a datastore into a volume.
  export_,   // From a volume to a datastore.
  snapshot,  // A directory of the server becomes the next version.
};
BOOST_DESCRIBE_ENUM(TransferKind, import, export_, snapshot)

enum class Strategy {
  overwrite,     // Copies what differs; keeps what only the target has.
  no_overwrite,  // Copies what the target lacks.
  mirror,        // The target becomes equal to the source, inside the target directory.
};
BOOST_DESCRIBE_ENUM(Strategy, overwrite, no_overwrite, mirror)

enum class TransferState {
  queued,     // Waits for a worker, or to become the volume's writer.
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
  uint64_t version = 0;  // export: the version read; import, snapshot: the version made (0: none, nothing changed)
  std::string datastore;            // Of a snapshot: "".
  std::string source_directory;       // Below the datastore or the volume; of a snapshot: an absolute path.
  std::string destination_directory;  // The other side.
  Strategy strategy{};
  TransferState state{};
  TransferCounts counts;
  std::string error;  // Of a failed one: "code: message".
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::string created_by;
  std::vector<std::string> left_out;  // snapshot: paths that are neither file, directory nor link; the first 100.
  std::string waits_for;              // queued: who keeps it from being the volume's writer; "" if nobody does.
};
BOOST_DESCRIBE_STRUCT(Transfer, (), (id, project, kind, volume, version, datastore, source_directory,
                                     destination_directory, strategy, state, counts, error, created_at, started_at,
                                     ended_at, created_by, left_out, waits_for))

// POST /volumes/{name}/imports and …/exports
struct NewTransfer {
  std::string datastore;
  std::optional<std::string> source_directory;
  std::optional<std::string> destination_directory;
  std::optional<Strategy> strategy;     // overwrite
  std::optional<std::string> version;   // export: "3", a tag or a checksum prefix; the head unless told
  std::optional<std::string> message;   // import: kept with the version
  // import: how long it may wait for the volume's present writer to end; not at all unless told
  std::optional<uint64_t> wait_seconds = {};
};
BOOST_DESCRIBE_STRUCT(NewTransfer, (), (datastore, source_directory, destination_directory, strategy, version, message,
                                        wait_seconds))

// POST /volumes/{name}/snapshots
struct NewSnapshot {
  std::string path;  // Of a directory of the server, absolute. The new version holds all of it and nothing else.
  std::optional<std::string> message;
  std::optional<uint64_t> wait_seconds;  // As of a NewTransfer.
  std::optional<NewVolume> new_volume;   // Makes the volume with the transfer; it stays, empty, if that fails.
};
BOOST_DESCRIBE_STRUCT(NewSnapshot, (), (path, message, wait_seconds, new_volume))

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
