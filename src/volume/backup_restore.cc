// volume/backup_restore.cc: reading a backup: to verify it, or to make a data directory of it.
//
// A restore writes objects first and the database last, under a mark that is removed at the end. So a directory that
// was left in the middle has no database, a server refuses it, and the same command goes on where it was.
#include <set>

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "core/tree_path.h"
#include "core/workers.h"
#include "remote/retry.h"
#include "store/repair.h"
#include "volume/backup.h"

namespace volary {
namespace {

constexpr size_t read_threads = 8;
constexpr size_t damaged_max = 100;
constexpr std::string_view mark_name = "restoring";

class NoSink final : public Sink {
 public:
  void write(std::string_view) override {}
};

// What is wrong with the bytes called `name`, or nothing.
std::optional<std::string> flaw_in(const BackupTarget& target, const std::string& name, const Digest& digest,
                                   const std::stop_token& stop) {
  Digest found;
  if (const auto failure = error_of([&] { found = target.digest_of(name, stop); })) {
    if (stop.stop_requested()) throw Error(*failure);
    return name + ": " + failure->message();
  }
  if (found == digest) return std::nullopt;
  return fmt::format("{}: its bytes hash to {}: expected {}", name, found.hex(), digest.hex());
}

void check_directory(const Path& directory, const std::string& id) {
  if (!is_present(directory)) return;
  const auto mark = try_read_file(directory / mark_name, 256);
  if (mark && *mark == id + "\n") return;  // It goes on.
  if (mark)
    throw Error(Errc::conflict, "'{}' is half restored from backup {}: go on with that one (--at), or take another "
                "directory", directory.native(), printable(mark->substr(0, mark->find('\n'))));
  for (const DirectoryEntry& entry : list_directory(directory)) {
    if (entry.name.starts_with(".volary-")) continue;  // Of a try that died before its mark.
    throw Error(Errc::exists, "'{}' is not empty: expected an empty directory or none", directory.native());
  }
}

class Restoring {
 public:
  Restoring(const BackupTarget& target, const Backup& backup, const Path& directory, Progress& progress)
      : target_(target), backup_(backup), directory_(directory), store_(directory / "store"), progress_(progress) {}

  void run() {
    make_directories(directory_, 0700);
    write_file_durably(directory_ / mark_name, backup_.id + "\n");
    make_directory(store_);
    remove_tree(store_ / "tmp");  // Of an earlier try.
    for (const char* folder : {"objects", "trees", "images", "tmp"}) make_directory(store_ / folder);
    const auto objects = target_.objects_of(backup_);
    progress_.files_total = objects.size();
    for (const ListedObject& object : objects) progress_.bytes_total += object.bytes;
    for_each_index(objects.size(), read_threads, [&](size_t i) { fetch(objects[i]); });
    write_file_durably(store_ / "format", "volary store 1\n");
    write_epoch_file(store_, backup_.epoch);
    if (backup_.with_key) {
      StringSink key(4096);
      target_.get_bytes(folder() + "secret.key", key);
      write_file_durably(directory_ / "secret.key", key.text, 0600);
    }
    fetch_file(folder() + "database.db", Digest::parse(backup_.database_digest), directory_ / "restored.db", 0600);
    const Fd fd = open_directory(directory_);
    sync_file_system(fd.get(), directory_);
    fault::point("restore.synced");
    rename_file(directory_ / "restored.db", directory_ / "volary.db");
    sync_directory(directory_);
    remove_file(directory_ / mark_name);
    sync_directory(directory_);
  }

 private:
  std::string folder() const { return "backups/" + backup_.id + "/"; }

  void fetch(const ListedObject& object) {
    const Path path = path_below(store_, object.kind, object.digest);
    const auto status = stat_of(path);
    // One that an earlier try brought: it was hashed, but maybe not synced. A size alone proves nothing.
    const bool is_there = status && static_cast<uint64_t>(status->st_size) == object.bytes && is_whole(path, object);
    if (!is_there) {
      make_directory(path.parent_path());
      fetch_file(backup_key("", object.kind, object.digest), object.digest, path, 0444);
    }
    ++progress_.files_done;
    progress_.bytes_done += object.bytes;
    fault::point("restore.object");
  }

  static bool is_whole(const Path& path, const ListedObject& object) {
    NoSink nowhere;
    HashingSink hashing(nowhere);
    FileSource source(path);
    pump(source, hashing);
    return hashing.digest() == object.digest;
  }

  void fetch_file(const std::string& name, const Digest& digest, const Path& path, mode_t mode) {
    TempFile file(store_ / "tmp", mode);
    HashingSink hashing(file);
    target_.get_bytes(name, hashing);
    if (hashing.digest() != digest)
      throw Error(Errc::corrupt, "the bytes of '{}' in {} hash to {}: expected {}", name, target_.description(),
                  hashing.digest().hex(), digest.hex());
    file.move_to(path);
  }

  const BackupTarget& target_;
  const Backup& backup_;
  const Path directory_;
  const Path store_;
  Progress& progress_;
};

}  // namespace

BackupVerification verify_backup(const BackupTarget& target, const std::string& id, Progress& progress,
                                 const std::stop_token& stop) {
  BackupVerification verification{target.get(id), false, {}};
  const Backup& backup = verification.backup;
  const auto objects = target.objects_of(backup);
  progress.files_total = objects.size() + 1;
  for (const ListedObject& object : objects) progress.bytes_total += object.bytes;
  Synced<std::set<std::string>> flaws;
  const auto look = [&](const std::string& name, const Digest& digest) {
    if (const auto flaw = flaw_in(target, name, digest, stop)) flaws.lock()->insert(*flaw);
    ++progress.files_done;
  };
  look("backups/" + backup.id + "/database.db", Digest::parse(backup.database_digest));
  for_each_index(objects.size(), read_threads, [&](size_t i) {
    look(backup_key("", objects[i].kind, objects[i].digest), objects[i].digest);
    progress.bytes_done += objects[i].bytes;
  });
  auto found = flaws.lock();
  verification.whole = found->empty() && backup.missing == 0;
  if (backup.missing > 0)
    verification.damaged.push_back(
        fmt::format("{} objects were damaged or missing in the store when the backup was made", backup.missing));
  for (const std::string& flaw : *found)
    if (verification.damaged.size() < damaged_max) verification.damaged.push_back(flaw);
  return verification;
}

Backup restore_backup(const BackupTarget& target, const std::string& id, const Path& directory, Progress& progress) {
  Backup backup = target.get(id);
  check_directory(directory, backup.id);
  if (backup.schema > schema_version())
    throw Error(Errc::conflict, "backup {} has schema {}, this program knows {}: use a newer program", backup.id,
                backup.schema, schema_version());
  Restoring(target, backup, directory, progress).run();
  return backup;
}

void refuse_half_restored(const Path& directory) {
  if (const auto mark = try_read_file(directory / mark_name, 256))
    throw Error(Errc::conflict, "'{}' is half restored from backup {}: run that restore again to its end",
                directory.native(), printable(mark->substr(0, mark->find('\n'))));
}

}  // namespace volary
