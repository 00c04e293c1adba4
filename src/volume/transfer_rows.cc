// volume/transfer_rows.cc: the statements of volume/transfer_rows.h.
#include "volume/transfer_rows.h"

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "event/events.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

constexpr int64_t day_micros = 86'400'000'000;

}  // namespace

std::optional<Transfer> find_transfer(Transaction& transaction, const std::string& id) {
  auto transfer = transaction.find<Transfer>(std::string(select_transfer) + "WHERE transfer.id = $1", id);
  if (!transfer) return transfer;
  if (transfer->state == TransferState::queued)
    if (const auto waiting = find_waiting(transaction, {"transfer", id})) transfer->waits_for = waiting->reason;
  count_processed(transfer->counts);
  return transfer;
}

void note_transfer(Transaction& transaction, const std::string& id, Time now) {
  const auto transfer = find_transfer(transaction, id);
  if (!transfer || is_staged(transaction, inside_of(transaction, id).volume_id)) return;  // The job's own events tell.
  const TransferMoved moved{transfer->id,    transfer->kind,    transfer->volume, transfer->datastore,
                            transfer->state, transfer->version, transfer->counts, transfer->error};
  note_event(transaction, transfer->project, type_of(transfer->state), id,
             {.transfer = moved}, now);
}

void count_processed(TransferCounts& counts) {
  counts.processed = counts.completed + counts.skipped + counts.failed;
}

TransferCounts given_up(TransferCounts counts) {
  counts.completed = std::min(counts.completed, counts.total - counts.skipped);
  counts.failed = counts.total - counts.skipped - counts.completed;
  return counts;
}

void insert_transfer(Transaction& transaction, const Caller& caller, const std::string& id, const NewRow& row,
                     Time now) {
  transaction.run(
      "INSERT INTO transfer (id, tenant, project, kind, volume, version, datastore, source_directory, "
      "destination_directory, strategy, message, state, counts, error, reserved_bytes, cancel_requested, created_at, "
      "created_by, include, exclude, trash, confirmed, skip_conflicts, expected, retry_of) VALUES ($1, $2, $3, $4, $5, "
      "$6, $7, $8, $9, $10, $11, 'queued', $12, '', 0, 0, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
      id, caller.tenant, caller.project, row.kind, row.volume_id, row.version, row.datastore, row.source_directory,
      row.destination_directory, row.strategy, row.message, TransferCounts{}, now, caller.name, row.asked.include,
      row.asked.exclude, row.asked.trash.value_or(""), row.asked.confirmed, row.asked.skip_conflicts,
      row.asked.expected, row.retry_of);
  note_transfer(transaction, id, now);
  transaction.announce(transfers_announcement);
}

void note_failures(Transaction& transaction, const std::string& transfer_id,
                   const std::vector<TransferFailure>& failures) {
  uint64_t number = *transaction.find<uint64_t>("SELECT COUNT(*) FROM transfer_failure WHERE transfer = $1",
                                                transfer_id);
  for (const TransferFailure& failure : failures) {
    if (number == transfer_failures_max) return;
    transaction.run(
        "INSERT INTO transfer_failure (transfer, number, path, reason, outcome) VALUES ($1, $2, $3, $4, $5)",
        transfer_id, ++number, failure.path, failure.reason, failure.outcome);
  }
}

void take_journal(Transaction& transaction, const std::string& from, const std::string& to) {
  transaction.run(
      "INSERT INTO transfer_item (transfer, path, etag, size, digest) SELECT $1, path, etag, size, digest FROM "
      "transfer_item WHERE transfer = $2",
      to, from);
}

std::optional<bool> keeps_journal(Transaction& transaction, const std::string& id, Time now) {
  return transaction.find<bool>(
      "SELECT CASE WHEN state <> 'done' AND (ended_at IS NULL OR ended_at >= $2) THEN 1 ELSE 0 END FROM transfer "
      "WHERE id = $1",
      id, now.micros - journal_days * day_micros);
}

void forget_failures(Transaction& transaction, const std::string& transfer_id) {
  transaction.run("DELETE FROM transfer_failure WHERE transfer = $1", transfer_id);
}

std::vector<TransferFailure> failures_of(Transaction& transaction, const std::string& transfer_id, size_t first,
                                         size_t limit) {
  return transaction.all<TransferFailure>(
      "SELECT path, reason, outcome FROM transfer_failure WHERE transfer = $1 ORDER BY number LIMIT $2 OFFSET $3",
      transfer_id, limit, first);
}

TransferInside inside_of(Transaction& transaction, const std::string& id) {
  return *transaction.find<TransferInside>(
      "SELECT volume, tenant, message, reserved_bytes, cancel_requested, agreed, staged, since FROM transfer "
      "WHERE id = $1", id);
}

void begin_phase(Transaction& transaction, const std::string& id, const std::string& what, Time now) {
  end_happening(transaction, id, Cause::phase, now);
  note_happening(transaction, id, {Cause::phase, now, std::nullopt, what});
}

void reserve_growth(Transaction& transaction, const std::string& id, uint64_t more, const TransferCounts& counts,
                    Time now) {
  const TransferInside inside = inside_of(transaction, id);
  release_bytes(transaction, inside.volume_id, inside.reserved_bytes);
  reserve_bytes(transaction, inside.volume_id, more);
  transaction.run("UPDATE transfer SET state = 'running', counts = $2, reserved_bytes = $3 WHERE id = $1", id, counts,
                  more);
  begin_phase(transaction, id, "moving what is to be moved", now);
  transaction.announce(id);
  note_transfer(transaction, id, now);
}

void end_transfer(Transaction& transaction, const std::string& id, TransferState state, uint64_t version,
                  TransferCounts counts, const std::string& error, Time now) {
  count_processed(counts);
  if (counts.processed != counts.total)  // Invariant I10: each file that was listed has one fate.
    throw Error(Errc::internal, "{} files were listed, but {} copied, {} skipped and {} failed", counts.total,
                counts.completed, counts.skipped, counts.failed);
  transaction.run(
      "UPDATE transfer SET state = $2, version = $3, counts = $4, error = $5, reserved_bytes = 0, ended_at = $6 "
      "WHERE id = $1",
      id, state, version, counts, error, now);
  transaction.run(
      "UPDATE happening SET files = $2, bytes = $3 WHERE subject = $1 AND cause = 'phase' AND until IS NULL", id,
      counts.completed, counts.transferred_bytes);
  end_happenings(transaction, id, now);
  if (!error.empty()) note_failure(transaction, id, error, now);
  transaction.announce(id);
  note_transfer(transaction, id, now);
  if (state == TransferState::done) transaction.run("DELETE FROM transfer_item WHERE transfer = $1", id);
  transaction.run("DELETE FROM transfer_item WHERE transfer IN (SELECT id FROM transfer WHERE ended_at < $1)",
                  now.micros - journal_days * day_micros);
  if (!fault::planted("transfer.lease_kept")) release_leases(transaction, {"transfer", id});
}

}  // namespace volary
