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

// total = completed + skipped + failed at the end, whatever it is (invariant I10); deleted are files of the target.
struct TransferCounts {
  uint64_t total = 0;      // Files of the source, and what was listed there that is none.
  uint64_t processed = 0;  // completed + skipped + failed
  uint64_t completed = 0;
  uint64_t skipped = 0;
  uint64_t failed = 0;     // What did not arrive, also because something else went wrong first.
  uint64_t deleted = 0;
  uint64_t bytes_total = 0;        // Of the files to be copied.
  uint64_t bytes_done = 0;         // Of those that are where they belong, also those that were there already.
  uint64_t transferred_bytes = 0;  // That travelled.
};
BOOST_DESCRIBE_STRUCT(TransferCounts, (), (total, processed, completed, skipped, failed, deleted, bytes_total,
                                           bytes_done, transferred_bytes))

enum class FileOutcome { failed, skipped };
BOOST_DESCRIBE_ENUM(FileOutcome, failed, skipped)

// A file that a transfer did not copy, for a reason of its own.
struct TransferFailure {
  std::string path;  // In the source; of a key that cannot name a file, the key with its odd bytes as \x1b.
  std::string reason;
  FileOutcome outcome = FileOutcome::failed;
};
BOOST_DESCRIBE_STRUCT(TransferFailure, (), (path, reason, outcome))

// What two sides were when a plan was made of them. A transfer that is given one refuses if either is another by now.
struct PlanSides {
  uint64_t version = 0;  // Of the volume; 0: it had none.
  std::string tree;      // Its digest.
  uint64_t objects = 0;  // In the datastore's directory, those that filters leave out not counted.
  std::string listing;   // Digest of their keys, etags and sizes.
};
BOOST_DESCRIBE_STRUCT(PlanSides, (), (version, tree, objects, listing))

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
  std::vector<std::string> include;   // As of a NewTransfer, and so the next four.
  std::vector<std::string> exclude;
  std::string trash;
  bool confirmed = false;
  bool skip_conflicts = false;
  std::optional<PlanSides> expected;
  std::string revision;  // import of a repository: the commit that was read
  std::string verified;  // export: how what arrived was held against what was sent; "" if it was not.
  std::string retry_of;  // The id of a transfer that ended before all was done, which this one repeats; "": none.
  std::optional<PlanSides> found = {};  // What both sides were when it began: of an import, what exactly it read.
  std::vector<TransferFailure> failures;  // The first 10, of one transfer that was asked for by its id.
};
BOOST_DESCRIBE_STRUCT(Transfer, (), (id, project, kind, volume, version, datastore, source_directory,
                                     destination_directory, strategy, state, counts, error, created_at, started_at,
                                     ended_at, created_by, left_out, waits_for, include, exclude, trash, confirmed,
                                     skip_conflicts, expected, revision, verified, retry_of, found, failures))

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
  std::vector<std::string> include = {};  // Patterns as of sync/filter.h: only what one of these matches; none: all …
  std::vector<std::string> exclude = {};  // … but nothing that one of these matches. What is left out is not deleted.
  // A directory of the target's datastore or volume that keeps what is replaced or deleted, under the transfer's id.
  std::optional<std::string> trash = {};
  bool confirmed = false;       // mirror: may delete more than half of the target's files
  bool skip_conflicts = false;  // Files that cannot be copied for their names are left out, instead of refusing all.
  std::optional<PlanSides> expected = {};  // Refuses if a side is not what it was when a plan was made.
};
BOOST_DESCRIBE_STRUCT(NewTransfer, (), (datastore, source_directory, destination_directory, strategy, version, message,
                                        wait_seconds, include, exclude, trash, confirmed, skip_conflicts, expected))

// POST /volumes/{name}/snapshots
struct NewSnapshot {
  std::string path;  // Of a directory of the server, absolute. The new version holds all of it and nothing else.
  std::optional<std::string> message;
  std::optional<uint64_t> wait_seconds;  // As of a NewTransfer.
  std::optional<NewVolume> new_volume;   // Makes the volume with the transfer; it stays, empty, if that fails.
};
BOOST_DESCRIBE_STRUCT(NewSnapshot, (), (path, message, wait_seconds, new_volume))

}  // namespace volary
