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
enum class Origin { import, upload, job, clone, restore, snapshot, mount };
BOOST_DESCRIBE_ENUM(Origin, import, upload, job, clone, restore, snapshot, mount)

// Which versions may go by themselves: those that are outside every bound given here. The head never goes, nor a
// version that somebody holds. Without a number nothing goes.
struct Retention {
  std::optional<uint64_t> keep_versions;  // So many of the newest stay.
  std::optional<uint64_t> keep_days;      // So long each stays.
  std::optional<bool> keep_tagged;        // Whether those with tags stay; they do unless told.
};
BOOST_DESCRIBE_STRUCT(Retention, (), (keep_versions, keep_days, keep_tagged))

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
  uint64_t versions = 0;        // How many there are.
  uint64_t versions_bytes = 0;  // The sum of their logical bytes; what they share is kept once.
  Retention retention;
  std::string datastore = {};  // obs: that of the bucket which holds its objects …
  std::string directory = {};  // … and below which of its directories; "" is all of it.
};
BOOST_DESCRIBE_STRUCT(Volume, (), (id, project, name, data_type, storage_type, quota_bytes, used_bytes, reserved_bytes,
                                   tags, head, checksum, files, created_at, created_by, versions, versions_bytes,
                                   retention, datastore, directory))

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
  std::string origin_id;  // The transfer, job or mount; of a clone or restore "volume@3"; "" if none.
  std::vector<std::string> tags;
};
BOOST_DESCRIBE_STRUCT(Version, (), (volume, number, tree, checksum, files, bytes, author, created_at, message, origin,
                                    origin_id, tags))

// POST /volumes
struct NewVolume {
  std::string name;
  std::optional<DataType> data_type;        // other
  std::optional<StorageType> storage_type;  // fs
  std::optional<uint64_t> quota_bytes;      // 10 GiB
  std::vector<std::string> tags;
  std::optional<std::string> datastore = {};  // obs: as of a Volume, and so the next.
  std::optional<std::string> directory = {};
};
BOOST_DESCRIBE_STRUCT(NewVolume, (), (name, data_type, storage_type, quota_bytes, tags, datastore, directory))

// PATCH /volumes/{name}. Of the retention, what is given changes; 0 takes a bound away.
struct VolumeChange {
  std::optional<uint64_t> quota_bytes;
  std::optional<std::vector<std::string>> tags;
  std::optional<Retention> retention = {};
};
BOOST_DESCRIBE_STRUCT(VolumeChange, (), (quota_bytes, tags, retention))

// POST /volumes/{name}/clones
struct NewClone {
  std::string name;
  std::optional<std::string> project;   // Where it goes, by name or id; the caller's unless told.
  std::optional<std::string> version;   // The head unless told.
  std::optional<uint64_t> quota_bytes;  // As the source's unless told.
  std::optional<std::string> message;
};
BOOST_DESCRIBE_STRUCT(NewClone, (), (name, project, version, quota_bytes, message))

// POST /volumes/{name}/restore
struct NewRestore {
  std::string version;
  std::optional<std::string> message;
};
BOOST_DESCRIBE_STRUCT(NewRestore, (), (version, message))

// POST /volumes/{name}/prune
struct NewPrune {
  std::vector<std::string> versions;  // These; without any, those that the volume's retention lets go.
  bool tagged = false;                // Even those of them with tags.
  bool dry_run = false;
};
BOOST_DESCRIBE_STRUCT(NewPrune, (), (versions, tagged, dry_run))

struct Pruned {
  std::string volume;
  bool dry_run = false;           // Then nothing has gone.
  std::vector<Version> versions;  // What has gone, oldest first.
  uint64_t held = 0;              // Versions that stay only because somebody holds them.
};
BOOST_DESCRIBE_STRUCT(Pruned, (), (volume, dry_run, versions, held))

// One row of GET /volumes/{name}/files.
struct FileEntry {
  std::string path;
  std::string kind;  // "file", "directory" or "symlink"
  uint64_t size = 0;   // Of a directory: of all files below it.
  uint64_t files = 0;  // Of a directory: regular files and symbolic links below it; otherwise 1.
  bool executable = false;
  std::string digest;  // BLAKE3 of a file's bytes; "" otherwise.
  std::string target;  // Of a symlink.
};
BOOST_DESCRIBE_STRUCT(FileEntry, (), (path, kind, size, files, executable, digest, target))

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
  std::string id;    // "" of one that waits.
  std::string volume;
  std::string kind;  // "reader", "writer", or "waiting" to be the next writer
  uint64_t version = 0;
  uint64_t epoch = 0;  // Of a writer; only grows.
  std::string holder;  // "job job-…", "transfer xfer-…" or "mount mount-…"
  Time acquired_at;    // Of one that waits: since when.
  std::string name = {};  // Of a job; the path of a mount; what a transfer does.
  std::string user = {};  // Who started the holder.
};
BOOST_DESCRIBE_STRUCT(Lease, (), (id, volume, kind, version, epoch, holder, acquired_at, name, user))

}  // namespace volary
