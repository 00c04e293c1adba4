// volume/backup.h: copies of the database and of all that it refers to, in a directory or an object store.
//
//   volary-backup                  {"format":1,"store":"…"}: whose backups these are
//   objects/ab/cdef…, trees/ab/cdef…    as in the store; shared by all backups here
//   backups/ID/database.db         a copy of the database, as it was at one moment
//   backups/ID/objects.txt         what that refers to: lines "blob DIGEST SIZE", "tree DIGEST SIZE", sorted
//   backups/ID/secret.key          only if it was asked for
//   backups/ID/manifest.json       record/store.h: Backup. Written last: without it there is no such backup
//
// The database is copied first, then what the copy refers to; no sweep runs meanwhile. So everything that a copied
// version needs was there when it was copied, and is in the backup. One server at a time writes to a target.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/progress.h"
#include "record/store.h"
#include "remote/remote.h"
#include "store/store.h"
#include "volume/upkeep_work.h"

namespace volary {

std::string backup_key(const std::string& prefix, ObjectKind kind, const Digest& digest);

struct ListedObject {
  ObjectKind kind{};
  Digest digest;
  uint64_t bytes = 0;
};

// objects.txt of a backup, as it was written. Throws `corrupt`, naming the line, for any other text.
std::vector<ListedObject> parse_object_list(std::string_view text);
// manifest.json of the backup `id`. Throws `corrupt` if it is not one, `invalid` if a newer program wrote it.
Backup parse_manifest(std::string_view text, const std::string& id);

// A place with backups. Reads go through a Remote; writing into a directory goes by many files at once.
class BackupTarget {
 public:
  // `directory`: the target is one, of this machine. `prefix`: below the remote's root; "" or ending in "/".
  BackupTarget(std::shared_ptr<Remote> remote, std::string prefix, std::optional<Path> directory);

  std::string description() const;
  Remote& remote() const { return *remote_; }
  std::string key(const std::string& name) const { return prefix_ + name; }
  std::string key(ObjectKind kind, const Digest& digest) const { return backup_key(prefix_, kind, digest); }

  // The manifests, oldest first.
  std::vector<Backup> backups() const;
  // By id, or the newest for "". Throws `not_found`.
  Backup get(const std::string& id) const;
  std::vector<ListedObject> objects_of(const Backup& backup) const;
  // All objects that lie here, whoever needs them.
  void each_object(const std::function<void(const ListedObject&)>& visit) const;

  void get_bytes(const std::string& name, Sink& sink) const;
  // What `name` hashes to: in a directory, as the disk has it. Throws `unavailable` when asked to stop.
  Digest digest_of(const std::string& name, const std::stop_token& stop) const;
  std::optional<std::string> find_text(const std::string& name) const;
  void put_text(const std::string& name, std::string_view text);
  // Throws `corrupt`, keeping nothing, if the file's bytes do not hash to `digest`. In a directory, durable only after
  // settle(). Throws `unavailable` when asked to stop. Any thread.
  void put_file(const std::string& name, const Path& file, const Digest& digest, const std::stop_token& stop);
  void settle();
  // Forgets what an interrupted backup left of such files.
  void clear_staged();
  void remove(const std::string& name);

 private:
  std::shared_ptr<Remote> remote_;
  const std::string prefix_;
  const std::optional<Path> directory_;
  Synced<std::vector<std::pair<Path, Path>>> staged_;  // Files of a directory that wait for a sync, and their names.
};

// "/srv/backups", which must be there, or "DATASTORE:PREFIX", for a server.
std::unique_ptr<BackupTarget> open_backup_target(const UpkeepParts& parts, const Caller& caller,
                                                 const std::string& target);
// A directory, or "s3://BUCKET/PREFIX" with the credentials of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: for the
// program alone.
struct PlaceOfBackups {
  std::string target;
  std::string endpoint;
  std::string region;
};
std::unique_ptr<BackupTarget> open_backup_target(const PlaceOfBackups& place, HttpClient& http, Clock& clock);

BackupReport create_backup(const UpkeepParts& parts, const Caller& caller, const BackupRequest& request,
                           UpkeepLive& live);
// Deletes all but the newest `keep`, then what no backup refers to.
void prune_backups(BackupTarget& target, uint64_t keep, BackupReport& report, const UpkeepLive& live);
// Reads and hashes all of a backup.
BackupVerification verify_backup(const BackupTarget& target, const std::string& id, Progress& progress,
                                 const std::stop_token& stop);
// Makes `directory`, which must be empty or absent (or half restored from the same backup), the data directory that the
// backup is of. The database comes last: until then no server starts there.
Backup restore_backup(const BackupTarget& target, const std::string& id, const Path& directory, Progress& progress);
// Throws `conflict` if a restore into `directory` did not come to its end.
void refuse_half_restored(const Path& directory);

}  // namespace volary
