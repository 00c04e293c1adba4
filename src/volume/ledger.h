// volume/ledger.h: the rules of a volume's books: who holds it, what its quota has left, how its head moves.
//
// A writer that may wait stands in a queue of its volume (table lease_wait), the one that asked first in front. Nobody
// passes it: who may not wait is refused while somebody does. Who waits for several volumes gets all of them at once,
// when it is in front of every queue and all are free; queues are in one order, so this always comes about.
//
// Every function works inside the caller's transaction, so that a job or a transfer changes its own row in the same
// one. These are the only places that write the tables lease and lease_wait, the columns head, used_bytes,
// reserved_bytes and writer_epoch of volume, and that add to the table version.
//
//   I6   one writer: at most one writer's lease a volume; a commit with another epoch than the newest fails
//   I8   exactly once: a transfer or job makes at most one version of a volume
//   I11  quota: used + reserved <= quota, for the volume and summed over the project, at every moment
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "db/database.h"
#include "record/volume.h"
#include "store/tree.h"

namespace volary {

struct Holder {
  std::string kind;  // "job" or "transfer"
  std::string id;
};

// Lets the holder read `version` until it releases.
void take_reader(Transaction& transaction, const std::string& volume_id, uint64_t version, const Holder& holder,
                 Time now);
// Makes the holder the one writer; answers its epoch. Throws `conflict` naming the present writer and since when, or
// who waits to be the next.
uint64_t take_writer(Transaction& transaction, const std::string& volume_id, const std::string& volume_name,
                     uint64_t version, const Holder& holder, Time now);
// What is announced when leases have ended, for those who wait for them.
constexpr const char* leases_announcement = "leases";
// Ends all leases of the holder, and its waiting. None is fine.
void release_leases(Transaction& transaction, const Holder& holder);

// Who keeps a new writer of the volume waiting, as a sentence: "volume 'x' is being written by job job-1 since …".
std::optional<std::string> writer_ahead(Transaction& transaction, const std::string& volume_id,
                                        const std::string& volume_name);
// Puts the holder at the end of the volume's queue.
void wait_to_write(Transaction& transaction, const std::string& volume_id, const Holder& holder, Time now,
                   Time give_up_at);
// Of all volumes at once: makes the holder their writer, or, if one of them is not free and it may wait so long, puts
// it into all their queues. Throws as take_writer.
struct WantedVolume {
  std::string id;
  std::string name;
  uint64_t version = 0;
};
constexpr uint64_t wait_seconds_max = 28 * 86400;
enum class Admission { writes, waits };
Admission take_writers(Transaction& transaction, const std::vector<WantedVolume>& wanted, const Holder& holder,
                       std::optional<uint64_t> wait_seconds, Time now);
struct Waiting {
  Time asked_at;
  Time give_up_at;
  std::string reason;  // What is in its way, by the sentence of writer_ahead(); "" if nothing is any more.
};
// Nothing if the holder does not wait.
std::optional<Waiting> find_waiting(Transaction& transaction, const Holder& holder);
// Makes the holder the writer of all volumes it waits for, if it may be of all. True also if it waits for none.
bool take_waited(Transaction& transaction, const Holder& holder, Time now);

// Leases and waits whose holder has ended or is gone: what a holder that died left behind. Ends them; tells of each.
// A holder's row ends only after its process, so a lease never goes while somebody still works under it.
std::vector<std::string> end_dead_leases(Transaction& transaction);
// Counts used and reserved bytes anew, from the heads and from the transfers under way; tells of each correction.
std::vector<std::string> correct_books(Transaction& transaction);

// Promises `bytes` more of the volume's and the project's quota. Throws `exhausted` with the numbers.
void reserve_bytes(Transaction& transaction, const std::string& volume_id, uint64_t bytes);
void release_bytes(Transaction& transaction, const std::string& volume_id, uint64_t bytes);

struct NewVersion {
  std::string volume_id;
  TreeSummary tree;
  std::string author;
  std::string message;
  Origin origin{};
  Holder holder;                // Whose writer's lease this commits under; its id becomes the version's origin_id.
  uint64_t reserved_bytes = 0;  // Of the volume's reservation, given back by the commit.
  // Another origin_id than the holder: what a clone or restore came from, or one act of several of the holder's.
  std::string origin_id = {};
  std::string source_volume = {};  // Of a clone or restore: the id of its source's volume.
};

// Makes `tree` the newest version; its number. If the holder, or that act of it, made one already, that number, and
// nothing changes.
// Throws `conflict` if the holder's lease is gone or not the newest, `exhausted` if the new size does not fit the
// quota.
uint64_t commit_version(Transaction& transaction, const NewVersion& version, Time now);

}  // namespace volary
