// model/real.cc: the acts of model/model.h by Volumes, Transfers, the ledger and the store, as the server makes them.
#include "model/real.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "mount/mount.h"
#include "mount/scratch.h"
#include "volume/ledger.h"
#include "volume/upkeep_work.h"

namespace volary {
namespace {

using Kind = Command::Kind;
Clock& now_of() { return system_clock(); }

// "import ended as 'conflict: …'" is told by a transfer's row as text.
std::string code_in(const std::string& error) { return error.substr(0, error.find(':')); }

UpkeepParts parts_of(Place& place, Audit& audit) {
  return {*place.database, *place.store,       place.datastores, audit, now_of(), place.root / "secret.key",
          "model",         [](const Path&, const auto&) { return true; }};
}

Files files_of(const Store& store, const Digest& tree) {
  Files files;
  walk(store, tree, [&](const TreePath& path, const TreeEntry& entry) {
    if (entry.kind == EntryKind::directory) files[path.text() + "/"];
    if (entry.kind != EntryKind::file) return;
    StringSink bytes;
    store.read_blob(entry.digest, bytes);
    files[path.text()] = bytes.text;
  });
  return files;
}

void write_new(const Path& path, const std::string& bytes) {
  make_directories(path.parent_path());
  write_all(create_file(path).get(), bytes, path);
}

// What overlayfs keeps of a job that has turned `before` into `after`: what is new, and a device 0/0 where something was
// and nothing is.
void write_overlay(const Path& upper, const Files& before, const Files& after) {
  for (const auto& [path, bytes] : after) {
    const auto was = before.find(path);
    if (was != before.end() && was->second == bytes) continue;
    if (is_directory(path)) make_directories(upper / path.substr(0, path.size() - 1));
    else write_new(upper / path, bytes);
  }
  for (const auto& [path, bytes] : before) {
    const std::string name = is_directory(path) ? path.substr(0, path.size() - 1) : path;
    const size_t slash = name.rfind('/');
    const bool goes_with_its_directory = slash != name.npos && !after.contains(name.substr(0, slash + 1));
    if (after.contains(name) || after.contains(name + "/") || goes_with_its_directory) continue;
    make_directories((upper / name).parent_path());
    if (::mknod((upper / name).c_str(), S_IFCHR, makedev(0, 0)) < 0) throw error_from_errno(errno, "make", name);
  }
}

}  // namespace

Real::Real(const Path& directory) : directory_(directory) {
  make_directories(directory_ / "bucket");
  reopen();
  const auto known = place_->datastores.list(alice);
  if (known.empty())
    place_->datastores.create(alice, directory_named("here", directory_ / "bucket"), Asker::own_user);
}

void Real::reopen() {
  make_directories(directory_ / "bucket");  // A put that was killed may have left none.
  place_.reset();
  place_ = std::make_unique<Place>(directory_ / "data");
}

void Real::release(const std::string& holder) {
  place_->database->write([&](Transaction& t) { release_leases(t, {"job", holder}); });
}

std::string Real::perform(const Command& command, size_t number) {
  try {
    return act(command, number);
  } catch (const Error& error) {
    return std::string(name_of(error.code()));
  }
}

std::string Real::act(const Command& command, size_t number) {
  if (command.kind == Kind::put) return put(command), "";
  if (command.kind == Kind::reopen) return reopen(), "";
  if (command.kind == Kind::sweep) return sweep(), "";
  if (command.kind == Kind::scrub) return scrub(), "";
  if (command.kind == Kind::crash) return "";
  const std::string name = volume_name(command.volume);
  if (command.kind == Kind::create) {
    place_->volumes.create(alice, {name, {}, {}, quota_named(command.a), {}});
    return "";
  }
  const Volume volume = place_->volumes.get(alice, name);
  const Holder holder{"job", holder_name(number)};
  const auto write = [&](const auto& work) { place_->database->write(work); };
  const auto number_named = [&] { return std::to_string(version_named(command.b, volume.head)); };
  const auto first = [&](const char* kind) {
    for (const Lease& lease : place_->volumes.leases(alice, name))
      if (lease.kind == kind) return lease.holder.substr(lease.holder.find(' ') + 1);
    return std::string();
  };
  switch (command.kind) {
    case Kind::remove: place_->volumes.remove(alice, name); break;
    case Kind::commit: commit(volume, command, holder.id, false); break;
    case Kind::tag: place_->volumes.tag(alice, name, number_named(), tag_named(command.a)); break;
    case Kind::clone:
      place_->volumes.clone(alice, name, alice, {volume_name(command.a), {}, number_named(), {}, {}});
      break;
    case Kind::restore: place_->volumes.restore(alice, name, {number_named(), {}}); break;
    case Kind::prune: place_->volumes.prune(alice, name, {{number_named()}, command.a % 2 != 0, false}); break;
    case Kind::attach_ro:
      write([&](Transaction& t) { take_reader(t, volume.id, volume.head, holder, now_of().now()); });
      break;
    case Kind::attach_rw:
      write([&](Transaction& t) { take_writer(t, volume.id, name, volume.head, holder, now_of().now()); });
      break;
    case Kind::harvest:
    case Kind::publish: {
      const std::string writer = first("writer");
      commit(volume, command, writer.empty() ? holder.id : writer, true);
      break;
    }
    case Kind::detach: {
      // The model lets the first reader in the order of names go.
      std::set<std::string> readers;
      for (const Lease& lease : place_->volumes.leases(alice, name))
        if (lease.kind == "reader") readers.insert(lease.holder.substr(lease.holder.find(' ') + 1));
      const std::string one = !readers.empty() && command.a % 2 ? *readers.begin() : first("writer");
      write([&](Transaction& t) { release_leases(t, {"job", one}); });
      break;
    }
    case Kind::quota: place_->volumes.update(alice, name, quota_of(quota_named(command.a))); break;
    case Kind::import: return import(command, number);
    default: break;
  }
  return "";
}

// As a job's end does: bytes, trees, one sync, one transaction.
void Real::commit(const Volume& volume, const Command& command, const std::string& holder_id, bool under_own_lease) {
  const Holder holder{"job", holder_id};
  if (!under_own_lease)
    place_->database->write([&](Transaction& t) {
      take_writer(t, volume.id, volume.name, volume.head, holder, now_of().now());
    });
  bool done = under_own_lease;
  const struct Release {  // In a transaction of its own, only if the commit did not come to it.
    Real& real;
    const std::string& holder;
    bool& done;
    ~Release() {
      if (!done) real.release(holder);
    }
  } release{*this, holder_id, done};
  const auto commit = place_->store->begin_commit();
  const Digest head = volume.head == 0 ? empty_tree().tree
                                       : Digest::parse(place_->volumes.version(alice, volume.name, "head").tree);
  const TreeSummary tree = command.kind == Kind::harvest ? harvested(*commit, head, command)
                                                         : published(*commit, head, command);
  commit->publish();
  place_->database->write([&](Transaction& t) {
    commit_version(t, {volume.id, tree, "alice", "", Origin::job, holder, 0}, now_of().now());
    if (!under_own_lease) release_leases(t, holder);
  });
  done = true;
}

TreeSummary Real::published(Commit& commit, const Digest& head, const Command& command) {
  std::vector<TreeChange> changes;
  for (const auto& [path, bytes] : changes_named(command.a, command.b)) {
    TreeChange change{TreePath::parse(path), std::nullopt};
    if (bytes) {
      const auto writer = commit.new_blob();
      writer->write(*bytes);
      const Blob blob = writer->finish();
      change.entry.emplace();
      change.entry->size = blob.size;
      change.entry->digest = blob.digest;
    }
    changes.push_back(std::move(change));
  }
  return apply_changes(*place_->store, commit, head, std::move(changes));
}

// The same, by way of a directory as overlayfs leaves it behind a job that has done all that.
TreeSummary Real::harvested(Commit& commit, const Digest& head, const Command& command) {
  const Files before = files_of(*place_->store, head);
  Files after = before;
  if (!make(after, changes_named(command.a, command.b))) throw Error(Errc::invalid, "a job cannot do that");
  const Path at = directory_ / "job";
  remove_tree(at);
  const Scratch scratch = make_scratch(at / "scratch", head, OverlayXattrs::trusted, {0, 0});
  write_overlay(scratch.upper, before, after);
  Progress progress;
  const Harvest found = harvest(*place_->store, commit, head, at / "scratch", Deletions::keep, progress);
  return apply_changes(*place_->store, commit, head, found.changes);
}

// Everything is old by then, so that what is not needed goes with the third one.
void Real::sweep() {
  for (const char* folder : {"store/objects", "store/trees"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "data" / folder))
      if (entry.is_regular_file())
        std::filesystem::last_write_time(entry, entry.last_write_time() - std::chrono::hours(1000));
  Audit audit(*place_->database, now_of());
  UpkeepLive live;
  const SweepRequest all_is_old{.apply = true, .min_age_seconds = 0, .between_marks_seconds = 0,
                                .quarantine_age_seconds = 0};
  swept_ += sweep_store(parts_of(*place_, audit), all_is_old, live).unlinked.objects;
}

void Real::scrub() {
  Audit audit(*place_->database, now_of());
  UpkeepLive live;
  const ScrubReport report = scrub_store(parts_of(*place_, audit), {.bytes_per_second = 0}, live);
  if (report.damaged != 0 || !report.database.empty() || !report.complete)
    throw Error(Errc::corrupt, "{} are damaged, {}", report.damaged,
                report.database.empty() ? "and the database is whole" : report.database.front());
}

void Real::put(const Command& command) {
  Model model;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "bucket"))
    if (entry.is_regular_file())
      model.bucket[entry.path().lexically_relative(directory_ / "bucket")] = read_file(entry.path());
  volary::perform(model, command, 0);
  remove_tree(directory_ / "bucket");
  make_directories(directory_ / "bucket");
  for (const auto& [path, bytes] : model.bucket) {
    make_directories((directory_ / "bucket" / path).parent_path());
    write_all(create_file(directory_ / "bucket" / path).get(), bytes, path);
  }
}

std::string Real::import(const Command& command, size_t) {
  place_->transfers.start();
  NewTransfer wanted{"here", {}, {}, command.a % 2 ? Strategy::mirror : Strategy::overwrite, {}, {}};
  wanted.confirmed = true;
  const Transfer accepted =
      place_->transfers.create(alice, TransferKind::import, volume_name(command.volume), wanted);
  for (;;) {
    const Transfer now = place_->transfers.get(alice, accepted.id);
    if (is_terminal(now.state)) {
      place_->transfers.stop();
      return now.state == TransferState::done ? "" : code_in(now.error);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

void Real::see(ModelVolume& to, const Volume& volume) {
  to.quota = volume.quota_bytes;
  to.head = volume.head;
  for (const Version& version : place_->volumes.versions(alice, volume.name)) {
    ModelVersion& seen = to.versions[version.number];
    seen.origin = version.origin == Origin::job ? version.origin_id : "";
    seen.files = files_of(*place_->store, Digest::parse(version.tree));
    if (bytes_of(seen.files) != version.bytes || count_of(seen.files) != version.files)
      throw Error(Errc::internal, "version {} says {} files, {} bytes", version.number, version.files, version.bytes);
  }
  if (volume.reserved_bytes != 0) throw Error(Errc::internal, "{} bytes are reserved for nobody", volume.reserved_bytes);
  if (volume.used_bytes != bytes_of(to.head_files()))
    throw Error(Errc::internal, "{} bytes are used: expected {}", volume.used_bytes, bytes_of(to.head_files()));
  for (const Lease& lease : place_->volumes.leases(alice, volume.name)) {
    const std::string holder = lease.holder.substr(lease.holder.find(' ') + 1);
    if (lease.kind == "writer") to.writer = holder, to.written = lease.version;
    else to.readers[holder] = lease.version;
  }
  place_->database->read([&](Transaction& transaction) {
    transaction.each("SELECT tag, number FROM version_tag WHERE volume = $1",
                     [&](const Row& row) { to.tags[std::string(row.text(0))] = static_cast<uint64_t>(row.integer(1)); },
                     volume.id);
  });
}

Model Real::seen() {
  const auto all = [&] { return place_->transfers.list(alice); };
  const auto busy = [&] {
    for (const Transfer& one : all())
      if (!is_terminal(one.state)) return true;
    return false;
  };
  if (busy()) {
    place_->transfers.start();
    while (busy()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    place_->transfers.stop();
  }
  Model model;
  for (const Volume& volume : place_->volumes.list(alice, {}, "", 100)) see(model.volumes[volume.name], volume);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "bucket"))
    if (entry.is_regular_file())
      model.bucket[entry.path().lexically_relative(directory_ / "bucket")] = read_file(entry.path());
  return model;
}

}  // namespace volary
