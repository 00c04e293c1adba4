// volume/transfer_rows.h: the table transfer as the parts of Transfers read and write it. For this folder only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "record/transfer.h"

namespace volary {

constexpr std::string_view select_transfer =
    "SELECT transfer.id, transfer.project, transfer.kind, volume.name, transfer.version, transfer.datastore, "
    "transfer.source_directory, transfer.destination_directory, transfer.strategy, transfer.state, transfer.counts, "
    "transfer.error, transfer.created_at, transfer.started_at, transfer.ended_at, transfer.created_by, "
    "transfer.left_out, '', transfer.include, transfer.exclude, transfer.trash, transfer.confirmed, "
    "transfer.skip_conflicts, transfer.expected, transfer.revision, transfer.verified, transfer.retry_of, "
    "transfer.found, '[]' "
    "FROM transfer JOIN volume ON volume.id = transfer.volume ";

// A queued transfer as it is written down first.
struct NewRow {
  TransferKind kind{};
  std::string volume_id;
  uint64_t version = 0;
  std::string datastore;
  std::string source_directory;
  std::string destination_directory;
  Strategy strategy{};
  std::string message;
  NewTransfer asked = {};  // What is kept as it was asked for.
  std::string retry_of = {};
};
// What is announced when a transfer was accepted by who does not know the workers.
constexpr const char* transfers_announcement = "transfers";
// Announces it.
void insert_transfer(Transaction& transaction, const Caller& caller, const std::string& id, const NewRow& row,
                     Time now);

std::optional<Transfer> find_transfer(Transaction& transaction, const std::string& id);
// Notes the event that it is in another state now.
void note_transfer(Transaction& transaction, const std::string& id, Time now);
void count_processed(TransferCounts& counts);
// What ends before all is done: the files that were not copied by then count as failed.
TransferCounts given_up(TransferCounts counts);

// Adds to what is written down of files that were not copied. Of a transfer's the first transfer_failures_max are kept.
constexpr size_t transfer_failures_max = 1000;  // At most what fetch() keeps of them.
constexpr int64_t journal_days = 7;
void note_failures(Transaction& transaction, const std::string& transfer_id,
                   const std::vector<TransferFailure>& failures);
// Gives one transfer what the journal of another has.
void take_journal(Transaction& transaction, const std::string& from, const std::string& to);
// Whether that transfer can be taken up with what it had; nothing if there is no such transfer.
std::optional<bool> keeps_journal(Transaction& transaction, const std::string& id, Time now);
void forget_failures(Transaction& transaction, const std::string& transfer_id);
std::vector<TransferFailure> failures_of(Transaction& transaction, const std::string& transfer_id, size_t first,
                                         size_t limit);

// Of the row, what people are not shown.
struct TransferInside {
  std::string volume_id;
  std::string tenant;
  std::string message;
  uint64_t reserved_bytes = 0;
  bool cancel_requested = false;
  bool agreed = false;  // export: it began once, so that the target may differ from what was expected by its own work.
  bool staged = false;  // Of a job that writes (volume/staged_volumes.h).
  uint64_t since = 0;   // staged export: what is in the target already.
};
BOOST_DESCRIBE_STRUCT(TransferInside, (), (volume_id, tenant, message, reserved_bytes, cancel_requested, agreed,
                                           staged, since))

TransferInside inside_of(Transaction& transaction, const std::string& id);

// Promises what the volume may grow by, before a byte moves, in place of what a run that was cut off had promised; the
// transfer runs from now on.
void reserve_growth(Transaction& transaction, const std::string& id, uint64_t more, const TransferCounts& counts,
                    Time now);

// Writes down that another part of its work begins (volume/happenings.h).
void begin_phase(Transaction& transaction, const std::string& id, const std::string& what, Time now);

// Writes the end of a transfer: its leases go, and its journal, unless it can be taken up again; then that goes after
// journal_days. What it had reserved is for the caller to give back or use.
// Throws `internal` unless the counts say of every file what became of it.
void end_transfer(Transaction& transaction, const std::string& id, TransferState state, uint64_t version,
                  TransferCounts counts, const std::string& error, Time now);

}  // namespace volary
