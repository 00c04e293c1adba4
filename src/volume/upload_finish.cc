// volume/upload_finish.cc: the part of volume/uploads.h about the version that an upload becomes.
//
// The version, the head, the end of the lease and the state "finished" are one transaction; whatever dies before it
// leaves the upload open, to be finished again.
#include "core/error.h"
#include "core/fault.h"
#include "core/tree_path.h"
#include "volume/ledger.h"
#include "volume/upload_rows.h"
#include "volume/uploads.h"

namespace volary {
namespace {

TreeEntry entry_of(const UploadFileRow& file) {
  TreeEntry entry;
  switch (file.kind) {
    case UploadKind::file:
      entry.size = file.size;
      entry.executable = file.executable;
      entry.digest = Digest::parse(file.digest);
      break;
    case UploadKind::directory:
      return directory_entry({}, empty_tree());
    case UploadKind::symlink:
      entry.kind = EntryKind::symlink;
      entry.target = file.target;
      break;
  }
  return entry;
}

void check_complete(const UploadRow& upload, const std::vector<UploadFileRow>& files, const UploadFinish& request) {
  const UploadFileRow* missing = nullptr;
  uint64_t incomplete = 0;
  for (const UploadFileRow& file : files) {
    if (file.complete) continue;
    if (!missing) missing = &file;
    ++incomplete;
  }
  if (missing)
    throw Error(Errc::conflict,
                "{} of the {} files of upload {} are incomplete, '{}' for one: expected all of their bytes", incomplete,
                files.size(), upload.id, missing->path);
  if (request.files && *request.files != files.size())
    throw Error(Errc::conflict, "upload {} has {} files: expected the {} that were sent", upload.id, files.size(),
                *request.files);
}

}  // namespace

TreeSummary Uploads::make_tree(Commit& commit, const UploadRow& upload, const std::vector<UploadFileRow>& files) {
  const Digest root = upload.base_tree.empty() ? empty_tree().tree : Digest::parse(upload.base_tree);
  BaseTree base(store_, root, fmt::format("version {} of volume '{}'", upload.base, upload.volume));
  std::vector<TreeChange> changes;
  changes.reserve(files.size());
  for (const UploadFileRow& file : files) {  // In the order of paths: a directory before what it holds.
    TreePath path = TreePath::parse(file.path);
    if (file.kind == UploadKind::directory && base.replaced(path, file.kind)) continue;
    if (file.kind == UploadKind::file && !commit.reuse_blob({Digest::parse(file.digest), file.size}))
      throw Error(Errc::corrupt, "the bytes of '{}' are not in the store any more: send that file again", file.path);
    changes.push_back({std::move(path), entry_of(file)});
  }
  return apply_changes(store_, commit, root, std::move(changes));
}

Upload Uploads::finish(const Caller& caller, const std::string& id, const UploadFinish& request) {
  get(caller, id);
  const auto live = live_of(id);
  const std::unique_lock alone(live->ending);
  if (const Upload upload = get(caller, id); upload.state == UploadState::finished) return upload;
  const UploadRow upload = open_row(caller, id);
  const auto files = database_.read([&](Transaction& transaction) {
    return transaction.all<UploadFileRow>(std::string(select_upload_file) + "WHERE upload = $1 ORDER BY path", id);
  });
  check_complete(upload, files, request);
  const auto commit = store_.begin_commit();
  const TreeSummary made = during(fmt::format("making the next version of volume '{}'", upload.volume),
                                  [&] { return make_tree(*commit, upload, files); });
  if (upload.is_in_bucket() && !put_objects(caller, upload, files)) return get(caller, id);
  commit->publish();
  fault::point("upload.published");
  database_.write([&](Transaction& transaction) {
    const UploadRow row = get_open_upload(transaction, caller.project, id);
    const Time now = clock_.now();
    uint64_t number = row.base;
    const std::string tree = row.base_tree.empty() ? empty_tree().tree.hex() : row.base_tree;
    if (made.tree.hex() != tree) {
      number = commit_version(transaction,
                              {row.volume_id, made, row.created_by, row.message, Origin::upload, {"upload", id},
                               row.reserved_bytes},
                              now);
    } else {
      release_bytes(transaction, row.volume_id, row.reserved_bytes);
    }
    transaction.run(
        "UPDATE upload SET state = 'finished', version = $2, reserved_bytes = 0, ended_at = $3 WHERE id = $1", id,
        number, now);
    transaction.run("DELETE FROM upload_file WHERE upload = $1", id);
    release_leases(transaction, {"upload", id});
  });
  fault::point("upload.finished");
  live->staged.lock()->clear();
  remove_tree(directory_of(id));
  live_.lock()->erase(id);
  return get(caller, id);
}

}  // namespace volary
