// volume/objects.h: the buckets of datastores and what lies in them, seen without any volume.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "record/object.h"
#include "volume/datastores.h"

namespace volary {

enum class Measure { no, yes };  // Whether the objects of each bucket are counted, which is one listing of all of it.

// One bucket of one datastore, and how to reach it.
struct BucketPlace {
  std::string datastore;
  std::string bucket;
};

// An object that can be read in pieces. Keeps its connection.
class OpenObject {
 public:
  OpenObject(std::shared_ptr<Remote> remote, std::string key) : remote_(std::move(remote)), key_(std::move(key)) {}
  // Throws `not_found`.
  BucketObject look();
  // Streams bytes [offset, offset + size) of the object with this etag into `sink`. As Remote::get() does; throws
  // `conflict` if it is another one by now. The whole object's size is in the result.
  BucketObject read(uint64_t offset, uint64_t size, const std::string& etag, Sink& sink);
  // The same; nothing for a range that reaches beyond the end.
  std::optional<BucketObject> read_if_within(uint64_t offset, uint64_t size, const std::string& etag, Sink& sink);
  const std::string& key() const { return key_; }

 private:
  std::shared_ptr<Remote> remote_;  // Shared with streams that go on when the call is over.
  std::string key_;
};

// Any thread may call.
class Objects {
 public:
  explicit Objects(Datastores& datastores) : datastores_(datastores) {}

  // Those whose names begin with `prefix`.
  std::vector<BucketView> list_buckets(const Caller& caller, const std::string& datastore, const std::string& prefix,
                                       Measure measure);
  // Throws `exists`, `invalid`.
  BucketView create_bucket(const Caller& caller, const std::string& datastore, const std::string& name);
  // Throws `conflict` if it holds anything.
  void remove_bucket(const Caller& caller, const BucketPlace& place);

  // What visits the objects whose keys begin with `prefix`, in byte order. It may be run when the call is over.
  std::function<ListingEnd(const std::function<void(const BucketObject&)>&)> lister(
      const Caller& caller, const BucketPlace& place, const std::string& prefix);
  OpenObject open(const Caller& caller, const BucketPlace& place, const std::string& key);
  // Takes `bytes` of `source`; visible only whole.
  BucketObject put(const Caller& caller, const BucketPlace& place, const std::string& key, Source& source,
                   uint64_t bytes);
  // At the store, without its bytes passing through here where that can be. A move that fails half way leaves both.
  BucketObject copy(const Caller& caller, const BucketPlace& place, const NewObjectCopy& wanted);
  // All it can; what it could not is in the answer.
  DeletedObjects remove(const Caller& caller, const BucketPlace& place, const ObjectsToDelete& wanted);

 private:
  std::unique_ptr<Account> account(const Caller& caller, const std::string& datastore);
  std::shared_ptr<Remote> bucket(const Caller& caller, const BucketPlace& place);

  Datastores& datastores_;
};

}  // namespace volary
