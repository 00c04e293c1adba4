// record/object.h: buckets and objects of a datastore, as the API and the command line speak of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

struct BucketView {
  std::string name;
  std::optional<Time> created_at;   // Absent where the store does not know.
  std::optional<uint64_t> objects;  // Absent unless they were counted, and could be.
  std::optional<uint64_t> bytes;
};
BOOST_DESCRIBE_STRUCT(BucketView, (), (name, created_at, objects, bytes))

// POST /datastores/{datastore}/buckets
struct NewBucket {
  std::string name;
};
BOOST_DESCRIBE_STRUCT(NewBucket, (), (name))

struct BucketObject {
  std::string key;
  uint64_t size = 0;
  std::string etag;  // Opaque; "" where the store has none.
  Time modified;
};
BOOST_DESCRIBE_STRUCT(BucketObject, (), (key, size, etag, modified))

enum class CopyAct { copy, move };
BOOST_DESCRIBE_ENUM(CopyAct, copy, move)

// POST …/buckets/{bucket}/copies
struct NewObjectCopy {
  std::string source;                 // A key of the bucket.
  std::string destination;            // A key.
  std::optional<std::string> bucket;  // Of the destination; the same unless told.
  std::optional<CopyAct> act;         // copy
};
BOOST_DESCRIBE_STRUCT(NewObjectCopy, (), (source, destination, bucket, act))

enum class WhenAbsent { ignore, fail };
BOOST_DESCRIBE_ENUM(WhenAbsent, ignore, fail)

constexpr size_t deleted_keys_max = 1000;

// POST …/buckets/{bucket}/deletions
struct ObjectsToDelete {
  std::vector<std::string> keys;          // At most deleted_keys_max.
  std::optional<WhenAbsent> when_absent;  // ignore
};
BOOST_DESCRIBE_STRUCT(ObjectsToDelete, (), (keys, when_absent))

// What could not be done to one object.
struct ObjectFailure {
  std::string key;
  std::string code;
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(ObjectFailure, (), (key, code, detail))

struct DeletedObjects {
  uint64_t deleted = 0;
  std::vector<ObjectFailure> failures;
};
BOOST_DESCRIBE_STRUCT(DeletedObjects, (), (deleted, failures))

// The last line of a listing: without it the listing is not whole.
struct ListingEnd {
  uint64_t objects = 0;
  uint64_t bytes = 0;
  uint64_t left_out = 0;  // Whose keys are no UTF-8 and can be named by nobody here.
};
BOOST_DESCRIBE_STRUCT(ListingEnd, (), (objects, bytes, left_out))

}  // namespace volary
