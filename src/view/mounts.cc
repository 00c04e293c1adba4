// view/mounts.cc: what people ask of mounts, step by step; view/mount_life.cc has what becomes of them otherwise.
#include "view/mounts.h"

#include <unistd.h>

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/place.h"
#include "core/random.h"
#include "view/mount_source.h"
#include "view/shell.h"
#include "volume/ledger.h"

namespace volary {
namespace {

constexpr size_t users_named_max = 5;
constexpr const char* plan_name = "volume";

}  // namespace

// One thread works on a mount. Throws `conflict` if another does.
class Mounts::InHand {
 public:
  InHand(Mounts& mounts, const std::string& id) : mounts_(mounts), id_(id) {
    if (!mounts_.in_hand_.lock()->insert(id_).second)
      throw Error(Errc::conflict, "mount {} is just being mounted or unmounted", id_);
  }
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;
  ~InHand() { mounts_.in_hand_.lock()->erase(id_); }

 private:
  Mounts& mounts_;
  const std::string id_;
};

void Mounts::check_place(const NewMount& wanted, Asker asker) const {
  const bool is_shell = wanted.kind == MountKind::shell;
  const HostPlace place = open_place(wanted.path);
  if (is_within(place.path, places_.forbidden))
    throw Error(Errc::invalid, "'{}' lies in the server's own directory '{}': expected a place outside it",
                wanted.path, places_.forbidden.native());
  const auto holds = [&](const Path& open) { return place.path != open && is_within(place.path, open); };
  if (asker == Asker::other && is_shell)
    throw Error(Errc::denied, "a shell needs the server's own user, over its Unix socket");
  if (asker == Asker::other &&
      std::none_of(places_.open_to_others.begin(), places_.open_to_others.end(), holds))
    throw Error(Errc::denied, "'{}' is no place that this server mounts at for others: expected one below a directory "
                "that it was started with (--mount-below), or its own user over its Unix socket", wanted.path);
  if (is_shell) return;
  if (::geteuid() != 0 || mounter_.ways().writable == WritableWay::user_overlay)
    throw Error(Errc::unavailable, "this server has not the right to mount where others see it: expected it to run as "
                "root; without that, 'volary volume shell {} {} -- COMMAND' shows it to one command", wanted.volume,
                wanted.path);
  open_empty_directory(place);
}

Mount Mounts::mount(const Caller& caller, const NewMount& asked, Asker asker) {
  check_place(asked, asker);
  NewMount wanted = asked;
  wanted.path = open_place(asked.path).path.native();
  const std::string id = new_id("mnt");
  const InHand in_hand(*this, id);
  const MountRow row = database_.write(
      [&](Transaction& transaction) { return add_mount(transaction, caller, id, wanted, clock_.now()); });
  fault::point("view.asked");
  try {
    stand(row);
    write_state(row, MountState::mounted);
  } catch (const Error&) {  // Nobody was told of it, so nothing is kept.
    take_away(row);
    forget(row);
    throw;
  }
  return get(caller, id);
}

void Mounts::stand(const MountRow& row) {
  make_directory(directory_of(row), 0700);
  MountPlan plan = row.access == MountAccess::ro
                       ? mounter_.prepare_read_only(tree_of(row), plan_name)
                       : mounter_.prepare_writable(tree_of(row), plan_name, directory_of(row) / "scratch");
  fault::point("view.prepared");
  if (row.kind == MountKind::shell) {
    write_shell(directory_of(row), std::move(plan), row.path);
  } else {
    const Fd target = open_empty_directory(open_place(row.path));
    mount_on_host(plan, target, directory_of(row) / "staging", source_of(row));
    fault::point("view.mounted");
  }
}

Mount Mounts::get(const Caller& caller, const std::string& id) {
  const auto row = database_.read([&](Transaction& transaction) { return find_mount(transaction, id); });
  if (!row || row->project != caller.project)
    throw Error(Errc::not_found, "there is no mount '{}' in this project", id);
  return view_of(*row);
}

std::vector<Mount> Mounts::list(const Caller& caller, const std::string& path, const std::string& after,
                                size_t limit) {
  const auto rows = database_.read(
      [&](Transaction& transaction) { return mount_rows(transaction, caller.project, path, after, limit); });
  std::vector<Mount> mounts;
  for (const MountRow& row : rows) mounts.push_back(view_of(row));
  return mounts;
}

Mount Mounts::view_of(const MountRow& row) const {
  return {.id = row.id, .volume = row.volume, .version = row.version, .path = row.path, .access = row.access,
          .kind = row.kind, .state = row.state, .note = row.note, .directory = directory_of(row).native(),
          .created_at = row.created_at, .created_by = row.created_by};
}

Unmounted Mounts::unmount(const Caller& caller, const std::string& id, const Unmount& wanted) {
  const InHand in_hand(*this, get(caller, id).id);
  const MountRow row = database_.write([&](Transaction& transaction) {
    const auto found = find_mount(transaction, id);
    if (!found) throw Error(Errc::not_found, "there is no mount '{}' in this project", id);
    const bool discard = wanted.discard.value_or(false);
    transaction.run(
        "UPDATE mount SET state = 'unmounting', message = $2, author = $3, discard = $4 WHERE id = $1", id,
        wanted.message.value_or("written at " + found->path), caller.name, discard);
    return *find_mount(transaction, id);
  });
  fault::point("view.unmounting");
  try {
    return end(row);
  } catch (const Error& error) {  // What was written is kept, and shown again if that can be.
    put_back(row, error.message());
    throw;
  }
}

Unmounted Mounts::end(const MountRow& row) {
  take_away(row);
  fault::point("view.unmounted");
  Unmounted unmounted{.id = row.id, .volume = row.volume, .left_out = {}};
  if (row.access == MountAccess::rw && !row.discard) unmounted = commit_changes(row);
  forget(row);
  return unmounted;
}

void Mounts::take_away(const MountRow& row) const {
  if (row.kind == MountKind::shell) {
    if (const auto holder = holder_of_shell(directory_of(row)))
      throw Error(Errc::conflict, "volume '{}' is shown to process {} and what it started: expected them to have ended",
                  row.volume, *holder);
    return;
  }
  const auto mount = find_standing(host_mounts(), row);
  if (!mount || unmount_from_host(*mount) == Unmounting::done) return;
  std::string users;
  for (const std::string& user : users_of(*mount, users_named_max)) users += (users.empty() ? "" : ", ") + user;
  throw Error(Errc::conflict, "'{}' is in use by {}: expected nobody to have anything open in it", mount->path.native(),
              users.empty() ? "somebody" : users);
}

Unmounted Mounts::commit_changes(const MountRow& row) {
  Unmounted unmounted{.id = row.id, .volume = row.volume, .left_out = {}};
  const Path scratch = directory_of(row) / "scratch";
  if (!is_present(scratch)) return unmounted;  // Nothing was ever mounted.
  const Digest before = tree_of(row);
  const auto commit = store_.begin_commit();
  Progress progress;
  const Harvest harvested = harvest(store_, *commit, before, scratch, Deletions::keep, progress);
  fault::point("view.harvested");
  unmounted.left_out = harvested.left_out;
  const TreeSummary tree = apply_changes(store_, *commit, before, harvested.changes);
  if (tree.tree == before) return unmounted;
  commit->publish();
  fault::point("view.published");
  unmounted.result = database_.write([&](Transaction& transaction) {
    return commit_version(
        transaction, {row.volume_id, tree, row.author, row.message, Origin::mount, {"mount", row.id}, 0}, clock_.now());
  });
  fault::point("view.committed");
  return unmounted;
}

}  // namespace volary
