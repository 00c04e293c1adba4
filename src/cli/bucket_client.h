// cli/bucket_client.h: one bucket of a datastore, through the server's API. Any thread may call.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/object_names.h"
#include "record/object.h"

namespace volary {

// "datastores/gra/buckets/data/…"
std::string buckets_path(const std::string& datastore);

class BucketClient {
 public:
  BucketClient(Client& client, const std::string& datastore, const std::string& bucket)
      : client_(client), datastore_(datastore), bucket_(bucket) {}

  // Returns only after a whole listing. None of the objects is kept.
  ListingEnd list(const std::string& prefix, const std::function<void(const BucketObject&)>& visit) const;
  BucketObject get(const std::string& key) const;  // Throws `not_found`.
  bool is_present(const std::string& key) const;
  BucketObject put(const std::string& key, Source& source, uint64_t bytes) const;
  // The bytes from `offset` on of exactly this object.
  void read(const BucketObject& object, uint64_t offset, Sink& sink) const;
  BucketObject copy(const NewObjectCopy& wanted) const;
  DeletedObjects remove(const std::vector<std::string>& keys, WhenAbsent when_absent) const;  // deleted_keys_max.

  const std::string& bucket() const { return bucket_; }

 private:
  std::string path(const std::string& below) const;

  Client& client_;
  const std::string datastore_;
  const std::string bucket_;
};

}  // namespace volary
