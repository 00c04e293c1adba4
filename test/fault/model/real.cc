// model/real.cc: the acts of model/model.h by Volumes, Transfers, the ledger and the store, as the server makes them.
#include "model/real.h"

#include <chrono>
#include <thread>

#include "volume/ledger.h"

namespace volary {
namespace {

using Kind = Command::Kind;
const Clock& now_of() { return system_clock(); }

// "import ended as 'conflict: …'" is told by a transfer's row as text.
std::string code_in(const std::string& error) { return error.substr(0, error.find(':')); }

}  // namespace

Real::Real(const Path& directory) : directory_(directory) {
  make_directories(directory_ / "bucket");
  reopen();
  const auto known = place_->datastores.list(alice);
  if (known.empty())
    place_->datastores.create(alice, directory_named("here", directory_ / "bucket"));
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
  if (command.kind == Kind::crash) return "";
  const std::string name = volume_name(command.volume);
  if (command.kind == Kind::create) {
    place_->volumes.create(alice, {name, {}, {}, quota_named(command.a), {}});
    return "";
  }
  const Volume volume = place_->volumes.get(alice, name);
  const Holder holder{"job", holder_name(number)};
  const auto write = [&](const auto& work) { place_->database->write(work); };
  const auto first = [&](const char* kind) {
    for (const Lease& lease : place_->volumes.leases(alice, name))
      if (lease.kind == kind) return lease.holder.substr(lease.holder.find(' ') + 1);
    return std::string();
  };
  switch (command.kind) {
    case Kind::remove: place_->volumes.remove(alice, name); break;
    case Kind::commit: commit(volume, command, holder.id, false); break;
    case Kind::tag:
      place_->volumes.tag(alice, name,
                          volume.head == 0 ? "head" : std::to_string(1 + static_cast<uint64_t>(std::abs(
                              command.b < 0 ? command.b + 1 : command.b)) % volume.head),
                          tag_named(command.a));
      break;
    case Kind::attach_ro:
      write([&](Transaction& t) { take_reader(t, volume.id, volume.head, holder, now_of().now()); });
      break;
    case Kind::attach_rw:
      write([&](Transaction& t) { take_writer(t, volume.id, name, volume.head, holder, now_of().now()); });
      break;
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
  std::vector<TreeChange> changes;
  for (const auto& [path, bytes] : changes_named(command.a, command.b)) {
    TreeChange change{TreePath::parse(path), std::nullopt};
    if (bytes) {
      const auto writer = commit->new_blob();
      writer->write(*bytes);
      const Blob blob = writer->finish();
      change.entry.emplace();
      change.entry->size = blob.size;
      change.entry->digest = blob.digest;
    }
    changes.push_back(std::move(change));
  }
  const Digest head = volume.head == 0 ? empty_tree().tree
                                       : Digest::parse(place_->volumes.version(alice, volume.name, "head").tree);
  const TreeSummary tree = apply_changes(*place_->store, *commit, head, std::move(changes));
  commit->publish();
  place_->database->write([&](Transaction& t) {
    commit_version(t, {volume.id, tree, "alice", "", Origin::job, holder, 0}, now_of().now());
    if (!under_own_lease) release_leases(t, holder);
  });
  done = true;
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
    walk(*place_->store, Digest::parse(version.tree), [&](const TreePath& path, const TreeEntry& entry) {
      if (entry.kind != EntryKind::file) return;
      StringSink bytes;
      place_->store->read_blob(entry.digest, bytes);
      seen.files[path.text()] = bytes.text;
    });
    if (bytes_of(seen.files) != version.bytes || seen.files.size() != version.files)
      throw Error(Errc::internal, "version {} says {} files, {} bytes", version.number, version.files, version.bytes);
  }
  if (volume.reserved_bytes != 0) throw Error(Errc::internal, "{} bytes are reserved for nobody", volume.reserved_bytes);
  if (volume.used_bytes != bytes_of(to.head_files()))
    throw Error(Errc::internal, "{} bytes are used: expected {}", volume.used_bytes, bytes_of(to.head_files()));
  for (const Lease& lease : place_->volumes.leases(alice, volume.name)) {
    const std::string holder = lease.holder.substr(lease.holder.find(' ') + 1);
    if (lease.kind == "writer") to.writer = holder;
    else to.readers.insert(holder);
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
