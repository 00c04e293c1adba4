// view/mount_life.cc: mounts beyond a request: after a restart, after a failure, when others have ended them.
#include "core/error.h"
#include "core/fault.h"
#include "mount/erofs_image.h"
#include "view/mount_source.h"
#include "view/mounts.h"
#include "view/shell.h"

namespace volary {
namespace {

constexpr int64_t shell_start_seconds = 60;  // From being asked for to its holder's lock.
constexpr const char* vanished = "it was not mounted any more: the machine was restarted, or somebody unmounted it";
constexpr const char* shell_ended = "its command ended, and nobody said what to do with what it wrote";

}  // namespace

std::string source_of(const MountRow& row) { return "volary:" + row.id; }

std::optional<HostMount> find_standing(const std::vector<HostMount>& mounts, const MountRow& row) {
  const std::string farm = "/" + tree_of(row).hex() + ".links/tree";
  const std::string packed = "/" + packed_name_of(tree_of(row));
  std::optional<HostMount> standing;  // The last one: of two at one path, the upper.
  for (const HostMount& mount : mounts)
    if (mount.source == source_of(row) ||
        (mount.path == row.path && (mount.root.ends_with(farm) || mount.root == packed)))
      standing = mount;
  return standing;
}

Mounts::Mounts(Database& database, Store& store, Mounter& mounter, MountPlaces places, Clock& clock, Log log)
    : database_(database), store_(store), mounter_(mounter), places_(std::move(places)), clock_(clock),
      log_(std::move(log)) {
  make_directory(places_.directory, 0700);
}

void Mounts::start() {
  detach_all_below(places_.directory);  // Images that stood only while an overlay was made of them.
  const auto standing = host_mounts();
  const auto rows =
      database_.read([&](Transaction& transaction) { return mount_rows(transaction, "", "", "", SIZE_MAX / 2); });
  for (const MountRow& row : rows) {
    try {
      resume(row, standing);
    } catch (const Error& error) {  // One that cannot be brought to its end holds up no other.
      log_(fmt::format("mount {} of volume '{}' at '{}': {}", row.id, row.volume, row.path, error.what()));
      put_back(row, error.message());
    }
  }
  remove_strays();
}

void Mounts::resume(const MountRow& row, const std::vector<HostMount>& standing) {
  switch (row.state) {
    case MountState::asked:
      if (find_standing(standing, row)) write_state(row, MountState::mounted);
      else forget(row);
      return;
    case MountState::mounted: return look_at_mounted(row, standing);
    case MountState::unmounting: return void(end(row));
    case MountState::left: return;
  }
}

void Mounts::look_at_mounted(const MountRow& row, const std::vector<HostMount>& standing) {
  const bool is_shell = row.kind == MountKind::shell;
  const bool starting = is_shell && clock_.now() < row.created_at.plus_seconds(shell_start_seconds);
  const bool stands = is_shell ? holder_of_shell(directory_of(row)).has_value() : !!find_standing(standing, row);
  if (starting || stands) return;
  if (row.access == MountAccess::ro) forget(row);
  else write_state(row, MountState::left, is_shell ? shell_ended : vanished);
}

void Mounts::look_after() {
  const auto rows = database_.read([&](Transaction& transaction) {
    // Read before the mounts are looked at: one that is mounted by then is seen.
    return mount_rows(transaction, "", "", "", SIZE_MAX / 2);
  });
  if (rows.empty()) return;
  const auto standing = host_mounts();
  for (const MountRow& row : rows) {
    if (row.state != MountState::mounted || !in_hand_.lock()->insert(row.id).second) continue;
    struct Release {
      Mounts& mounts;
      const std::string& id;
      ~Release() { mounts.in_hand_.lock()->erase(id); }
    } const release{*this, row.id};
    const auto now = database_.read([&](Transaction& transaction) { return find_mount(transaction, row.id); });
    if (now && now->state == MountState::mounted) look_at_mounted(*now, standing);
  }
}

// After an unmounting that failed: mounted, or left if it cannot be.
void Mounts::put_back(const MountRow& row, const std::string& why) {
  std::string note;
  if (row.kind == MountKind::shell) {
    note = why;
  } else if (!find_standing(host_mounts(), row)) {
    try {
      stand(row);
    } catch (const Error& error) {
      log_(fmt::format("mount {} of volume '{}' cannot be mounted again at '{}': {}", row.id, row.volume, row.path,
                       error.what()));
      note = why;
    }
  }
  write_state(row, note.empty() ? MountState::mounted : MountState::left, note);
}

void Mounts::write_state(const MountRow& row, MountState state, const std::string& note) {
  database_.write([&](Transaction& transaction) { set_mount_state(transaction, row.id, state, note); });
  fault::point("view.state");
}

void Mounts::forget(const MountRow& row) {
  database_.write([&](Transaction& transaction) { remove_mount(transaction, row.id); });
  fault::point("view.forgotten");
  remove_tree(directory_of(row));
}

void Mounts::remove_strays() {
  for (const DirectoryEntry& entry : list_directory(places_.directory)) {
    const auto row = database_.read([&](Transaction& transaction) { return find_mount(transaction, entry.name); });
    if (!row) remove_tree(places_.directory / entry.name);
  }
}

}  // namespace volary
