// volume/backup_create.cc: one backup, from a copy of the database to the manifest, and the pruning of older ones.
#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/workers.h"
#include "remote/retry.h"
#include "store/layout.h"
#include "store/repair.h"
#include "volume/backup.h"

namespace volary {
namespace {

constexpr size_t copy_threads = 8;      // Requests under way at once.
constexpr size_t settle_files = 20'000;  // One sync of the file system each.
constexpr size_t mark_threads = 4;

struct Mark {  // The file "volary-backup".
  uint64_t format = 1;
  std::string store;
};
BOOST_DESCRIBE_STRUCT(Mark, (), (format, store))

// "bak-20261121t010203-123456": sorts by time.
std::string id_at(Time now) {
  std::string id = "bak-";
  for (const char letter : to_text(now).substr(0, 26))
    if (letter != '-' && letter != ':') id += letter == 'T' ? 't' : letter == '.' ? '-' : letter;
  return id;
}

class BackupMaking {
 public:
  BackupMaking(const UpkeepParts& parts, BackupTarget& target, const BackupRequest& request, UpkeepLive& live)
      : parts_(parts), target_(target), request_(request), live_(live),
        scratch_(parts.store.root() / "tmp" / ("backup-" + random_hex(8))) {
    make_directory(scratch_, 0700);
  }
  ~BackupMaking() {
    std::error_code ignored;  // tmp/ is emptied when the store is opened.
    std::filesystem::remove_all(scratch_, ignored);
  }

  BackupReport run() {
    claim_target();
    target_.clear_staged();
    report_.target = target_.description();
    Backup& backup = report_.backup;
    backup.created_at = parts_.clock.now();
    backup.id = id_at(backup.created_at);
    backup.store = store_identity(parts_.database);
    backup.program = parts_.program;
    backup.with_key = request_.with_key;
    copy_database();
    gather();
    copy_objects();
    verify_copies();
    put_list_and_manifest();
    // From now on this copy of the database is an old one: restored over the newer store, it must not be swept by.
    advance_epoch(parts_.database, parts_.store);
    target_.clear_staged();
    if (request_.keep) prune_backups(target_, *request_.keep, report_, live_);
    return report_;
  }

 private:
  void claim_target() {
    const std::string own = store_identity(parts_.database);
    if (const auto text = target_.find_text("volary-backup")) {
      const auto mark = from_json<Mark>(parse_json(*text, "the file 'volary-backup'"), "mark", Unknown::ignore);
      if (mark.store != own)
        throw Error(Errc::conflict, "{} holds the backups of another store ({}; this one is {}): choose another place",
                    target_.description(), mark.store, own);
      return;
    }
    target_.put_text("volary-backup", print_json(to_json(Mark{1, own})) + "\n");
  }

  // The copy is opened once to read from exactly it what it refers to.
  void copy_database() {
    live_.begin("copying the database");
    const Path file = scratch_ / "database.db";
    parts_.database.copy_to(file);
    fault::point("backup.database");
    Backup& backup = report_.backup;
    {
      const auto copy = open_database("sqlite://" + std::filesystem::absolute(file).native());
      copy->read([&](Transaction& t) {
        roots_ = roots_of(t);
        backup.volumes = *t.find<uint64_t>("SELECT count(*) FROM volume");
        backup.versions = *t.find<uint64_t>("SELECT count(*) FROM version");
      });
      backup.epoch = epochs_of(*copy, parts_.store).database;
      backup.schema = schema_version();
    }
    HashingSink hashing(nowhere_);
    FileSource source(file);
    pump(source, hashing);
    backup.database_bytes = hashing.bytes();
    backup.database_digest = hashing.digest().hex();
  }

  void gather() {
    live_.begin("following all versions");
    Marks marks;
    for (const Flaw& flaw : mark(parts_.store, roots_.trees, marks, live_.progress, mark_threads, live_.token()))
      missing_.insert(flaw.digest);
    for (const Digest& blob : roots_.blobs)
      if (parts_.store.blob_size(blob)) marks.blobs.insert(blob);
    for (const ObjectKind kind : {ObjectKind::blob, ObjectKind::tree}) {
      const size_t first = objects_.size();
      (kind == ObjectKind::tree ? marks.trees : marks.blobs).each([&](const Digest& digest) {
        if (missing_.contains(digest)) return;
        const auto status = stat_of(path_below(parts_.store.root(), kind, digest));
        if (status) objects_.push_back({kind, digest, static_cast<uint64_t>(status->st_size)});
      });
      std::sort(objects_.begin() + static_cast<std::ptrdiff_t>(first), objects_.end(),
                [](const ListedObject& a, const ListedObject& b) { return a.digest < b.digest; });
    }
  }

  void copy_objects() {
    live_.begin("looking at what is there");
    DigestSet there[2];
    target_.each_object([&](const ListedObject& object) {
      const auto status = stat_of(path_below(parts_.store.root(), object.kind, object.digest));
      if (status && static_cast<uint64_t>(status->st_size) == object.bytes)
        there[object.kind == ObjectKind::tree].insert(object.digest);
      ++live_.progress.files_done;
    });
    for (size_t i = 0; i < objects_.size(); ++i)
      if (!there[objects_[i].kind == ObjectKind::tree].contains(objects_[i].digest)) lacking_.push_back(i);
    live_.begin("copying objects");
    live_.progress.files_total = lacking_.size();
    for (const size_t i : lacking_) live_.progress.bytes_total += objects_[i].bytes;
    for (size_t from = 0; from < lacking_.size(); from += settle_files) {
      const size_t count = std::min(settle_files, lacking_.size() - from);
      for_each_index(count, copy_threads, [&](size_t i) { copy_one(objects_[lacking_[from + i]]); });
      target_.settle();
      fault::point("backup.settled");
    }
  }

  // One that is damaged here is left out and told: the others are not to wait for its repair.
  void copy_one(const ListedObject& object) {
    live_.check_stop();
    const auto failure = error_of([&] {
      target_.put_file(backup_key("", object.kind, object.digest),
                       path_below(parts_.store.root(), object.kind, object.digest), object.digest, live_.token());
    });
    if (failure && failure->code() != Errc::corrupt) throw Error(*failure);
    if (failure) missing_lock_.lock()->push_back(object.digest);
    ++live_.progress.files_done;
    live_.progress.bytes_done += object.bytes;
    fault::point("backup.object");
  }

  // What was written now is read back and hashed; what was there before, each earlier backup has read.
  void verify_copies() {
    for (const Digest& digest : *missing_lock_.lock()) missing_.insert(digest);
    live_.begin("reading back what was copied");
    live_.progress.files_total = lacking_.size();
    for_each_index(lacking_.size(), copy_threads, [&](size_t i) {
      const ListedObject& object = objects_[lacking_[i]];
      live_.check_stop();
      if (missing_.contains(object.digest)) return;
      const Digest found = target_.digest_of(backup_key("", object.kind, object.digest), live_.token());
      if (found != object.digest)
        throw Error(Errc::corrupt, "{} gives other bytes for {} {} than were put there: they hash to {}",
                    target_.description(), word_of(object.kind), object.digest.hex(), found.hex());
      ++live_.progress.files_done;
    });
    for (const size_t i : lacking_)
      if (!missing_.contains(objects_[i].digest)) report_.copied.add(objects_[i].bytes);
  }

  void put_list_and_manifest() {
    live_.begin("writing the manifest");
    Backup& backup = report_.backup;
    std::string list;
    for (const ListedObject& object : objects_) {
      if (missing_.contains(object.digest)) continue;
      (object.kind == ObjectKind::tree ? backup.trees : backup.objects).add(object.bytes);
      list += fmt::format("{} {} {}\n", word_of(object.kind), object.digest.hex(), object.bytes);
    }
    backup.missing = missing_.size();
    backup.list_digest = Digest::of(list).hex();
    const std::string folder = "backups/" + backup.id + "/";
    const Path list_file = scratch_ / "objects.txt";
    write_file_durably(list_file, list);
    target_.put_file(folder + "database.db", scratch_ / "database.db", Digest::parse(backup.database_digest),
                     live_.token());
    target_.put_file(folder + "objects.txt", list_file, Digest::of(list), live_.token());
    target_.settle();
    const auto key = backup.with_key ? try_read_file(parts_.key_file, 4096) : std::nullopt;
    backup.with_key = key.has_value();  // There is none before the first secret.
    if (key) target_.put_text(folder + "secret.key", *key);
    fault::point("backup.manifest.before");
    target_.put_text(folder + "manifest.json", print_json_pretty(to_json(backup)) + "\n");
    fault::point("backup.manifest.after");
  }

  class NoSink final : public Sink {
   public:
    void write(std::string_view) override {}
  };

  const UpkeepParts& parts_;
  BackupTarget& target_;
  const BackupRequest& request_;
  UpkeepLive& live_;
  const Path scratch_;
  NoSink nowhere_;
  Roots roots_;
  std::vector<ListedObject> objects_;  // Blobs, then trees, each sorted.
  std::vector<size_t> lacking_;        // Those that the target has not.
  DigestSet missing_;                  // Damaged or missing here.
  Synced<std::vector<Digest>> missing_lock_;
  BackupReport report_;
};

}  // namespace

// The directory itself is made, but nothing above it: where a disk is not mounted, the backup would land on the disk
// that it is to outlive.
static void make_place(const std::string& target) {
  if (!target.starts_with('/') || is_present(target)) return;
  const Path above = Path(target + "/").lexically_normal().parent_path().parent_path();
  if (!is_present(above))
    throw Error(Errc::not_found, "there is no directory '{}' on the server to keep backups in: expected it to be there "
                "(is its disk mounted?)", printable(above.native()));
  make_directory(target, 0700);
}

BackupReport create_backup(const UpkeepParts& parts, const Caller& caller, const BackupRequest& request,
                           UpkeepLive& live) {
  if (request.keep && *request.keep == 0)
    throw Error(Errc::invalid, "keeping 0 backups would delete the one that is made: expected 1 or more");
  make_place(request.target);
  const auto target = open_backup_target(parts, caller, request.target);
  return BackupMaking(parts, *target, request, live).run();
}

// Manifests first: a backup whose parts are being deleted is none any more.
void prune_backups(BackupTarget& target, uint64_t keep, BackupReport& report, const UpkeepLive& live) {
  std::vector<Backup> backups = target.backups();
  while (backups.size() > keep) {
    target.remove("backups/" + backups.front().id + "/manifest.json");
    backups.erase(backups.begin());
    ++report.pruned;
    fault::point("backup.pruned");
  }
  std::set<std::string> kept;
  DigestSet needed[2];
  for (const Backup& backup : backups) {
    kept.insert(backup.id);
    for (const ListedObject& object : target.objects_of(backup))
      needed[object.kind == ObjectKind::tree].insert(object.digest);
  }
  std::vector<std::string> leftovers;
  const std::string folder = target.key("backups/");
  target.remote().list(folder, [&](const RemoteObject& object) {
    const std::string id = object.key.substr(folder.size(), object.key.find('/', folder.size()) - folder.size());
    if (!kept.contains(id)) leftovers.push_back("backups/" + object.key.substr(folder.size()));
  });
  target.each_object([&](const ListedObject& object) {
    if (needed[object.kind == ObjectKind::tree].contains(object.digest)) return;
    leftovers.push_back(backup_key("", object.kind, object.digest));
    report.freed.add(object.bytes);
  });
  for (const std::string& name : leftovers) {
    live.check_stop();
    target.remove(name);
    fault::point("backup.freed");
  }
}

}  // namespace volary
