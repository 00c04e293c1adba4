// volume/uploads.h: files that people send into a volume, by many requests, until they become one version.
//
// An upload is a row with rows of its files. Small files come whole, many in one request; large ones by parts, in any
// order, several at once, into staging files (store/staged_file.h). Whatever was acknowledged is asked for and not
// sent again, after the client's end, the server's, or both: a complete file is durable in the store before its row
// is, and a part survives the server's process. finish() makes all of it one version, merged into the newest, or
// nothing.
//
//   uploads.cc         beginning, looking, ending           upload_receive.cc  what comes in
//   upload_finish.cc   the version                          upload_store.cc    objects, of volumes kept in buckets
//   upload_rows.h      the statements they share
//
// While it is open an upload holds the volume's writer's lease and what it has reserved of the quota; it ends by itself
// when nothing has come for a while. Every function may be called from any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "core/synced.h"
#include "db/database.h"
#include "record/upload.h"
#include "store/staged_file.h"
#include "store/store.h"
#include "volume/datastores.h"
#include "volume/volumes.h"

namespace volary {

class BaseTree;
struct UploadRow;
struct UploadFileRow;

class Uploads {
 public:
  Uploads(Database& database, Store& store, Datastores& datastores, Clock& clock)
      : database_(database), store_(store), datastores_(datastores), clock_(clock) {}

  // Removes what ended uploads have left in the staging directory.
  void start();
  // Breaks off what is being put into buckets; such requests throw `unavailable`.
  void stop() { stopping_ = true; }

  // Throws `conflict` naming who writes the volume now, `exhausted` where it will not fit, `invalid`.
  Upload create(const Caller& caller, const std::string& volume, const NewUpload& request);
  // Newest first; of one volume, or "" of all; only those that are open, unless told.
  std::vector<Upload> list(const Caller& caller, const std::string& volume);
  Upload get(const Caller& caller, const std::string& id);
  // What has come, by path, after `after`, at most `limit`.
  std::vector<UploadFile> files(const Caller& caller, const std::string& id, const std::string& after, size_t limit);

  // Entries one after the other, each a line with a JSON UploadEntry and then, of a file, its bytes. They are durable
  // when this returns; if it throws, none of them is here. `corrupt` for bytes that are not what their digest says.
  UploadReceipt receive(const Caller& caller, const std::string& id, std::string_view entries);
  // The part of the file `path` that begins at `offset`, a multiple of Upload::part_bytes. `size`: of the whole file,
  // if it is known, so that what does not fit is refused at once.
  UploadReceipt receive_part(const Caller& caller, const std::string& id, const std::string& path, uint64_t offset,
                             std::optional<uint64_t> size, std::string_view bytes);
  // Makes the parts of a file one, durably. Throws `conflict` while some are missing; `corrupt` if they are not what
  // the digest says, and then all of them are forgotten.
  UploadFile complete(const Caller& caller, const std::string& id, const UploadCompletion& request);
  // Forgets a file that has come. Absent is success.
  void forget(const Caller& caller, const std::string& id, const std::string& path);

  // Makes the version. Again: the same answer. Throws `conflict` while files are incomplete. Of a volume that is kept
  // in a bucket the files are put there first; it may answer in between, still open, and is to be called again.
  Upload finish(const Caller& caller, const std::string& id, const UploadFinish& request);
  // Ends it, and nothing of it is left. Again: the same. Throws `conflict` for a finished one.
  Upload abort(const Caller& caller, const std::string& id);
  // Ends those to which nothing has come for too long; a line of each. Each minute is often enough.
  std::vector<std::string> expire();

 private:
  // An upload as this process works on it.
  struct Live {
    std::shared_mutex ending;  // Shared: something comes in. Alone: it ends, or a file of it is completed.
    Synced<std::map<uint64_t, std::shared_ptr<StagedFile>>> staged;  // Shared by the requests that write to one.
    Synced<std::shared_ptr<BaseTree>> base;  // Shared by the requests that look into it.
  };

  std::shared_ptr<Live> live_of(const std::string& id);
  UploadRow open_row(const Caller& caller, const std::string& id);
  uint64_t replaced_bytes(Live& live, const UploadRow& upload, const TreePath& path, UploadKind kind);
  Path directory_of(const std::string& id) const { return store_.root() / "uploads" / id; }
  Path staged_path(const std::string& id, uint64_t number) const { return directory_of(id) / std::to_string(number); }
  std::shared_ptr<StagedFile> staged_file(Live& live, const std::string& id, uint64_t number);
  void drop_staged(Live& live, const std::string& id, uint64_t number);
  uint64_t begin_part(Live& live, const UploadRow& upload, const TreePath& path, uint64_t end, bool is_known);
  void forget(Live& live, const UploadRow& upload, const UploadFileRow& file);
  TreeSummary make_tree(Commit& commit, const UploadRow& upload, const std::vector<UploadFileRow>& files);
  bool put_objects(const Caller& caller, const UploadRow& upload, const std::vector<UploadFileRow>& files);
  void end(Live& live, const UploadRow& upload, UploadState state);
  std::vector<ReceivedRange> received_of(const std::string& id, uint64_t number);

  Database& database_;
  Store& store_;
  Datastores& datastores_;
  Clock& clock_;
  std::atomic<bool> stopping_{false};
  Synced<std::map<std::string, std::shared_ptr<Live>>> live_;  // Shared by the requests that work on one.
};

}  // namespace volary
