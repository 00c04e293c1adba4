// record/store.h: the store's upkeep: what people ask of it, what it found, and what it did.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

// Of objects or of trees, or of both.
struct ObjectAmount {
  uint64_t objects = 0;
  uint64_t bytes = 0;
  void add(uint64_t more) { ++objects, bytes += more; }
};
BOOST_DESCRIBE_STRUCT(ObjectAmount, (), (objects, bytes))

// --- sweep: what nothing refers to goes

// POST /store/sweeps
struct SweepRequest {
  bool apply = false;                             // Otherwise only say what would happen.
  std::optional<int64_t> min_age_seconds;         // Unused for so long; 24 h
  std::optional<int64_t> between_marks_seconds;   // Unreferenced twice, so far apart; 4 h
  std::optional<int64_t> quarantine_age_seconds;  // Then in quarantine for so long; 24 h
};
BOOST_DESCRIBE_STRUCT(SweepRequest, (), (apply, min_age_seconds, between_marks_seconds, quarantine_age_seconds))

struct SweepReport {
  bool applied = false;
  ObjectAmount live;           // Something refers to them.
  ObjectAmount too_young;      // Nothing does, but they were used a short while ago.
  ObjectAmount candidates;     // Nothing does, and they are old: they wait for their second mark.
  ObjectAmount quarantined;    // Moved to quarantine now; in a plan: would be.
  ObjectAmount in_quarantine;  // Moved there earlier; they wait.
  ObjectAmount unlinked;       // Deleted from quarantine now; in a plan: would be.
  ObjectAmount brought_back;   // Found in quarantine although something refers to them.
  uint64_t images = 0;         // Images of trees that nothing refers to, deleted.
  std::string remark;          // Why nothing could age: "the clock moved by 3 years: all ages begin anew".
};
BOOST_DESCRIBE_STRUCT(SweepReport, (), (applied, live, too_young, candidates, quarantined, in_quarantine, unlinked,
                                        brought_back, images, remark))

// --- scrub: every byte is read

// POST /store/scrubs
struct ScrubRequest {
  std::optional<uint64_t> bytes_per_second;  // 200 MiB; 0: as fast as it goes
  bool resume = false;                       // Go on where the last one stopped.
};
BOOST_DESCRIBE_STRUCT(ScrubRequest, (), (bytes_per_second, resume))

struct ScrubReport {
  ObjectAmount trees;
  ObjectAmount objects;
  uint64_t images = 0;
  uint64_t images_dropped = 0;   // Damaged or outdated; they are made again when needed.
  uint64_t read_past_cache = 0;  // Of the objects and trees: read from the disk itself and compared with the cache.
  uint64_t damaged = 0;          // Objects and trees; see the list of damage.
  uint64_t versions = 0;         // Rows of the database compared with their trees.
  std::vector<std::string> database;  // What is wrong with it; at most 100.
  bool complete = false;              // Otherwise it was stopped on the way.
};
BOOST_DESCRIBE_STRUCT(ScrubReport, (), (trees, objects, images, images_dropped, read_past_cache, damaged, versions,
                                        database, complete))

// --- check: all that versions refer to is there

// POST /store/checks
struct CheckRequest {
  bool accept_restored = false;  // The database is older than the store, on purpose: sweep again if all is there.
};
BOOST_DESCRIBE_STRUCT(CheckRequest, (), (accept_restored))

struct CheckReport {
  bool clean = false;
  uint64_t versions = 0;
  ObjectAmount trees;                  // Of all versions, each once.
  ObjectAmount objects;
  uint64_t damaged = 0;                // Missing, unreadable or of a wrong size; see the list of damage.
  std::vector<std::string> strays;     // Names in the store that are none of its own; at most 100.
  std::string restored;                // Not empty: the database is older than the store.
};
BOOST_DESCRIBE_STRUCT(CheckReport, (), (clean, versions, trees, objects, damaged, strays, restored))

// --- repair

// POST /store/repairs
struct RepairRequest {
  std::optional<std::string> from;        // DATASTORE: what was imported from there. DATASTORE:PREFIX: a backup there.
  std::optional<std::string> from_store;  // Another store's, data directory's or backup's path on the server.
};
BOOST_DESCRIBE_STRUCT(RepairRequest, (), (from, from_store))

struct RepairedObject {
  std::string kind;  // "blob" or "tree"
  std::string digest;
  std::string what;               // What was wrong.
  std::string source;             // Where good bytes came from; "" if there were none.
  std::vector<std::string> uses;  // "wiki@3: a/b.txt" that stay damaged; at most 10.
};
BOOST_DESCRIBE_STRUCT(RepairedObject, (), (kind, digest, what, source, uses))

struct RepairReport {
  uint64_t repaired = 0;
  uint64_t unrepaired = 0;
  std::vector<RepairedObject> objects;  // At most 1000, those that could not be repaired first.
};
BOOST_DESCRIBE_STRUCT(RepairReport, (), (repaired, unrepaired, objects))

// --- backup

// POST /store/backups
struct BackupRequest {
  std::string target;           // A directory on the server, or DATASTORE:PREFIX.
  std::optional<uint64_t> keep; // Afterwards delete all but the newest so many.
  bool with_key = false;        // With the key that opens the secrets.
};
BOOST_DESCRIBE_STRUCT(BackupRequest, (), (target, keep, with_key))

// The manifest of one backup: backups/ID/manifest.json of the target, written last.
struct Backup {
  uint64_t format = 1;
  std::string id;
  std::string store;   // Whose: the store's identity.
  Time created_at;
  std::string program;  // "volary 0.1.0"
  int64_t schema = 0;   // Of the database.
  uint64_t epoch = 0;
  uint64_t volumes = 0;
  uint64_t versions = 0;
  ObjectAmount trees;
  ObjectAmount objects;
  uint64_t database_bytes = 0;
  std::string database_digest;
  std::string list_digest;  // Of the list of its objects.
  uint64_t missing = 0;     // Objects that were damaged or missing in the store itself.
  bool with_key = false;
};
BOOST_DESCRIBE_STRUCT(Backup, (), (format, id, store, created_at, program, schema, epoch, volumes, versions, trees,
                                   objects, database_bytes, database_digest, list_digest, missing, with_key))

struct BackupReport {
  Backup backup;
  std::string target;
  ObjectAmount copied;  // The others were there already.
  uint64_t pruned = 0;  // Older backups deleted.
  ObjectAmount freed;   // Objects that only those had.
};
BOOST_DESCRIBE_STRUCT(BackupReport, (), (backup, target, copied, pruned, freed))

struct BackupVerification {
  Backup backup;
  bool whole = false;
  std::vector<std::string> damaged;  // At most 100.
};
BOOST_DESCRIBE_STRUCT(BackupVerification, (), (backup, whole, damaged))

// POST /store/backup-verifications
struct VerifyBackupRequest {
  std::string target;
  std::optional<std::string> at;  // The newest unless told.
};
BOOST_DESCRIBE_STRUCT(VerifyBackupRequest, (), (target, at))

// --- all of them

enum class UpkeepKind { sweep, scrub, check, repair, backup, verify_backup };
BOOST_DESCRIBE_ENUM(UpkeepKind, sweep, scrub, check, repair, backup, verify_backup)

enum class UpkeepState {
  running,
  done,
  failed,
  stopped,  // Somebody asked it to end, or the server ended.
};
BOOST_DESCRIBE_ENUM(UpkeepState, running, done, failed, stopped)

struct UpkeepCounts {
  uint64_t objects_done = 0;
  uint64_t objects_total = 0;  // 0: not known.
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};
BOOST_DESCRIBE_STRUCT(UpkeepCounts, (), (objects_done, objects_total, bytes_done, bytes_total))

// One run; of its reports, the one of its kind.
struct UpkeepRun {
  std::string id;
  UpkeepKind kind{};
  UpkeepState state{};
  std::string phase;       // "marking", "reading objects", …
  UpkeepCounts counts;     // Of the phase.
  std::string started_by;  // "schedule", or a name.
  Time started_at;
  std::optional<Time> ended_at;
  std::string error;  // Of a failed one: "code: message".
  std::optional<SweepReport> sweep;
  std::optional<ScrubReport> scrub;
  std::optional<CheckReport> check;
  std::optional<RepairReport> repair;
  std::optional<BackupReport> backup;
  std::optional<BackupVerification> verification;
};
BOOST_DESCRIBE_STRUCT(UpkeepRun, (), (id, kind, state, phase, counts, started_by, started_at, ended_at, error, sweep,
                                      scrub, check, repair, backup, verification))

// One row of GET /store/damage
struct StoreDamage {
  std::string kind;  // "blob", "tree" or "database"
  std::string digest;
  std::string what;
  std::string found_by;  // "scrub" or "check"
  Time found_at;
  std::vector<std::string> uses;  // "wiki@3: a/b.txt", at most 10.
};
BOOST_DESCRIBE_STRUCT(StoreDamage, (), (kind, digest, what, found_by, found_at, uses))

// GET /store/stats
struct StoreStats {
  std::string store;        // Its directory.
  std::string read_only;    // Why it takes no new versions; "" if it does.
  ObjectAmount objects;
  ObjectAmount trees;
  uint64_t versions = 0;
  uint64_t logical_bytes = 0;  // Sum of all versions, as if each had its own copy.
  double sharing = 0;          // Logical bytes for each stored one.
  ObjectAmount quarantine;
  ObjectAmount images;
  ObjectAmount tmp;
  uint64_t free_bytes = 0;
  uint64_t epoch = 0;
  uint64_t damaged = 0;
  std::optional<UpkeepRun> running;
  std::vector<UpkeepRun> last;  // The last of each kind, with its report.
};
BOOST_DESCRIBE_STRUCT(StoreStats, (), (store, read_only, objects, trees, versions, logical_bytes, sharing, quarantine,
                                       images, tmp, free_bytes, epoch, damaged, running, last))

}  // namespace volary
