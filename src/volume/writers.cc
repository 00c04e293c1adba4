// volume/writers.cc: the part of volume/ledger.h about the one writer, who waits to be it, and what the dead left.
#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/random.h"
#include "volume/happenings.h"
#include "volume/ledger.h"

namespace volary {
namespace {

struct Ahead {
  std::string holder_kind;
  std::string holder;
  Time since;
};
BOOST_DESCRIBE_STRUCT(Ahead, (), (holder_kind, holder, since))

std::optional<std::string> sentence_of(const std::string& volume, std::string_view what,
                                       const std::optional<Ahead>& ahead) {
  if (!ahead) return std::nullopt;
  return fmt::format("volume '{}' is being {} {} {} since {}", volume, what, ahead->holder_kind, ahead->holder,
                     to_text(ahead->since));
}

std::optional<Ahead> find_writer(Transaction& transaction, const std::string& volume_id) {
  return transaction.find<Ahead>(
      "SELECT holder_kind, holder, acquired_at FROM lease WHERE volume = $1 AND kind = 'writer'", volume_id);
}

// The lease itself; whether it may be given was asked before.
uint64_t grant_writer(Transaction& transaction, const std::string& volume_id, const std::string& volume_name,
                      uint64_t version, const Holder& holder, Time now) {
  const auto epoch = transaction.find<uint64_t>(
      "UPDATE volume SET writer_epoch = writer_epoch + 1 WHERE id = $1 RETURNING writer_epoch", volume_id);
  if (!epoch) throw Error(Errc::not_found, "volume '{}' does not exist any more", volume_name);
  transaction.run(
      "INSERT INTO lease (id, tenant, volume, kind, version, epoch, holder_kind, holder, acquired_at) "
      "SELECT $1, tenant, id, 'writer', $2, writer_epoch, $3, $4, $5 FROM volume WHERE id = $6",
      new_id("lease"), version, holder.kind, holder.id, now, volume_id);
  return *epoch;
}

struct Wanted {
  std::string volume_id;
  std::string volume;
  uint64_t head = 0;
  Time asked_at;
  Time give_up_at;
};
BOOST_DESCRIBE_STRUCT(Wanted, (), (volume_id, volume, head, asked_at, give_up_at))

std::vector<Wanted> wanted_by(Transaction& transaction, const Holder& holder) {
  return transaction.all<Wanted>(
      "SELECT volume.id, volume.name, volume.head, lease_wait.asked_at, lease_wait.give_up_at FROM lease_wait "
      "JOIN volume ON volume.id = lease_wait.volume WHERE holder_kind = $1 AND holder = $2 ORDER BY volume.name",
      holder.kind, holder.id);
}

// What is in the way of a holder in the queue: the writer, or who asked before it.
std::optional<std::string> ahead_of(Transaction& transaction, const Wanted& wanted, const Holder& holder) {
  if (auto writer = sentence_of(wanted.volume, "written by", find_writer(transaction, wanted.volume_id))) return writer;
  return sentence_of(wanted.volume, "waited for by",
                     transaction.find<Ahead>(
                         "SELECT holder_kind, holder, asked_at FROM lease_wait WHERE volume = $1 AND "
                         "(asked_at < $2 OR (asked_at = $2 AND holder < $3)) ORDER BY asked_at, holder LIMIT 1",
                         wanted.volume_id, wanted.asked_at, holder.id));
}

// Whether the row of a lease's or a wait's holder no longer stands for somebody at work.
constexpr std::string_view holder_is_dead =
    "(holder_kind = 'transfer' AND NOT EXISTS (SELECT 1 FROM transfer WHERE transfer.id = holder AND "
    "transfer.state NOT IN ('done', 'failed', 'cancelled'))) "
    "OR (holder_kind = 'job' AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = holder AND "
    "job.state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR'))) "
    "OR (holder_kind = 'upload' AND NOT EXISTS (SELECT 1 FROM upload WHERE upload.id = holder AND "
    "upload.state = 'open')) "
    "OR (holder_kind = 'mount' AND NOT EXISTS (SELECT 1 FROM mount WHERE mount.id = holder))";

struct Left {
  std::string kind;
  std::string holder_kind;
  std::string holder;
  std::string volume;
};
BOOST_DESCRIBE_STRUCT(Left, (), (kind, holder_kind, holder, volume))

struct Sum {
  std::string id;
  std::string name;
  uint64_t used_bytes = 0;
  uint64_t reserved_bytes = 0;
  uint64_t used_now = 0;
  uint64_t reserved_now = 0;
};
BOOST_DESCRIBE_STRUCT(Sum, (), (id, name, used_bytes, reserved_bytes, used_now, reserved_now))

constexpr std::string_view select_wrong_sums =
    "SELECT * FROM (SELECT volume.id, volume.name, volume.used_bytes, volume.reserved_bytes, "
    "COALESCE((SELECT bytes FROM version WHERE version.volume = volume.id AND number = volume.head), 0) AS used_now, "
    "COALESCE((SELECT SUM(transfer.reserved_bytes) FROM transfer WHERE transfer.volume = volume.id AND "
    "transfer.state NOT IN ('done', 'failed', 'cancelled')), 0) + "
    "COALESCE((SELECT SUM(upload.reserved_bytes) FROM upload WHERE upload.volume = volume.id AND "
    "upload.state = 'open'), 0) AS reserved_now FROM volume) AS books "
    "WHERE used_bytes <> used_now OR reserved_bytes <> reserved_now";

}  // namespace

uint64_t take_writer(Transaction& transaction, const std::string& volume_id, const std::string& volume_name,
                     uint64_t version, const Holder& holder, Time now) {
  if (const auto ahead = writer_ahead(transaction, volume_id, volume_name))
    throw Error(Errc::conflict, "{}: expected no other writer", *ahead);
  return grant_writer(transaction, volume_id, volume_name, version, holder, now);
}

std::optional<std::string> writer_ahead(Transaction& transaction, const std::string& volume_id,
                                        const std::string& volume_name) {
  if (auto writer = sentence_of(volume_name, "written by", find_writer(transaction, volume_id))) return writer;
  return sentence_of(volume_name, "waited for by",
                     transaction.find<Ahead>("SELECT holder_kind, holder, asked_at FROM lease_wait WHERE volume = $1 "
                                             "ORDER BY asked_at, holder LIMIT 1",
                                             volume_id));
}

void wait_to_write(Transaction& transaction, const std::string& volume_id, const Holder& holder, Time now,
                   Time give_up_at) {
  transaction.run(
      "INSERT INTO lease_wait (volume, holder_kind, holder, asked_at, give_up_at) VALUES ($1, $2, $3, $4, $5)",
      volume_id, holder.kind, holder.id, now, give_up_at);
}

Admission take_writers(Transaction& transaction, const std::vector<WantedVolume>& wanted, const Holder& holder,
                       std::optional<uint64_t> wait_seconds, Time now) {
  if (wait_seconds && (*wait_seconds < 1 || *wait_seconds > wait_seconds_max))
    throw Error(Errc::invalid, "nobody can wait {} seconds for a volume: expected 1 to {} (28 days)", *wait_seconds,
                wait_seconds_max);
  const bool all_free = std::none_of(wanted.begin(), wanted.end(), [&](const WantedVolume& one) {
    return writer_ahead(transaction, one.id, one.name).has_value();
  });
  const bool waits = wait_seconds && !all_free;
  for (const WantedVolume& one : wanted) {
    if (!waits) take_writer(transaction, one.id, one.name, one.version, holder, now);
    else wait_to_write(transaction, one.id, holder, now, now.plus_seconds(static_cast<int64_t>(*wait_seconds)));
  }
  if (waits) note_in_the_way(transaction, holder.id, find_waiting(transaction, holder)->reason, now);
  return waits ? Admission::waits : Admission::writes;
}

std::optional<Waiting> find_waiting(Transaction& transaction, const Holder& holder) {
  std::optional<Waiting> waiting;
  for (const Wanted& wanted : wanted_by(transaction, holder)) {
    if (!waiting) waiting = Waiting{wanted.asked_at, wanted.give_up_at, ""};
    if (waiting->reason.empty()) waiting->reason = ahead_of(transaction, wanted, holder).value_or("");
  }
  return waiting;
}

bool take_waited(Transaction& transaction, const Holder& holder, Time now) {
  const auto wanted = wanted_by(transaction, holder);
  for (const Wanted& one : wanted)
    if (ahead_of(transaction, one, holder)) return false;
  transaction.run("DELETE FROM lease_wait WHERE holder_kind = $1 AND holder = $2", holder.kind, holder.id);
  for (const Wanted& one : wanted) grant_writer(transaction, one.volume_id, one.volume, one.head, holder, now);
  end_happening(transaction, holder.id, Cause::writer, now);
  fault::point("ledger.granting");
  return true;
}

std::vector<std::string> end_dead_leases(Transaction& transaction) {
  const std::string dead(holder_is_dead);
  std::vector<std::string> told;
  const auto tell = [&](const std::string& table, const std::string& kind) {
    for (const Left& left : transaction.all<Left>(
             "SELECT " + kind + ", holder_kind, holder, volume.name FROM " + table + " JOIN volume ON volume.id = " +
             table + ".volume WHERE " + dead))
      told.push_back(fmt::format("ended what {} {} left behind as {} of volume '{}'", left.holder_kind, left.holder,
                                 left.kind, left.volume));
  };
  tell("lease", "lease.kind");
  tell("lease_wait", "'waiting writer'");
  if (told.empty()) return told;
  transaction.run("DELETE FROM lease WHERE " + dead);
  transaction.run("DELETE FROM lease_wait WHERE " + dead);
  transaction.announce(leases_announcement);
  return told;
}

std::vector<std::string> correct_books(Transaction& transaction) {
  std::vector<std::string> told;
  for (const Sum& sum : transaction.all<Sum>(select_wrong_sums)) {
    transaction.run("UPDATE volume SET used_bytes = $2, reserved_bytes = $3 WHERE id = $1", sum.id, sum.used_now,
                    sum.reserved_now);
    told.push_back(fmt::format("the books of volume '{}' said {} used and {} reserved: corrected to {} and {}",
                               sum.name, bytes_text(sum.used_bytes), bytes_text(sum.reserved_bytes),
                               bytes_text(sum.used_now), bytes_text(sum.reserved_now)));
  }
  return told;
}

}  // namespace volary
