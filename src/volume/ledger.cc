// volume/ledger.cc: the books of volume/ledger.h, each rule one conditional statement; the writers' part is in
// volume/writers.cc.
#include "volume/ledger.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/random.h"
#include "event/events.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

struct Books {
  std::string name;
  std::string project;
  uint64_t quota_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t reserved_bytes = 0;
  uint64_t head = 0;
  uint64_t writer_epoch = 0;
  StorageType storage_type{};
};
BOOST_DESCRIBE_STRUCT(Books, (), (name, project, quota_bytes, used_bytes, reserved_bytes, head, writer_epoch,
                                  storage_type))

Books books_of(Transaction& transaction, const std::string& volume_id) {
  auto books = transaction.find<Books>(
      "SELECT name, project, quota_bytes, used_bytes, reserved_bytes, head, writer_epoch, storage_type "
      "FROM volume WHERE id = $1",
      volume_id);
  if (!books) throw Error(Errc::not_found, "volume {} does not exist any more", volume_id);
  return *books;
}

struct HeldLease {
  std::string holder_kind;
  std::string holder;
  uint64_t epoch = 0;
  Time acquired_at;
};
BOOST_DESCRIBE_STRUCT(HeldLease, (), (holder_kind, holder, epoch, acquired_at))

// Throws unless `more` fits beside what the volume and all volumes of its project use and have promised.
void check_quota(Transaction& transaction, const Books& books, uint64_t more) {
  if (fault::planted("ledger.no_quota")) return;
  if (books.used_bytes + books.reserved_bytes + more > books.quota_bytes)
    throw Error(Errc::exhausted, "volume '{}' has a quota of {} ({} bytes): {} used, {} reserved, {} more asked for",
                books.name, bytes_text(books.quota_bytes), books.quota_bytes, bytes_text(books.used_bytes),
                bytes_text(books.reserved_bytes), bytes_text(more));
  const auto in_use = transaction.find<uint64_t>(
      "SELECT COALESCE(SUM(used_bytes + reserved_bytes), 0) FROM volume WHERE project = $1 AND storage_type = $2",
      books.project, books.storage_type);
  const auto quota = transaction.find<uint64_t>(
      books.storage_type == StorageType::fs ? "SELECT quota_fs_bytes FROM project WHERE id = $1"
                                            : "SELECT quota_obs_bytes FROM project WHERE id = $1",
      books.project);
  if (*in_use + more > *quota)
    throw Error(Errc::exhausted, "the project has a quota of {} for {} volumes: {} used or reserved, {} more asked for",
                bytes_text(*quota), name_of_value(books.storage_type), bytes_text(*in_use), bytes_text(more));
}

}  // namespace

void take_reader(Transaction& transaction, const std::string& volume_id, uint64_t version, const Holder& holder,
                 Time now) {
  transaction.run(
      "INSERT INTO lease (id, tenant, volume, kind, version, epoch, holder_kind, holder, acquired_at) "
      "SELECT $1, tenant, id, 'reader', $2, 0, $3, $4, $5 FROM volume WHERE id = $6",
      new_id("lease"), version, holder.kind, holder.id, now, volume_id);
}

void release_leases(Transaction& transaction, const Holder& holder) {
  transaction.run("DELETE FROM lease WHERE holder_kind = $1 AND holder = $2", holder.kind, holder.id);
  transaction.run("DELETE FROM lease_wait WHERE holder_kind = $1 AND holder = $2", holder.kind, holder.id);
  transaction.announce(leases_announcement);
}

void reserve_bytes(Transaction& transaction, const std::string& volume_id, uint64_t bytes) {
  check_quota(transaction, books_of(transaction, volume_id), bytes);
  transaction.run("UPDATE volume SET reserved_bytes = reserved_bytes + $2 WHERE id = $1", volume_id, bytes);
}

void release_bytes(Transaction& transaction, const std::string& volume_id, uint64_t bytes) {
  transaction.run("UPDATE volume SET reserved_bytes = reserved_bytes - $2 WHERE id = $1", volume_id, bytes);
}

uint64_t commit_version(Transaction& transaction, const NewVersion& version, Time now) {
  const bool is_copy = version.origin == Origin::clone || version.origin == Origin::restore;
  const std::string& act = version.origin_id.empty() || is_copy ? version.holder.id : version.origin_id;
  const auto made = transaction.find<uint64_t>("SELECT number FROM version WHERE volume = $1 AND origin_id = $2",
                                               version.volume_id, act);
  if (made) return *made;
  Books books = books_of(transaction, version.volume_id);
  const auto lease = transaction.find<HeldLease>(
      "SELECT holder_kind, holder, epoch, acquired_at FROM lease WHERE volume = $1 AND kind = 'writer' AND "
      "holder_kind = $2 AND holder = $3",
      version.volume_id, version.holder.kind, version.holder.id);
  if ((!lease || lease->epoch != books.writer_epoch) && !fault::planted("ledger.any_epoch"))
    throw Error(Errc::conflict, "{} {} may not write volume '{}' any more: its lease has ended", version.holder.kind,
                version.holder.id, books.name);
  release_bytes(transaction, version.volume_id, version.reserved_bytes);
  books.reserved_bytes -= version.reserved_bytes;
  if (version.tree.bytes > books.used_bytes) check_quota(transaction, books, version.tree.bytes - books.used_bytes);
  const uint64_t number = books.head + 1;
  transaction.run(
      "INSERT INTO version (volume, number, tree, checksum, files, bytes, author, created_at, message, origin, "
      "origin_id, source_volume) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
      version.volume_id, number, version.tree.tree, version.tree.checksum, version.tree.files, version.tree.bytes,
      version.author, now, version.message, version.origin,
      version.origin_id.empty() ? version.holder.id : version.origin_id, version.source_volume);
  if (!fault::planted("ledger.head_stays"))
    transaction.run("UPDATE volume SET head = $2, used_bytes = $3 WHERE id = $1", version.volume_id, number,
                    version.tree.bytes);
  if (!is_staged(transaction, version.volume_id))
    note_event(transaction, books.project, "version.published", version.volume_id,
               {.version = VersionMade{books.name, number, version.tree.files, version.tree.bytes,
                                       version.tree.checksum.hex(), version.author, version.message}},
               now);
  fault::point("ledger.committing");
  return number;
}

}  // namespace volary
