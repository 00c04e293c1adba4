// volume/volumes.cc: the statements behind volume/volumes.h; versions and their files are in versions.cc.
#include "volume/volumes.h"

#include <algorithm>

#include "core/error.h"
#include "core/name.h"
#include "core/quantity.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "event/events.h"
#include "volume/bucket_volumes.h"
#include "volume/version_rows.h"

namespace volary {
namespace {

constexpr uint64_t quota_bytes_default = 10ull << 30;
constexpr size_t tags_max = 64;

// A volume with what its head says.
constexpr std::string_view select_volume =
    "SELECT volume.id, volume.project, volume.name, volume.data_type, volume.storage_type, volume.quota_bytes, "
    "volume.used_bytes, volume.reserved_bytes, volume.tags, volume.head, COALESCE(version.checksum, ''), "
    "COALESCE(version.files, 0), volume.created_at, volume.created_by, "
    "(SELECT COUNT(*) FROM version AS each WHERE each.volume = volume.id), "
    "(SELECT COALESCE(SUM(bytes), 0) FROM version AS each WHERE each.volume = volume.id), volume.retention, "
    "volume.datastore, volume.directory "
    "FROM volume LEFT JOIN version ON version.volume = volume.id AND version.number = volume.head ";

void check_tags(const std::vector<std::string>& tags) {
  if (tags.size() > tags_max)
    throw Error(Errc::invalid, "{} tags were given: expected at most {}", tags.size(), tags_max);
  for (const std::string& tag : tags)
    if (tag.empty() || tag.size() > 128 || !is_utf8(tag) || printable(tag) != tag)
      throw Error(Errc::invalid, "'{}' is no tag: expected 1 to 128 bytes of printable text", printable(tag));
}

Retention changed_retention(Retention retention, const Retention& change) {
  static constexpr uint64_t keep_max = 1'000'000;
  const auto change_bound = [](std::optional<uint64_t>& bound, const std::optional<uint64_t>& wanted,
                               std::string_view what) {
    if (!wanted) return;
    if (*wanted > keep_max)
      throw Error(Errc::invalid, "{} {} cannot be kept: expected at most {}, or 0 for no bound", *wanted, what,
                  keep_max);
    bound = *wanted == 0 ? std::nullopt : wanted;
  };
  change_bound(retention.keep_versions, change.keep_versions, "versions");
  change_bound(retention.keep_days, change.keep_days, "days");
  if (change.keep_tagged) retention.keep_tagged = change.keep_tagged;
  return retention;
}

// What people know a holder by, and whose it is.
constexpr std::string_view holder_names =
    "COALESCE((SELECT name FROM job WHERE job.id = held.holder), "
    "(SELECT path FROM mount WHERE mount.id = held.holder), "
    "(SELECT 'upload from ' || source FROM upload WHERE upload.id = held.holder), "
    "(SELECT CASE kind WHEN 'export_' THEN 'export to ' || datastore || ':' || destination_directory "
    "WHEN 'snapshot' THEN 'snapshot of ' || source_directory "
    "ELSE 'import from ' || datastore || ':' || source_directory END FROM transfer WHERE transfer.id = held.holder), "
    "''), "
    "COALESCE((SELECT subject FROM job WHERE job.id = held.holder), "
    "(SELECT created_by FROM mount WHERE mount.id = held.holder), "
    "(SELECT created_by FROM upload WHERE upload.id = held.holder), "
    "(SELECT created_by FROM transfer WHERE transfer.id = held.holder), '') ";

std::vector<Lease> leases_of(Transaction& transaction, const Volume& volume) {
  const std::string names(holder_names);
  auto leases = transaction.all<Lease>(
      "SELECT id, $2, kind, version, epoch, holder_kind || ' ' || holder, acquired_at, " + names +
          "FROM lease AS held WHERE volume = $1 ORDER BY acquired_at, id",
      volume.id, volume.name);
  for (Lease& waits : transaction.all<Lease>(
           "SELECT '', $2, 'waiting', 0, 0, holder_kind || ' ' || holder, asked_at, " + names +
               "FROM lease_wait AS held WHERE volume = $1 ORDER BY asked_at, holder",
           volume.id, volume.name))
    leases.push_back(std::move(waits));
  return leases;
}

}  // namespace

std::optional<Volume> find_volume(Transaction& transaction, const Caller& caller, const std::string& name) {
  return transaction.find<Volume>(std::string(select_volume) + "WHERE volume.project = $1 AND volume.name = $2 "
                                                               "AND volume.id NOT IN (SELECT volume FROM staged)",
                                  caller.project, name);
}

std::optional<Volume> find_volume(Transaction& transaction, const std::string& id) {
  return transaction.find<Volume>(std::string(select_volume) + "WHERE volume.id = $1", id);
}

Volume get_volume(Transaction& transaction, const std::string& id) {
  auto volume = find_volume(transaction, id);
  if (!volume) throw Error(Errc::not_found, "there is no volume {} any more", id);
  return *volume;
}

Volume get_volume(Transaction& transaction, const Caller& caller, const std::string& name) {
  auto volume = find_volume(transaction, caller, name);
  if (!volume) throw Error(Errc::not_found, "there is no volume '{}' in this project", printable(name));
  return *volume;
}

std::string create_volume(Transaction& transaction, const Caller& caller, const NewVolume& request, Time now) {
  const Name name = Name::parse(request.name, "volume");
  check_tags(request.tags);
  const uint64_t quota = request.quota_bytes.value_or(quota_bytes_default);
  if (quota == 0 || quota > INT64_MAX)
    throw Error(Errc::invalid, "a quota of {} bytes cannot be: expected at least 1", quota);
  if (transaction.find<std::string>("SELECT id FROM volume WHERE project = $1 AND name = $2", caller.project,
                                    name.text()))
    throw Error(Errc::exists, "volume '{}' exists already in this project", name.text());
  const BucketDirectory place = directory_of_new(transaction, caller, request);
  const std::string id = new_id("vol");
  transaction.run(
      "INSERT INTO volume (id, tenant, project, name, data_type, storage_type, quota_bytes, used_bytes, "
      "reserved_bytes, tags, head, writer_epoch, created_at, created_by, datastore, directory) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, 0, 0, $9, $10, $11, $12)",
      id, caller.tenant, caller.project, name.text(), request.data_type.value_or(DataType::other),
      request.storage_type.value_or(StorageType::fs), quota, request.tags, now, caller.name, place.datastore,
      place.directory.text());
  note_event(transaction, caller.project, "volume.created", id, {.volume = VolumeChanged{name.text(), caller.name}},
             now);
  return id;
}

Volume Volumes::create(const Caller& caller, const NewVolume& request) {
  return database_.write([&](Transaction& transaction) {
    create_volume(transaction, caller, request, clock_.now());
    return get_volume(transaction, caller, request.name);
  });
}

std::vector<Volume> Volumes::list(const Caller& caller, const VolumeFilter& filter, const std::string& after,
                                  size_t limit) {
  const auto fits = [&](const Volume& volume) {
    if (filter.data_type && volume.data_type != *filter.data_type) return false;
    if (!filter.search.empty() && volume.name.find(filter.search) == std::string::npos) return false;
    return std::all_of(filter.tags.begin(), filter.tags.end(), [&](const std::string& tag) {
      return std::find(volume.tags.begin(), volume.tags.end(), tag) != volume.tags.end();
    });
  };
  std::vector<Volume> volumes;
  database_.read([&](Transaction& transaction) {
    transaction.each(
        std::string(select_volume) + "WHERE volume.project = $1 AND volume.name > $2 "
                                     "AND volume.id NOT IN (SELECT volume FROM staged) ORDER BY volume.name",
        [&](const Row& row) {
          if (volumes.size() >= limit) return;
          Volume volume;
          db_detail::read_record(row, volume);
          if (fits(volume)) volumes.push_back(std::move(volume));
        },
        caller.project, after);
  });
  return volumes;
}

Volume Volumes::get(const Caller& caller, const std::string& name) {
  return database_.read([&](Transaction& transaction) { return get_volume(transaction, caller, name); });
}

Volume Volumes::update(const Caller& caller, const std::string& name, const VolumeChange& change) {
  if (change.tags) check_tags(*change.tags);
  return database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, name);
    if (change.quota_bytes) {
      if (*change.quota_bytes < volume.used_bytes + volume.reserved_bytes || *change.quota_bytes > INT64_MAX)
        throw Error(Errc::exhausted, "volume '{}' uses {} and has {} reserved: a quota of {} is too small", name,
                    bytes_text(volume.used_bytes), bytes_text(volume.reserved_bytes), bytes_text(*change.quota_bytes));
      transaction.run("UPDATE volume SET quota_bytes = $2 WHERE id = $1", volume.id, *change.quota_bytes);
    }
    if (change.tags) transaction.run("UPDATE volume SET tags = $2 WHERE id = $1", volume.id, *change.tags);
    if (change.retention)
      transaction.run("UPDATE volume SET retention = $2 WHERE id = $1", volume.id,
                      changed_retention(volume.retention, *change.retention));
    return get_volume(transaction, caller, name);
  });
}

void Volumes::remove(const Caller& caller, const std::string& name) {
  database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, name);
    std::string users;
    for (const Lease& lease : leases_of(transaction, volume))
      users += (users.empty() ? "" : ", ") + lease.holder + (lease.name.empty() ? "" : " (" + lease.name + ")");
    if (!users.empty())
      throw Error(Errc::conflict, "volume '{}' is in use by {}: expected nobody to hold it", name, users);
    const auto job = transaction.find<std::string>(
        "SELECT job.id FROM job_attachment JOIN job ON job.id = job_attachment.job WHERE job_attachment.volume = $1 "
        "AND job_attachment.staging <> '' AND job.state = 'QUEUED' ORDER BY job.id LIMIT 1",
        volume.id);
    if (job)
      throw Error(Errc::conflict, "volume '{}' is waited for by job {}, until it is staged from its bucket: expected "
                  "nobody to wait for it", name, *job);
    delete_volume(transaction, volume.id);
    note_event(transaction, caller.project, "volume.deleted", volume.id,
               {.volume = VolumeChanged{volume.name, caller.name}}, clock_.now());
  });
}

void delete_volume(Transaction& transaction, const std::string& id) {
  for (const char* table : {"transfer_item", "transfer_failure", "transfer_upload"})
    transaction.run(fmt::format("DELETE FROM {} WHERE transfer IN (SELECT id FROM transfer WHERE volume = $1)", table),
                    id);
  transaction.run("DELETE FROM happening WHERE subject IN (SELECT id FROM transfer WHERE volume = $1)", id);
  transaction.run("DELETE FROM upload_file WHERE upload IN (SELECT id FROM upload WHERE volume = $1)", id);
  for (const char* table : {"transfer", "upload", "job_attachment", "job_run_attachment", "version_tag", "share",
                            "version", "staged"})
    transaction.run(fmt::format("DELETE FROM {} WHERE volume = $1", table), id);
  transaction.run("DELETE FROM volume WHERE id = $1", id);
}

std::vector<Lease> Volumes::leases(const Caller& caller, const std::string& name) {
  return database_.read([&](Transaction& transaction) {
    return leases_of(transaction, get_volume(transaction, caller, name));
  });
}

}  // namespace volary
