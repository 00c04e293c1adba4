// volume/upkeep_roots.cc: what keeps an object alive, and what is known to be damaged.
//
// A version's tree is a root, so a lease, a mount or a job's attachment needs no root of its own: it names a version by
// its number, and a version that is held is not deleted. The digests of seen_object are no roots: they say what an
// object elsewhere once held, and who reads them asks the store whether it still has that.
#include "core/error.h"
#include "volume/upkeep_work.h"

namespace volary {

void UpkeepLive::check_stop() const {
  if (stop.stop_requested()) throw Error(Errc::unavailable, "the work was asked to stop");
}

Roots roots_of(Transaction& transaction) {
  return {transaction.all<Digest>("SELECT DISTINCT tree FROM version"),
          transaction.all<Digest>("SELECT digest FROM transfer_item UNION "
                                  "SELECT digest FROM upload_file WHERE digest <> ''")};
}

std::string VersionRow::name() const {
  const std::string name = fmt::format("{}@{}", volume, number);
  return project == "default" ? name : project + "/" + name;
}

std::vector<VersionRow> all_versions(Transaction& transaction) {
  return transaction.all<VersionRow>(
      "SELECT project.name, volume.name, version.number, version.tree, version.checksum, version.files, version.bytes "
      "FROM version JOIN volume ON volume.id = version.volume JOIN project ON project.id = volume.project "
      "ORDER BY project.name, volume.name, version.number");
}

std::string word_of(ObjectKind kind) { return kind == ObjectKind::tree ? "tree" : "blob"; }

void note_damage(Transaction& transaction, const Flaw& flaw, const std::string& by, Time now) {
  transaction.run(
      "INSERT INTO damage (kind, digest, found_by, what, found_at) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (kind, digest, found_by) DO UPDATE SET what = excluded.what, found_at = excluded.found_at",
      word_of(flaw.kind), flaw.digest, by, flaw.what, now);
}

void forget_damage(Transaction& transaction, ObjectKind kind, const Digest& digest) {
  transaction.run("DELETE FROM damage WHERE kind = $1 AND digest = $2", word_of(kind), digest);
}

Uses uses_of(const UpkeepParts& parts, const std::vector<Flaw>& flaws, size_t limit) {
  constexpr size_t paths_of_version_max = 10'000;
  Uses uses;
  if (flaws.empty()) return uses;
  Affected affected(parts.store, flaws);
  for (const VersionRow& version : parts.database.read([](Transaction& t) { return all_versions(t); }))
    affected.below(version.tree, paths_of_version_max, [&](const TreePath& path, const Digest& digest) {
      auto& known = uses[digest];
      if (known.size() < limit) known.push_back(version.name() + ": " + (path.is_root() ? "/" : path.text()));
    });
  return uses;
}

}  // namespace volary
