// record/volume.h: volumes, their versions, and what people ask of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class DataType { model, dataset, other };
BOOST_DESCRIBE_ENUM(DataType, model, dataset, other)

enum class StorageType { fs, obs };
BOOST_DESCRIBE_ENUM(StorageType, fs, obs)

// Where a version came from.
enum class Origin { import, upload, job, clone, restore, snapshot };
BOOST_DESCRIBE_ENUM(Origin, import, upload, job, clone, restore, snapshot)

struct Volume {
  std::string id;
  std::string project;
  std::string name;
  DataType data_type{};
  StorageType storage_type{};
  uint64_t quota_bytes = 0;
  uint64_t used_bytes = 0;      // Logical bytes of the head.
  uint64_t reserved_bytes = 0;  // Promised to transfers and jobs under way.
  std::vector<std::string> tags;
  uint64_t head = 0;         // Number of the newest version; 0: none yet.
  std::string checksum;      // Of the head; "" without one.
  uint64_t files = 0;        // Of the head.
  Time created_at;
  std::string created_by;
};
BOOST_DESCRIBE_STRUCT(Volume, (), (id, project, name, data_type, storage_type, quota_bytes, used_bytes, reserved_bytes,
                                   tags, head, checksum, files, created_at, created_by))

struct Version {
  std::string volume;
  uint64_t number = 0;
  std::string tree;      // Digest of the root tree: the identity.
  std::string checksum;  // OICM digest: what `volary checksum` prints.
  uint64_t files = 0;    // Regular files and symbolic links.
  uint64_t bytes = 0;    // Logical bytes of the regular files.
  std::string author;
  Time created_at;
  std::string message;
  Origin origin{};
  std::string origin_id;  // The transfer or job; "" if none.
};
BOOST_DESCRIBE_STRUCT(Version, (), (volume, number, tree, checksum, files, bytes, author, created_at, message, origin,
                                    origin_id))

// POST /volumes
struct NewVolume {
  std::string name;
  std::optional<DataType> data_type;        // other
  std::optional<StorageType> storage_type;  // fs
  std::optional<uint64_t> quota_bytes;      // 10 GiB
  std::vector<std::string> tags;
};
BOOST_DESCRIBE_STRUCT(NewVolume, (), (name, data_type, storage_type, quota_bytes, tags))

// One row of GET /volumes/{name}/files.
struct FileEntry {
  std::string path;
  std::string kind;  // "file", "directory" or "symlink"
  uint64_t size = 0;
  bool executable = false;
  std::string digest;  // BLAKE3 of a file's bytes; "" otherwise.
  std::string target;  // Of a symlink.
};
BOOST_DESCRIBE_STRUCT(FileEntry, (), (path, kind, size, executable, digest, target))

// GET /volumes/{name}/verification
struct Verification {
  std::string volume;
  uint64_t number = 0;
  std::string checksum;  // Computed now, from the bytes on disk.
  uint64_t files = 0;
  uint64_t bytes = 0;
  bool whole = false;                // Every byte hashes to what the version says.
  std::vector<std::string> damaged;  // "path: what was found", at most 100.
};
BOOST_DESCRIBE_STRUCT(Verification, (), (volume, number, checksum, files, bytes, whole, damaged))

// Who holds a volume and how.
struct Lease {
  std::string id;
  std::string volume;
  std::string kind;  // "reader" or "writer"
  uint64_t version = 0;
  uint64_t epoch = 0;  // Of a writer; only grows.
  std::string holder;  // "job job-…" or "transfer xfer-…"
  Time acquired_at;
};
BOOST_DESCRIBE_STRUCT(Lease, (), (id, volume, kind, version, epoch, holder, acquired_at))

}  // namespace volary
