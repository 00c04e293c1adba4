// workload/acts.cc: what runs while it is killed, its power cut or its disk full. Each act says what it has done, at the
// moment a user would be told.
//
//   first    a data directory that is not there yet is made, with a volume in it
//   commit   directories become versions of a volume, one after the other
//   harvest  what jobs wrote becomes versions of a volume
//   import   a datastore's directories become versions of a volume, by Transfers and its workers
//   export   versions of a volume go into a directory, one after the other, each in the place of the one before
//   fetch    the same from a bucket, a file that travels in parts among them
//   send     the same into a bucket
//   snapshot directories of the machine become versions, in the same way
//   upload   directories come by requests, a file in parts among them, and become versions of a volume
//   sweep    all but the newest version go, then what nothing refers to any more, at once; commits come between
//   books    volumes are made, tagged, changed and deleted
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "mount/mount.h"
#include "mount/scratch.h"
#include "access/audit.h"
#include "volume/ledger.h"
#include "volume/upkeep_work.h"
#include "workload/place.h"

namespace volary {
namespace {

// Makes `tree` the newest version of `volume`, as the end of a job does.
uint64_t commit_tree(Place& place, const std::string& volume, const TreeSummary& tree, const Holder& holder,
                     const std::string& message) {
  const std::string id = place.volumes.get(alice, volume).id;
  return place.database->write([&](Transaction& transaction) {
    const NewVersion version{id, tree, "alice", message, Origin::job, holder, 0};
    const uint64_t number = commit_version(transaction, version, system_clock().now());
    release_leases(transaction, holder);
    return number;
  });
}

void take_lease(Place& place, const std::string& volume, const Holder& holder) {
  const Volume found = place.volumes.get(alice, volume);
  place.database->write([&](Transaction& transaction) {
    take_writer(transaction, found.id, volume, found.head, holder, system_clock().now());
  });
  acknowledge("lease {} {}", volume, holder.id);
}

Holder holder_of(int round) { return {"job", fmt::format("job-{}", round)}; }

void commit_directory(Place& place, const Path& directory, int round, const std::string& message) {
  take_lease(place, "v", holder_of(round));
  const auto commit = place.store->begin_commit();
  Progress progress;
  const TreeSummary tree = add_directory(*commit, directory, progress, 1).summary;
  commit->publish();
  acknowledge_version(place, "v", commit_tree(place, "v", tree, holder_of(round), message));
}

void commit_round(Place& place, const Path& inputs, int round) {
  commit_directory(place, input_of(inputs, round), round, fmt::format("round {}", round));
}

// --- first

void perform_first(const Path& data, const Path&) {
  Place place(data);
  place.volumes.create(alice, {"v", {}, {}, {}, {}});
  acknowledge("volume v");
}

// --- commit

void prepare_volume_of(const Path& data, uint64_t quota) {
  Place place(data);
  place.volumes.create(alice, {"v", {}, {}, quota, {}});
  acknowledge("volume v");
}

void prepare_volume(const Path& data, const Path&) { prepare_volume_of(data, 10 << 20); }

void perform_commit(const Path& data, const Path& inputs) {
  Place place(data);
  for (int round = 1; round <= rounds; ++round) commit_round(place, inputs, round);
}

// --- harvest

Path scratch_of(const Path& data, int round) { return data / "jobs" / std::to_string(round); }

void prepare_harvest(const Path& data, const Path& inputs) {
  prepare_volume(data, inputs);
  Place place(data);
  commit_round(place, inputs, 1);
  for (int round = 2; round <= rounds; ++round) {
    // Each job is made when the one before it is done, so that its tree is the one it finds: a directory has one digest.
    const auto commit = place.store->begin_commit();
    Progress progress;
    const Digest before = add_directory(*commit, linked_input_of(inputs, round - 1), progress, 1).summary.tree;
    const Scratch scratch = make_scratch(scratch_of(data, round), before, OverlayXattrs::trusted, {0, 0});
    make_upper(linked_input_of(inputs, round - 1), linked_input_of(inputs, round), scratch.upper);
  }
}

void perform_harvest(const Path& data, const Path&) {
  Place place(data);
  for (int round = 2; round <= rounds; ++round) {
    take_lease(place, "v", holder_of(round));
    const Digest before = Digest::parse(place.volumes.version(alice, "v", "head").tree);
    const auto commit = place.store->begin_commit();
    Progress progress;
    const Harvest found =
        harvest(*place.store, *commit, before, scratch_of(data, round), Deletions::keep, progress);
    const TreeSummary tree = apply_changes(*place.store, *commit, before, found.changes);
    commit->publish();
    acknowledge_version(place, "v", commit_tree(place, "v", tree, holder_of(round), fmt::format("linked {}", round)));
  }
}

// --- import

void prepare_import(const Path& data, const Path& inputs) {
  prepare_volume(data, inputs);
  Place(data).datastores.create(alice, directory_named("here", inputs), Asker::own_user);
}

// Waits for a transfer that was accepted, and tells of its version.
void finish_transfer(Place& place, const std::string& id) {
  acknowledge_version(place, "v", wait_for_transfer(place, id).version);
}

void import_rounds(const Path& data, std::string_view kind) {
  Place place(data);
  place.transfers.start();
  for (int round = 1; round <= rounds; ++round) {
    NewTransfer wanted{"here", std::to_string(round), {}, Strategy::mirror, {}, fmt::format("{} {}", kind, round), {}};
    wanted.confirmed = true;
    finish_transfer(place, place.transfers.create(alice, TransferKind::import, "v", wanted).id);
  }
}

void perform_import(const Path& data, const Path&) { import_rounds(data, "round"); }

// --- fetch

constexpr uint64_t large_quota = 30 << 20;

void prepare_fetch(const Path& data, const Path&) {
  prepare_volume_of(data, large_quota);
  Place(data).datastores.create(alice, bucket_named("here", "source"), Asker::own_user);
}

void perform_fetch(const Path& data, const Path&) { import_rounds(data, "large"); }

// --- export

void prepare_export(const Path& data, const Path& inputs) {
  prepare_volume(data, inputs);
  Place place(data);
  for (int round = 1; round <= rounds; ++round) commit_round(place, inputs, round);
  prepare_target(data, inputs);
}

// --- send

void prepare_send(const Path& data, const Path& inputs) {
  prepare_volume_of(data, large_quota);
  Place place(data);
  for (int round = 1; round <= rounds; ++round)
    commit_directory(place, large_input_of(inputs, round), round, fmt::format("large {}", round));
  place.datastores.create(alice, bucket_named("there", "target"), Asker::own_user);
}

// --- snapshot

void perform_snapshot(const Path& data, const Path& inputs) {
  Place place(data);
  place.transfers.start();
  for (int round = 1; round <= rounds; ++round) {
    const NewSnapshot wanted{input_of(inputs, round).native(), fmt::format("round {}", round), {}, {}};
    finish_transfer(place, place.transfers.create_snapshot(alice, "v", wanted, ::geteuid()).id);
  }
}

// --- upload

void prepare_upload(const Path& data, const Path&) { prepare_volume_of(data, large_quota); }

// --- sweep

void prepare_sweep(const Path& data, const Path& inputs) {
  prepare_volume(data, inputs);
  Place place(data);
  for (int round = 1; round <= rounds; ++round) {
    place.volumes.create(alice, {fmt::format("gone-{}", round), {}, {}, 10 << 20, {}});
    const auto commit = place.store->begin_commit();
    Progress progress;
    const TreeSummary tree = add_directory(*commit, input_of(inputs, round), progress, 1).summary;
    commit->publish();
    const Holder holder = holder_of(10 + round);
    take_lease(place, fmt::format("gone-{}", round), holder);
    commit_tree(place, fmt::format("gone-{}", round), tree, holder, fmt::format("round {}", round));
  }
  for (int round = 1; round <= rounds; ++round) place.volumes.remove(alice, fmt::format("gone-{}", round));
  // Long ago, so that age spares none of it.
  for (const char* folder : {"store/objects", "store/trees"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data / folder))
      if (entry.is_regular_file())
        std::filesystem::last_write_time(entry, entry.last_write_time() - std::chrono::hours(1000));
}

void perform_sweep(const Path& data, const Path& inputs) {
  Place place(data);
  Audit audit(*place.database, system_clock());
  const UpkeepParts parts{*place.database, *place.store, place.datastores, audit, system_clock(), data / "secret.key",
                          "workload", [](const Path&, const auto&) { return true; }};
  const auto sweep = [&] {
    UpkeepLive live;
    sweep_store(parts, {.apply = true, .min_age_seconds = 0, .between_marks_seconds = 0, .quarantine_age_seconds = 0},
                live);
    acknowledge("swept");
  };
  sweep();  // Marks.
  commit_round(place, inputs, 1);  // Uses some of what was marked again.
  sweep();  // Moves the rest away.
  commit_round(place, inputs, 2);
  sweep();  // Deletes it.
}

// --- books

void prepare_books(const Path& data, const Path&) {
  Place place(data);
  acknowledge("books 0");
}

void perform_books(const Path& data, const Path&) {
  Place place(data);
  for (size_t step = 0; step < books_size(); ++step) {
    change_books(place, step);
    acknowledge("books {}", step + 1);
  }
}

struct Act {
  std::function<void(const Path& data, const Path& inputs)> prepare;  // Null: the directory is not there yet.
  std::function<void(const Path& data, const Path& inputs)> perform;
};

const std::map<std::string, Act>& acts() {
  static const std::map<std::string, Act> all = {
      {"first", {nullptr, perform_first}},
      {"commit", {prepare_volume, perform_commit}},
      {"harvest", {prepare_harvest, perform_harvest}},
      {"import", {prepare_import, perform_import}},
      {"export", {prepare_export, perform_export}},
      {"fetch", {prepare_fetch, perform_fetch}},
      {"send", {prepare_send, perform_send}},
      {"snapshot", {prepare_volume, perform_snapshot}},
      {"upload", {prepare_upload, perform_upload}},
      {"sweep", {prepare_sweep, perform_sweep}},
      {"books", {prepare_books, perform_books}},
  };
  return all;
}

const Act& act_named(const std::string& name) {
  const auto found = acts().find(name);
  if (found == acts().end()) throw Error(Errc::invalid, "'{}' is no act", name);
  return found->second;
}

}  // namespace

void acknowledge_version(Place& place, const std::string& volume, uint64_t number) {
  const Version version = place.volumes.version(alice, volume, std::to_string(number));
  acknowledge("version {} {} {} {}", volume, version.number, version.tree, version.checksum);
}

Transfer wait_for_transfer(Place& place, const std::string& id) {
  acknowledge("accepted {}", id);
  for (int waited = 0;; ++waited) {
    const Transfer now = place.transfers.get(alice, id);
    if (now.state == TransferState::done) return now;
    if (is_terminal(now.state)) throw Error(Errc::unavailable, "transfer {} failed: {}", id, now.error);
    if (place.had_trouble || waited > 30'000) throw Error(Errc::unavailable, "transfer {} goes on trying", id);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void prepare(const std::string& act, const Path& data, const Path& inputs) {
  if (const auto& work = act_named(act).prepare) work(data, inputs);
}
void perform(const std::string& act, const Path& data, const Path& inputs) { act_named(act).perform(data, inputs); }

std::vector<std::string> names_of_acts() {
  std::vector<std::string> names;
  for (const auto& [name, act] : acts()) names.push_back(name);
  return names;
}

}  // namespace volary
