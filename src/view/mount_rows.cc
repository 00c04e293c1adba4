// view/mount_rows.cc: the statements of view/mount_rows.h.
#include "view/mount_rows.h"

#include "core/error.h"
#include "volume/bucket_volumes.h"
#include "volume/ledger.h"
#include "volume/volumes.h"

namespace volary {
namespace {

constexpr std::string_view select_mount =
    "SELECT mount.id, mount.project, mount.volume, volume.name, mount.version, COALESCE(version.tree, ''), mount.path, "
    "mount.access, mount.kind, mount.state, mount.note, mount.message, mount.author, mount.discard, mount.created_at, "
    "mount.created_by FROM mount JOIN volume ON volume.id = mount.volume "
    "LEFT JOIN version ON version.volume = mount.volume AND version.number = mount.version ";

}  // namespace

std::optional<MountRow> find_mount(Transaction& transaction, const std::string& id) {
  return transaction.find<MountRow>(std::string(select_mount) + "WHERE mount.id = $1", id);
}

std::vector<MountRow> mount_rows(Transaction& transaction, const std::string& project, const std::string& path,
                                 const std::string& after, size_t limit) {
  return transaction.all<MountRow>(
      std::string(select_mount) +
          "WHERE ($1 = '' OR mount.project = $1) AND ($2 = '' OR mount.path = $2) AND mount.id > $3 "
          "ORDER BY mount.id LIMIT $4",
      project, path, after, limit);
}

MountRow add_mount(Transaction& transaction, const Caller& caller, const std::string& id, const NewMount& wanted,
                   Time now) {
  const VolumeReference reference = parse_volume_reference(wanted.volume);
  const Volume volume = get_volume(transaction, caller, reference.name);
  const MountAccess access = wanted.access.value_or(MountAccess::ro);
  const MountKind kind = wanted.kind.value_or(MountKind::path);
  const auto other = transaction.find<std::string>("SELECT id FROM mount WHERE path = $1 AND kind = 'path'",
                                                   wanted.path);
  if (kind == MountKind::path && other)
    throw Error(Errc::exists, "mount {} stands at '{}' already: expected another path", *other, wanted.path);
  uint64_t version = volume.head;
  if (access == MountAccess::ro) {
    version = get_version(transaction, volume, reference.version).number;
    take_reader(transaction, volume.id, version, {"mount", id}, now);
  } else {
    refuse_in_bucket(volume, "mounted for writing");
    if (!reference.version.empty() && get_version(transaction, volume, reference.version).number != volume.head)
      throw Error(Errc::invalid, "'{}' is not the newest version: only that can be mounted for writing", wanted.volume);
    take_writer(transaction, volume.id, volume.name, version, {"mount", id}, now);
  }
  transaction.run(
      "INSERT INTO mount (id, tenant, project, volume, version, path, access, kind, state, note, message, author, "
      "discard, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'asked', '', '', '', 0, $9, $10)",
      id, caller.tenant, caller.project, volume.id, version, wanted.path, access, kind, now, caller.name);
  return *find_mount(transaction, id);
}

void set_mount_state(Transaction& transaction, const std::string& id, MountState state, const std::string& note) {
  transaction.run("UPDATE mount SET state = $2, note = $3 WHERE id = $1", id, state, note);
}

void remove_mount(Transaction& transaction, const std::string& id) {
  release_leases(transaction, {"mount", id});
  transaction.run("DELETE FROM mount WHERE id = $1", id);
}

Digest tree_of(const MountRow& row) { return row.tree.empty() ? empty_tree().tree : Digest::parse(row.tree); }

}  // namespace volary
