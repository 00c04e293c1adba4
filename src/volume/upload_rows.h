// volume/upload_rows.h: the tables upload and upload_file as the parts of Uploads read and write them, and the version
// on top of which an upload goes. For this folder only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/synced.h"
#include "db/database.h"
#include "record/upload.h"
#include "record/volume.h"
#include "store/store.h"

namespace volary {

// Of the row, what people are not shown too.
struct UploadRow {
  std::string id;
  std::string project;
  std::string volume_id;
  std::string volume;
  UploadState state{};
  uint64_t base = 0;
  std::string base_tree;  // "" without a base.
  std::string directory;
  std::string message;
  int64_t growth = 0;
  uint64_t reserved_bytes = 0;
  Time touched_at;
  int64_t expire_seconds = 0;
  std::string created_by;
  StorageType storage_type{};    // Of the volume, and so the next three.
  std::string datastore;
  std::string bucket_directory;
  std::string datastore_kind;    // "" unless it is in a bucket.
  bool is_in_bucket() const { return storage_type == StorageType::obs; }
};
BOOST_DESCRIBE_STRUCT(UploadRow, (), (id, project, volume_id, volume, state, base, base_tree, directory, message,
                                      growth, reserved_bytes, touched_at, expire_seconds, created_by,
                                      storage_type, datastore, bucket_directory, datastore_kind))

struct UploadFileRow {
  std::string path;
  UploadKind kind{};
  uint64_t size = 0;
  bool executable = false;
  std::string digest;
  std::string target;
  bool complete = false;
  uint64_t staged = 0;
  uint64_t replaced_bytes = 0;
  bool stored = false;
};
BOOST_DESCRIBE_STRUCT(UploadFileRow, (), (path, kind, size, executable, digest, target, complete, staged,
                                          replaced_bytes, stored))

constexpr std::string_view select_upload_file =
    "SELECT path, kind, size, executable, digest, target, complete, staged, replaced_bytes, stored FROM upload_file ";

// Throws `not_found` unless it is one of the project.
UploadRow get_upload_row(Transaction& transaction, const std::string& project, const std::string& id);
// The same, and `conflict` unless it is open.
UploadRow get_open_upload(Transaction& transaction, const std::string& project, const std::string& id);
std::optional<UploadFileRow> find_upload_file(Transaction& transaction, const std::string& id, const std::string& path);

// What rows of files that come or go change in the upload's own row.
struct UploadChange {
  int64_t files = 0;
  int64_t bytes = 0;
  int64_t growth = 0;
};
// Writes the row in place of one of the same path.
void put_upload_file(Transaction& transaction, const std::string& id, const UploadFileRow& file, UploadChange& change);
// Takes it away.
void drop_upload_file(Transaction& transaction, const std::string& id, const UploadFileRow& file, UploadChange& change);
// Once for all of them: counts, and reserves what is lacking. Throws `exhausted`.
void change_upload(Transaction& transaction, const UploadRow& upload, const UploadChange& change, Time now);

// The version on top of which an upload goes, for many questions about it.
class BaseTree {
 public:
  // `root` of version `number`, or an empty one.
  BaseTree(const Store& store, const Digest& root, std::string name)
      : store_(store), root_(root), name_(std::move(name)) {}

  // What stands at `path`. Throws `invalid` if something of kind `kind` cannot stand there: a directory is there, or
  // something that is none on the way to it.
  std::optional<TreeEntry> replaced(const TreePath& path, UploadKind kind);

 private:
  const Tree& tree_of(const Digest& digest);

  const Store& store_;
  const Digest root_;
  const std::string name_;           // "version 3 of volume 'wiki'"
  std::map<Digest, Tree> recent_;    // Trees read last, at most so many entries in all.
  size_t entries_ = 0;
};

}  // namespace volary
