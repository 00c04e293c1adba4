// volume/staged_volumes.h: volumes that hold what jobs attach from datastores, and the transfers that fill and push
// them.
//
// A staged volume is a volume in every respect but that it is in no list. It belongs to one job, and is emptied when
// that has ended and all that it changed is pushed; or it is kept, for a datastore's directory, and then all jobs of
// the project that attach that directory with `cache` share it, until nobody has used it for a while.
//
// A pull makes the volume what the datastore's directory holds: objects whose key, etag and size were seen before are
// not fetched again. A push touches only what changed in the volume since the version that the target has: it copies
// those files and, if asked, deletes those that went; whatever else others have done in the target stays. A file that
// cannot be copied for its name fails the push when all others are there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "record/datastore.h"
#include "volume/ledger.h"

namespace volary {

// A directory of a datastore.
struct StorePlace {
  Datastore datastore;
  std::string directory;  // "" is all of it.
};

bool is_staged(Transaction& transaction, const std::string& volume_id);
// An empty one for a job; its id. `name` is what messages call it: no other volume has it.
std::string make_staged(Transaction& transaction, const Caller& caller, const std::string& name,
                        const std::string& job_id, Time now);
// The one that is kept for `place`, used now; its id.
std::string keep_staged(Transaction& transaction, const Caller& caller, const StorePlace& place, Time now);
// Gives `to` the version `number` of `from` as its version 1, without a byte copied. `holder` is its writer.
void copy_version(Transaction& transaction, const std::string& from, uint64_t number, const std::string& to,
                  const std::string& author, const Holder& holder, Time now);

// For those who may write there: it is made if it is not there, and may be empty. For others it must have something.
enum class Absent { refused, made };

// Fills the volume from `place`, or joins those who just do; the transfer's id.
std::string pull_staged(Transaction& transaction, const Caller& caller, const std::string& volume_id,
                        const StorePlace& place, Absent absent, Time now);

enum class Removals { stay, go };
// What is pushed: `version`, as far as it differs from `since`, which `place` has.
struct Push {
  std::string volume_id;
  uint64_t version = 0;
  uint64_t since = 0;
  Removals removals{};
};
std::string push_staged(Transaction& transaction, const Caller& caller, const Push& push, const StorePlace& place,
                        Time now);

// Drops its versions. Nobody holds it.
void empty_staged(Transaction& transaction, const std::string& volume_id);

// Those that are kept for all jobs and hold something.
struct KeptStaged {
  std::string volume_id;
  std::string name;  // "gra:corpora/wiki"
  std::string tree;
  uint64_t bytes = 0;
  Time used_at;
  uint64_t users = 0;  // Leases, and jobs that are about to take one.
};
BOOST_DESCRIBE_STRUCT(KeptStaged, (), (volume_id, name, tree, bytes, used_at, users))
std::vector<KeptStaged> all_kept(Transaction& transaction);
// Forgets it, unless somebody uses it by now: then false. What jobs read of it stays known as theirs: the next one that
// is kept for its place is another.
bool drop_kept(Transaction& transaction, const std::string& volume_id);

// Those of ended jobs that are not needed any more: in ERROR a job's stay until it is removed.
std::vector<std::string> find_left_staged(Transaction& transaction);

// The datastore by name; nothing if there is none.
std::optional<Datastore> find_datastore(Transaction& transaction, const std::string& project, const std::string& name);

}  // namespace volary
