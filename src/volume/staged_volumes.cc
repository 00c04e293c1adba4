// volume/staged_volumes.cc: the rows behind volume/staged_volumes.h; what a pull or push does is in
// perform_transfer.cc.
#include "volume/staged_volumes.h"

#include "core/error.h"
#include "core/random.h"
#include "volume/transfer_rows.h"
#include "volume/volumes.h"

namespace volary {
namespace {

struct Named {
  std::string name;
  uint64_t head = 0;
};
BOOST_DESCRIBE_STRUCT(Named, (), (name, head))

struct Copied {
  Digest tree;
  Digest checksum;
  uint64_t files = 0;
  uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(Copied, (), (tree, checksum, files, bytes))

constexpr std::string_view select_kept =
    "SELECT volume.id, COALESCE((SELECT name FROM datastore WHERE datastore.id = staged.datastore), '(removed)') || "
    "':' || staged.directory, version.tree, version.bytes, staged.used_at, "
    "(SELECT COUNT(*) FROM lease WHERE lease.volume = volume.id) + (SELECT COUNT(*) FROM data_sync WHERE "
    "data_sync.volume = volume.id AND data_sync.state IN ('QUEUED', 'RUNNING')) "
    "FROM staged JOIN volume ON volume.id = staged.volume "
    "JOIN version ON version.volume = volume.id AND version.number = volume.head WHERE staged.job = '' ";

Named named(Transaction& transaction, const std::string& volume_id) {
  return *transaction.find<Named>("SELECT name, head FROM volume WHERE id = $1", volume_id);
}

// Of a volume that is kept: what it held before goes when nobody holds it.
const Retention only_newest{.keep_versions = 1, .keep_days = {}, .keep_tagged = {}};

std::string insert_staged(Transaction& transaction, const Caller& caller, const std::string& name,
                          const std::string& datastore_id, const std::string& directory, const std::string& job_id,
                          Time now) {
  const std::string id = new_id("vol");
  transaction.run(
      "INSERT INTO volume (id, tenant, project, name, data_type, storage_type, quota_bytes, used_bytes, "
      "reserved_bytes, tags, head, writer_epoch, created_at, created_by, retention) "
      "VALUES ($1, $2, $3, $4, 'other', 'fs', $5, 0, 0, '[]', 0, 0, $6, $7, $8)",
      id, caller.tenant, caller.project, name, INT64_MAX, now, caller.name,
      job_id.empty() ? only_newest : Retention());
  transaction.run("INSERT INTO staged (volume, datastore, directory, job, used_at) VALUES ($1, $2, $3, $4, $5)", id,
                  datastore_id, directory, job_id, now);
  return id;
}

// s3://BUCKET/KEY
bool is_one_file(const StorePlace& place) {
  return place.datastore.kind == DatastoreKind::s3 && place.datastore.name.find("://") != std::string::npos;
}

// Of a transfer that moves a job's data.
void mark_staged(Transaction& transaction, const std::string& id, uint64_t since) {
  transaction.run("UPDATE transfer SET staged = 1, since = $2 WHERE id = $1", id, since);
}

}  // namespace

bool is_staged(Transaction& transaction, const std::string& volume_id) {
  return transaction.find<std::string>("SELECT volume FROM staged WHERE volume = $1", volume_id).has_value();
}

std::string make_staged(Transaction& transaction, const Caller& caller, const std::string& name,
                        const std::string& job_id, Time now) {
  return insert_staged(transaction, caller, name, "", "", job_id, now);
}

std::string keep_staged(Transaction& transaction, const Caller& caller, const StorePlace& place, Time now) {
  const auto known = transaction.find<std::string>(
      "SELECT volume FROM staged WHERE datastore = $1 AND directory = $2 AND job = ''", place.datastore.id,
      place.directory);
  if (!known)
    return insert_staged(transaction, caller,
                         fmt::format("cached {}:{} ({})", place.datastore.name, place.directory, place.datastore.id),
                         place.datastore.id, place.directory, "", now);
  transaction.run("UPDATE staged SET used_at = $2 WHERE volume = $1", *known, now);
  return *known;
}

void copy_version(Transaction& transaction, const std::string& from, uint64_t number, const std::string& to,
                  const std::string& author, const Holder& holder, Time now) {
  const auto version = transaction.find<Copied>(
      "SELECT tree, checksum, files, bytes FROM version WHERE volume = $1 AND number = $2", from, number);
  if (!version) throw Error(Errc::not_found, "version {} of volume {} has been deleted", number, from);
  commit_version(transaction,
                 {.volume_id = to, .tree = {version->tree, version->checksum, version->files, version->bytes},
                  .author = author, .message = "what the job began with", .origin = Origin::clone, .holder = holder,
                  .origin_id = fmt::format("{}@{}", from, number)},
                 now);
}

std::string pull_staged(Transaction& transaction, const Caller& caller, const std::string& volume_id,
                        const StorePlace& place, Absent absent, Time now) {
  const auto under_way = transaction.find<std::string>(
      "SELECT id FROM transfer WHERE volume = $1 AND kind = 'import' AND state IN ('queued', 'planning', 'running') "
      "AND cancel_requested = 0 AND staged = $2 ORDER BY created_at, id LIMIT 1",
      volume_id, absent == Absent::made);
  if (under_way) return *under_way;
  const std::string id = new_id("xfer");
  const Named volume = named(transaction, volume_id);
  take_writers(transaction, {{volume_id, volume.name, volume.head}}, {"transfer", id}, wait_seconds_max, now);
  NewTransfer asked;
  asked.confirmed = true;
  asked.skip_conflicts = true;
  insert_transfer(transaction, caller, id,
                  {.kind = TransferKind::import, .volume_id = volume_id, .version = volume.head,
                   .datastore = place.datastore.name, .source_directory = place.directory,
                   .destination_directory = "", .strategy = is_one_file(place) ? Strategy::overwrite : Strategy::mirror,
                   .message = fmt::format("pulled from {}:{}", place.datastore.name, place.directory),
                   .asked = asked},
                  now);
  if (absent == Absent::made) mark_staged(transaction, id, 0);
  return id;
}

std::string push_staged(Transaction& transaction, const Caller& caller, const Push& push, const StorePlace& place,
                        Time now) {
  const std::string id = new_id("xfer");
  take_reader(transaction, push.volume_id, push.version, {"transfer", id}, now);
  NewTransfer asked;
  asked.confirmed = true;
  insert_transfer(transaction, caller, id,
                  {.kind = TransferKind::export_, .volume_id = push.volume_id, .version = push.version,
                   .datastore = place.datastore.name, .source_directory = "",
                   .destination_directory = place.directory,
                   .strategy = push.removals == Removals::go ? Strategy::mirror : Strategy::overwrite,
                   .message = "", .asked = asked},
                  now);
  mark_staged(transaction, id, push.since);
  return id;
}

void empty_staged(Transaction& transaction, const std::string& volume_id) {
  for (const char* table : {"version_tag", "version"})
    transaction.run(fmt::format("DELETE FROM {} WHERE volume = $1", table), volume_id);
  transaction.run("UPDATE volume SET head = 0, used_bytes = 0 WHERE id = $1", volume_id);
}

std::vector<KeptStaged> all_kept(Transaction& transaction) {
  return transaction.all<KeptStaged>(std::string(select_kept) + "ORDER BY staged.used_at, volume.id");
}

bool drop_kept(Transaction& transaction, const std::string& volume_id) {
  const auto kept = transaction.find<KeptStaged>(std::string(select_kept) + "AND volume.id = $1", volume_id);
  if (!kept || kept->users > 0) return false;
  empty_staged(transaction, volume_id);
  const bool is_known = transaction.find<std::string>("SELECT job FROM job_attachment WHERE volume = $1 "
                                                      "UNION SELECT job FROM data_sync WHERE volume = $2 LIMIT 1",
                                                      volume_id, volume_id).has_value();
  if (!is_known) {
    delete_volume(transaction, volume_id);
    return true;
  }
  transaction.run("UPDATE staged SET job = '-' WHERE volume = $1", volume_id);
  transaction.run("UPDATE volume SET name = name || ' ' || id WHERE id = $1", volume_id);
  return true;
}

std::vector<std::string> find_left_staged(Transaction& transaction) {
  return transaction.all<std::string>(
      "SELECT staged.volume FROM staged JOIN volume ON volume.id = staged.volume JOIN job ON job.id = staged.job "
      "WHERE volume.head > 0 AND (job.removed_at IS NOT NULL OR job.state IN ('DONE', 'FAILED', 'INTERRUPTED')) "
      "AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.volume = staged.volume) ORDER BY staged.volume");
}

std::optional<Datastore> find_datastore(Transaction& transaction, const std::string& project,
                                        const std::string& name) {
  return transaction.find<Datastore>(
      "SELECT id, project, name, kind, path, endpoint, region, bucket, url_style, repository, repository_type, "
      "revision, secret, proxy, no_proxy, reach, created_at FROM datastore WHERE project = $1 AND name = $2",
      project, name);
}

}  // namespace volary
