// volume/upkeep_repair.cc: good bytes for what is damaged or missing, from wherever they can still be had.
//
// Tried in this order: the other of the two copies that this machine has (the disk's and the page cache's), another
// store or backup that was named, the objects elsewhere that the bytes were once imported from or exported to. Nothing
// is believed but the hash. What nobody has any more is taken out of the store into quarantine, so that no reader gets
// wrong bytes, and so that the next import or upload of the same content heals it.
#include <dirent.h>

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/retry.h"
#include "store/repair.h"
#include "store/sweep.h"
#include "volume/backup.h"
#include "volume/upkeep_work.h"

namespace volary {
namespace {

constexpr size_t reported_max = 1000;
constexpr size_t uses_max = 10;
constexpr int rounds_max = 1000;  // A repaired tree may show that what it holds is missing, one level a round.

struct SeenAt {
  std::string datastore;
  std::string key;
  std::string etag;
};
BOOST_DESCRIBE_STRUCT(SeenAt, (), (datastore, key, etag))

struct DamageRow {
  std::string kind;
  Digest digest;
  std::string what;
};
BOOST_DESCRIBE_STRUCT(DamageRow, (), (kind, digest, what))

constexpr std::string_view select_datastore_by_id =
    "SELECT id, project, name, kind, path, endpoint, region, bucket, url_style, repository, repository_type, revision, "
    "secret, created_at FROM datastore WHERE id = $1";

class Repair {
 public:
  Repair(const UpkeepParts& parts, const Caller& caller, const RepairRequest& request, UpkeepLive& live)
      : parts_(parts), live_(live) {
    if (request.from) choose_datastore(caller, *request.from);
    if (request.from_store) choose_store(*request.from_store);
  }

  RepairReport run() {
    for (int round = 0; round < rounds_max; ++round) {
      check_store(parts_, {}, live_);
      const size_t tried = tried_.size();
      for (const Flaw& flaw : damage()) {
        live_.check_stop();
        if (tried_.insert(flaw.digest)) mend(flaw);
      }
      if (tried_.size() == tried) break;  // Nothing came to light that had not been tried.
    }
    if (has_links_) drop_farms();
    return report();
  }

 private:
  void choose_datastore(const Caller& caller, const std::string& from) {
    const size_t colon = from.find(':');
    datastore_ = parts_.datastores.get(caller, from.substr(0, colon));
    if (colon != from.npos) backup_prefix_ = from.substr(colon + 1);
  }

  void choose_store(const std::string& path) {
    if (!path.starts_with('/'))
      throw Error(Errc::invalid, "'{}' is no place on the server: expected an absolute path", printable(path));
    for (const Path& root : {Path(path), Path(path) / "store"})
      if (is_present(root / "objects")) other_store_ = root;
    if (!other_store_)
      throw Error(Errc::not_found, "'{}' is no store, data directory or backup: it has no 'objects'", printable(path));
  }

  std::vector<Flaw> damage() const {
    std::vector<Flaw> flaws;
    DigestSet known;
    for (const DamageRow& row : parts_.database.read([](Transaction& t) {
           return t.all<DamageRow>("SELECT kind, digest, what FROM damage WHERE kind <> 'database' ORDER BY kind DESC");
         }))  // Trees first: "tree" comes after "blob".
      if (known.insert(row.digest))
        flaws.push_back({row.kind == "tree" ? ObjectKind::tree : ObjectKind::blob, row.digest, row.what});
    return flaws;
  }

  void mend(const Flaw& flaw) {
    live_.begin("repairing " + word_of(flaw.kind) + " " + flaw.digest.hex().substr(0, 12));
    std::string source = "it is whole by now";
    const auto found = flaw_of(parts_.store, flaw.kind, flaw.digest);
    if (found) {
      note_links(flaw);
      source = restore(flaw.kind, flaw.digest);
    }
    RepairedObject one{word_of(flaw.kind), flaw.digest.hex(), found.value_or(flaw.what), source, {}};
    if (source.empty()) {
      set_aside(parts_.store, flaw.kind, flaw.digest);
      unrepaired_.push_back({flaw.kind, flaw.digest, one.what});
      if (unrepaired_.size() <= reported_max) bad_.push_back(std::move(one));
      return;
    }
    parts_.database.write([&](Transaction& t) { forget_damage(t, flaw.kind, flaw.digest); });
    ++repaired_;
    if (good_.size() < reported_max) good_.push_back(std::move(one));
    fault::point("repair.repaired");
  }

  // Whether link farms (mount/link_farm.h) hold the bad file under other names.
  void note_links(const Flaw& flaw) {
    const auto status = stat_of(path_below(parts_.store.root(), flaw.kind, flaw.digest));
    if (status && status->st_nlink > 1) has_links_ = true;
  }

  // Farms are made again when needed, of what the store has then. One whose version is in use stays: who uses it now
  // has the bad file open, or may open it, until he ends.
  void drop_farms() {
    const Path images = parts_.store.root() / "images";
    const Path aside = parts_.store.root() / "tmp" / ("repair-" + random_hex(8));
    parts_.database.write([&](Transaction& t) {
      DigestSet used;
      for (const Digest& tree : t.all<Digest>("SELECT version.tree FROM lease JOIN version ON version.volume = "
                                              "lease.volume AND version.number = lease.version"))
        used.insert(tree);
      for (const DirectoryEntry& entry : list_directory(images)) {
        const auto tree = tree_of_image(entry.name);
        if (entry.type != DT_DIR || !tree || used.contains(*tree)) continue;
        make_directory(aside, 0700);
        rename_file(images / entry.name, aside / entry.name);
      }
    });
    remove_tree(aside);
  }

  // Where good bytes came from, or "".
  std::string restore(ObjectKind kind, const Digest& digest) {
    const Path own = path_below(parts_.store.root(), kind, digest);
    const auto read = [](const Path& path) {
      return [path](Sink& sink) {
        FileSource source(path);
        pump(source, sink);
      };
    };
    if (try_from(kind, digest, read(own))) return "the page cache of this machine";
    if (try_from(kind, digest, [&](Sink& sink) { read_past_cache(own, sink); })) return "the disk of this machine";
    if (other_store_ && try_from(kind, digest, read(path_below(*other_store_, kind, digest))))
      return other_store_->native();
    if (backup_prefix_) {
      const std::string key = backup_key(*backup_prefix_, kind, digest);
      const auto get = [&](Sink& sink) { remote_of(*datastore_).get(key, {}, sink); };
      if (try_from(kind, digest, get)) return datastore_->name + ":" + key;
    }
    return kind == ObjectKind::blob ? restore_from_where_it_was_seen(digest) : "";
  }

  std::string restore_from_where_it_was_seen(const Digest& digest) {
    const auto places = parts_.database.read([&](Transaction& t) {
      return t.all<SeenAt>("SELECT datastore, key, etag FROM seen_object WHERE digest = $1",
                           SqlBytes{digest.raw()});
    });
    for (const SeenAt& place : places) {
      const auto datastore = parts_.database.read(
          [&](Transaction& t) { return t.find<Datastore>(select_datastore_by_id, place.datastore); });
      if (!datastore || (datastore_ && datastore_->id != datastore->id)) continue;
      // Without if_match: the same bytes may have been put there again, and the hash decides.
      const auto get = [&](Sink& sink) { remote_of(*datastore).get(place.key, {}, sink); };
      if (try_from(ObjectKind::blob, digest, get)) return datastore->name + ":" + place.key;
    }
    return "";
  }

  // Whatever goes wrong on the way, the next place is tried.
  bool try_from(ObjectKind kind, const Digest& digest, const std::function<void(Sink&)>& fetch) {
    Restored restored = Restored::bytes_differ;
    const auto failure = error_of([&] { restored = restore_object(parts_.store, kind, digest, fetch); });
    if (failure && failure->code() == Errc::exhausted) throw Error(*failure);  // Our own disk is full.
    return !failure && restored == Restored::yes;
  }

  Remote& remote_of(const Datastore& datastore) {
    auto& remote = remotes_[datastore.id];
    if (!remote) remote = parts_.datastores.open(datastore);
    return *remote;
  }

  RepairReport report() {
    RepairReport report;
    report.repaired = repaired_;
    report.unrepaired = unrepaired_.size();
    Uses uses = uses_of(parts_, unrepaired_, uses_max);
    for (RepairedObject& one : bad_) one.uses = uses[Digest::parse(one.digest)];
    report.objects = std::move(bad_);
    for (RepairedObject& one : good_)
      if (report.objects.size() < reported_max) report.objects.push_back(std::move(one));
    return report;
  }

  const UpkeepParts& parts_;
  UpkeepLive& live_;
  std::optional<Datastore> datastore_;
  std::optional<std::string> backup_prefix_;
  std::optional<Path> other_store_;
  std::map<std::string, std::unique_ptr<Remote>> remotes_;
  DigestSet tried_;
  bool has_links_ = false;
  uint64_t repaired_ = 0;
  std::vector<RepairedObject> good_;
  std::vector<RepairedObject> bad_;
  std::vector<Flaw> unrepaired_;
};

}  // namespace

RepairReport repair_store(const UpkeepParts& parts, const Caller& caller, const RepairRequest& request,
                          UpkeepLive& live) {
  return Repair(parts, caller, request, live).run();
}

}  // namespace volary
