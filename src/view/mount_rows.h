// view/mount_rows.h: the table mount. For this folder only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/digest.h"
#include "db/database.h"
#include "record/mount.h"

namespace volary {

// A row with what finding its tree takes.
struct MountRow {
  std::string id;
  std::string project;
  std::string volume_id;
  std::string volume;
  uint64_t version = 0;
  std::string tree;  // Of the version; "" for an empty volume.
  std::string path;
  MountAccess access{};
  MountKind kind{};
  MountState state{};
  std::string note;
  std::string message;
  std::string author;
  bool discard = false;
  Time created_at;
  std::string created_by;
};
BOOST_DESCRIBE_STRUCT(MountRow, (), (id, project, volume_id, volume, version, tree, path, access, kind, state, note,
                                     message, author, discard, created_at, created_by))

std::optional<MountRow> find_mount(Transaction& transaction, const std::string& id);
// By id, after the id `after`, at most `limit`; of all projects if `project` is "", at all paths if `path` is "".
std::vector<MountRow> mount_rows(Transaction& transaction, const std::string& project, const std::string& path,
                                 const std::string& after, size_t limit);
// Takes the lease that it needs and writes its row.
MountRow add_mount(Transaction& transaction, const Caller& caller, const std::string& id, const NewMount& wanted,
                   Time now);
void set_mount_state(Transaction& transaction, const std::string& id, MountState state, const std::string& note);
// Ends its lease and removes its row.
void remove_mount(Transaction& transaction, const std::string& id);

Digest tree_of(const MountRow& row);

}  // namespace volary
