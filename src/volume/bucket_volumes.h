// volume/bucket_volumes.h: volumes of storage type obs, whose files are ordinary objects, under their own names, in a
// directory of a datastore's bucket.
//
// The bucket is the truth; other tools may write it at any time. A version of such a volume is what the bucket held at
// some moment, staged: brought into the store by an import that mirrors it. Of objects that were seen before (key, etag
// and size) no byte is fetched again. A job that attaches the volume without naming a version gets one staged for it.
// What an upload brings is put into the bucket first and is a version of the volume afterwards. Nothing else writes
// such a volume: a version that the bucket does not hold would be undone by the next staging.
#pragma once

#include <string>
#include <string_view>

#include "access/caller.h"
#include "core/clock.h"
#include "core/tree_path.h"
#include "db/database.h"
#include "record/volume.h"

namespace volary {

inline bool is_in_bucket(const Volume& volume) { return volume.storage_type == StorageType::obs; }

// "corpora:wiki", for messages.
std::string bucket_place(const Volume& volume);

// Where a new volume keeps its objects; nowhere, if it is none of these. Throws `invalid` for a datastore that cannot
// be written or listed, `not_found` for one that is not there, `conflict` where another volume has objects already.
struct BucketDirectory {
  std::string datastore;
  TreePath directory;
};
BucketDirectory directory_of_new(Transaction& transaction, const Caller& caller, const NewVolume& request);

// Throws `invalid` for a volume kept in a bucket: it cannot be `act` ("imported into").
void refuse_in_bucket(const Volume& volume, std::string_view act);

// Asks for the staging of what the volume's bucket holds, or joins one that has not begun to look; the transfer's id.
// It becomes the volume's writer when nobody else is.
std::string stage_bucket(Transaction& transaction, const Caller& caller, const Volume& volume, Time now);

}  // namespace volary
