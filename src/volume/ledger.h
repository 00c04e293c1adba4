// volume/ledger.h: the rules of a volume's books: who holds it, what its quota has left, how its head moves.
//
// Every function works inside the caller's transaction, so that a job or a transfer changes its own row in the same
// one. These are the only places that write the tables lease and version and the columns head, used_bytes,
// reserved_bytes and writer_epoch of volume.
//
//   I6   one writer: at most one writer's lease a volume; a commit with another epoch than the newest fails
//   I8   exactly once: a transfer or job makes at most one version of a volume
//   I11  quota: used + reserved <= quota, for the volume and summed over the project, at every moment
#pragma once

#include <cstdint>
#include <string>

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
// Makes the holder the one writer; answers its epoch. Throws `conflict` naming the present writer and since when.
uint64_t take_writer(Transaction& transaction, const std::string& volume_id, const std::string& volume_name,
                     uint64_t version, const Holder& holder, Time now);
// Ends all leases of the holder. None is fine.
void release_leases(Transaction& transaction, const Holder& holder);

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
};

// Makes `tree` the newest version; its number. If the holder made one already, that number, and nothing changes.
// Throws `conflict` if the holder's lease is gone or not the newest, `exhausted` if the new size does not fit the
// quota.
uint64_t commit_version(Transaction& transaction, const NewVersion& version, Time now);

}  // namespace volary
