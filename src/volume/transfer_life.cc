// volume/transfer_life.cc: transfers looked at, cancelled and taken up again, and what they leave in stores, for
// volume/transfers.h.
#include <chrono>

#include "core/error.h"
#include "core/fault.h"
#include "remote/retry.h"
#include "sync/upload_notes.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"
#include "volume/transfer_rows.h"
#include "volume/transfers.h"
#include "volume/version_rows.h"

namespace volary {
namespace {

constexpr size_t failures_shown_max = 10;  // With the transfer itself; all that are kept have a list of their own.

// " AND transfer.state IN ('done', 'failed')"
std::string in_states(const std::vector<TransferState>& states) {
  std::string words;
  for (const TransferState state : states)
    words += fmt::format("{}'{}'", words.empty() ? "" : ", ", name_of_value(state));
  return words.empty() ? "" : " AND transfer.state IN (" + words + ")";
}

void check_ended_early(const Transfer& transfer) {
  if (transfer.state != TransferState::failed && transfer.state != TransferState::cancelled)
    throw Error(Errc::conflict, "transfer {} is {}: expected one that failed or was cancelled", transfer.id,
                name_of_value(transfer.state));
}

constexpr std::chrono::seconds resume_patience{5};  // While its uploads are being abandoned.

// Those of jobs are begun again by them, in the order of what they bring.
void check_not_of_job(Transaction& transaction, const std::string& id) {
  if (is_staged(transaction, inside_of(transaction, id).volume_id))
    throw Error(Errc::invalid, "transfer {} moves what a job attached: expected one of a volume of this project; see "
                "'volary job push-data'", id);
}

}  // namespace

// One thread has it, for as long as this lives: what is taken up again is not abandoned.
class Transfers::InHand {
 public:
  InHand(Transfers& transfers, const std::string& id, std::chrono::milliseconds patience)
      : transfers_(transfers), id_(id) {
    auto held = transfers_.in_hand_.lock();
    is_mine_ = held.wait_for(transfers_.let_go_, patience, [&] { return !held->contains(id_); });
    if (is_mine_) held->insert(id_);
  }
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;
  ~InHand() {
    if (!is_mine_) return;
    transfers_.in_hand_.lock()->erase(id_);
    transfers_.let_go_.notify_all();
  }
  bool is_mine() const { return is_mine_; }

 private:
  Transfers& transfers_;
  const std::string id_;
  bool is_mine_ = false;
};

std::vector<Transfer> Transfers::list(const Caller& caller, const TransferQuery& query) {
  if (!query.after.empty()) get(caller, query.after);  // A cursor that means nothing is an error, not the end.
  auto transfers = database_.read([&](Transaction& transaction) {
    auto found = transaction.all<Transfer>(
        std::string(select_transfer) +
            "WHERE transfer.project = $1 AND transfer.volume NOT IN (SELECT volume FROM staged) "
            "AND ($2 = '' OR volume.name = $3) AND ($4 = '' OR (transfer.created_at, "
            "transfer.id) < (SELECT created_at, id FROM transfer AS last WHERE last.id = $5))" +
            in_states(query.states) + " ORDER BY transfer.created_at DESC, transfer.id DESC LIMIT $6",
        caller.project, query.volume, query.volume, query.after, query.after, query.limit);
    for (Transfer& one : found) {
      count_processed(one.counts);
      if (one.state == TransferState::queued) one = *find_transfer(transaction, one.id);
    }
    return found;
  });
  for (Transfer& transfer : transfers) add_live_counts(transfer);
  return transfers;
}

Transfer Transfers::get(const Caller& caller, const std::string& id) {
  auto transfer = database_.read([&](Transaction& transaction) {
    auto found = find_transfer(transaction, id);
    if (found) found->failures = failures_of(transaction, id, 0, failures_shown_max);
    return found;
  });
  if (!transfer || transfer->project != caller.project)
    throw Error(Errc::not_found, "there is no transfer '{}' in this project", printable(id));
  add_live_counts(*transfer);
  return *transfer;
}

std::vector<TransferFailure> Transfers::failures(const Caller& caller, const std::string& id, size_t first,
                                                 size_t limit) {
  get(caller, id);
  return database_.read([&](Transaction& transaction) { return failures_of(transaction, id, first, limit); });
}

void Transfers::cancel(const Caller& caller, const std::string& id) {
  const Transfer transfer = get(caller, id);
  if (is_terminal(transfer.state))
    throw Error(Errc::conflict, "transfer {} is {} already: expected one under way", id, name_of_value(transfer.state));
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE transfer SET cancel_requested = 1 WHERE id = $1", id);
    const Time asked = clock_.now();
    note_happening(transaction, id, {Cause::asked, asked, asked, fmt::format("{} asked it to end", caller.name)});
    const auto now = find_transfer(transaction, id);
    if (now->state != TransferState::queued) return;  // The worker that has it ends it.
    const TransferInside inside = inside_of(transaction, id);
    release_bytes(transaction, inside.volume_id, inside.reserved_bytes);
    give_back_room(id);
    end_transfer(transaction, id, TransferState::cancelled, now->version, given_up(now->counts), "", clock_.now());
  });
  auto live = live_.lock();
  if (const auto found = live->find(id); found != live->end()) found->second->stop.request_stop();
  live.unlock();
  purge_left_staged();
}

Transfer Transfers::resume(const Caller& caller, const std::string& id) {
  get(caller, id);
  database_.read([&](Transaction& transaction) { check_not_of_job(transaction, id); });
  const InHand mine(*this, id, resume_patience);
  if (!mine.is_mine())
    throw Error(Errc::conflict, "transfer {} is just being resumed, or its uploads in parts are being ended: expected "
                "neither; try again soon", id);
  database_.write([&](Transaction& transaction) {
    const Transfer transfer = *find_transfer(transaction, id);
    check_ended_early(transfer);
    const Time now = clock_.now();
    const Volume volume = get_volume(transaction, inside_of(transaction, id).volume_id);
    uint64_t version = volume.head;
    if (transfer.kind == TransferKind::export_) {
      version = get_version(transaction, volume, std::to_string(transfer.version)).number;
      take_reader(transaction, volume.id, version, {"transfer", id}, now);
    } else {
      take_writers(transaction, {{volume.id, volume.name, volume.head}}, {"transfer", id}, {}, now);
    }
    forget_failures(transaction, id);
    transaction.run(
        "UPDATE transfer SET state = 'queued', version = $2, counts = $3, error = '', cancel_requested = 0, "
        "started_at = NULL, ended_at = NULL WHERE id = $1",
        id, version, TransferCounts{});
    note_happening(transaction, id, {Cause::asked, now, now, fmt::format("{} took it up again", caller.name)});
    note_transfer(transaction, id, now);
  });
  fault::point("transfer.resumed");
  wake();
  return get(caller, id);
}

// Uploads in parts of exports that have ended. What cannot be ended now stays noted until the next time.
void Transfers::abandon_left_uploads(const std::stop_token& stop) {
  const auto ids = database_.read([&](Transaction& transaction) {
    return transaction.all<std::string>(
        "SELECT DISTINCT transfer.id FROM transfer_upload JOIN transfer ON transfer.id = transfer_upload.transfer "
        "WHERE transfer.state IN ('done', 'failed', 'cancelled') ORDER BY transfer.id");
  });
  for (const std::string& id : ids) {
    const InHand mine(*this, id, std::chrono::milliseconds(0));
    if (!mine.is_mine()) continue;
    const auto error = error_of([&] {
      const auto transfer = database_.read([&](Transaction& transaction) { return find_transfer(transaction, id); });
      if (!transfer || !is_terminal(transfer->state)) return;  // It has been taken up again meanwhile.
      Synced<RequestTroubles> untold;
      const auto remote =
          datastores_.open_until(datastores_.get(caller_of(*transfer), transfer->datastore), stop, untold);
      abandon_uploads(*remote, database_, id);
    });
    if (error) log_(fmt::format("transfer {}: its uploads in parts are still there: {}", id, error->what()));
  }
}

Transfer Transfers::retry(const Caller& caller, const std::string& id) {
  const Transfer transfer = get(caller, id);
  check_ended_early(transfer);
  database_.read([&](Transaction& transaction) { check_not_of_job(transaction, id); });
  if (transfer.kind == TransferKind::snapshot)
    throw Error(Errc::invalid,
                "transfer {} is a snapshot, which reads '{}' as it is now anyway: expected an import or export; take "
                "another snapshot", id, transfer.source_directory);
  NewTransfer asked;
  asked.datastore = transfer.datastore;
  asked.source_directory = transfer.source_directory;
  asked.destination_directory = transfer.destination_directory;
  asked.strategy = transfer.strategy;
  asked.include = transfer.include;
  asked.exclude = transfer.exclude;
  asked.confirmed = transfer.confirmed;
  asked.skip_conflicts = transfer.skip_conflicts;
  if (!transfer.trash.empty()) asked.trash = transfer.trash;
  if (transfer.kind == TransferKind::export_) asked.version = std::to_string(transfer.version);
  else asked.message = database_.read([&](Transaction& transaction) { return inside_of(transaction, id).message; });
  return accept(caller, transfer.kind, transfer.volume, asked, id);
}

}  // namespace volary
