// volume/transfer_rows.cc: the statements of volume/transfer_rows.h.
#include "volume/transfer_rows.h"

#include "core/fault.h"
#include "volume/ledger.h"

namespace volary {

std::optional<Transfer> find_transfer(Transaction& transaction, const std::string& id) {
  auto transfer = transaction.find<Transfer>(std::string(select_transfer) + "WHERE transfer.id = $1", id);
  if (transfer && transfer->state == TransferState::queued)
    if (const auto waiting = find_waiting(transaction, {"transfer", id})) transfer->waits_for = waiting->reason;
  return transfer;
}

TransferInside inside_of(Transaction& transaction, const std::string& id) {
  return *transaction.find<TransferInside>(
      "SELECT volume, tenant, message, reserved_bytes, cancel_requested FROM transfer WHERE id = $1", id);
}

void reserve_growth(Transaction& transaction, const std::string& id, uint64_t more, const TransferCounts& counts) {
  const TransferInside inside = inside_of(transaction, id);
  release_bytes(transaction, inside.volume_id, inside.reserved_bytes);
  reserve_bytes(transaction, inside.volume_id, more);
  transaction.run("UPDATE transfer SET state = 'running', counts = $2, reserved_bytes = $3 WHERE id = $1", id, counts,
                  more);
}

void end_transfer(Transaction& transaction, const std::string& id, TransferState state, uint64_t version,
                  const TransferCounts& counts, const std::string& error, Time now) {
  transaction.run(
      "UPDATE transfer SET state = $2, version = $3, counts = $4, error = $5, reserved_bytes = 0, ended_at = $6 "
      "WHERE id = $1",
      id, state, version, counts, error, now);
  transaction.run("DELETE FROM transfer_item WHERE transfer = $1", id);
  if (!fault::planted("transfer.lease_kept")) release_leases(transaction, {"transfer", id});
}

}  // namespace volary
