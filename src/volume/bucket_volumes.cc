// volume/bucket_volumes.cc: what may be a volume's bucket, for volume/bucket_volumes.h; staging is a transfer
// (transfers.cc), uploads put their objects in upload_store.cc.
#include "volume/bucket_volumes.h"

#include "core/error.h"
#include "record/datastore.h"

namespace volary {
namespace {

struct Kept {
  std::string name;
  std::string directory;
};
BOOST_DESCRIBE_STRUCT(Kept, (), (name, directory))

struct Kind {
  DatastoreKind kind{};
  std::string bucket;
};
BOOST_DESCRIBE_STRUCT(Kind, (), (kind, bucket))

bool is_within(const std::string& inner, const std::string& outer) {
  return outer.empty() || inner == outer || inner.starts_with(outer + "/");
}

// Every object belongs to one volume, or quotas would count it twice.
void check_alone(Transaction& transaction, const Caller& caller, const BucketDirectory& wanted) {
  const std::string& directory = wanted.directory.text();
  for (const Kept& other : transaction.all<Kept>(
           "SELECT name, directory FROM volume WHERE project = $1 AND storage_type = 'obs' AND datastore = $2",
           caller.project, wanted.datastore))
    if (is_within(other.directory, directory) || is_within(directory, other.directory))
      throw Error(Errc::conflict,
                  "{}:{} holds objects of volume '{}', which is kept in {}:{}: expected a directory of its own",
                  wanted.datastore, directory, other.name, wanted.datastore, other.directory);
}

}  // namespace

std::string bucket_place(const Volume& volume) { return volume.datastore + ":" + volume.directory; }

BucketDirectory directory_of_new(Transaction& transaction, const Caller& caller, const NewVolume& request) {
  const bool is_obs = request.storage_type.value_or(StorageType::fs) == StorageType::obs;
  if (!is_obs && (request.datastore || request.directory))
    throw Error(Errc::invalid,
                "a volume of storage type 'fs' is kept in this server's store: expected no datastore, or storage type "
                "'obs'");
  if (!is_obs) return {};
  BucketDirectory wanted{request.datastore.value_or(""), TreePath::parse_directory(request.directory.value_or(""))};
  if (wanted.datastore.empty())
    throw Error(Errc::invalid,
                "a volume of storage type 'obs' is kept in a bucket: expected the datastore that has it");
  const auto found = transaction.find<Kind>("SELECT kind, bucket FROM datastore WHERE project = $1 AND name = $2",
                                            caller.project, wanted.datastore);
  if (!found)
    throw Error(Errc::not_found, "there is no datastore '{}' in this project", printable(wanted.datastore));
  const bool has_buckets = found->kind == DatastoreKind::s3 || found->kind == DatastoreKind::swift;
  if (!has_buckets && found->kind != DatastoreKind::directory)
    throw Error(Errc::invalid,
                "datastore '{}' is of kind '{}': a volume can be kept in one of kind s3, swift or directory",
                wanted.datastore, name_of_value(found->kind));
  if (has_buckets && found->bucket.empty())
    throw Error(Errc::invalid, "datastore '{}' has no bucket of its own: expected one that was added with its bucket",
                wanted.datastore);
  check_alone(transaction, caller, wanted);
  return wanted;
}

void refuse_in_bucket(const Volume& volume, std::string_view act) {
  if (is_in_bucket(volume))
    throw Error(Errc::invalid,
                "volume '{}' is kept in a bucket ({}) and cannot be {}: expected one of storage type 'fs'; what is put "
                "into the bucket, or uploaded, becomes its next version", volume.name, bucket_place(volume), act);
}

}  // namespace volary
