// volume/perform_transfer.cc: one import or export from its row to its end, for volume/transfers.h; snapshots are in
// perform_snapshot.cc.
//
// An import is visible only by the last transaction of perform_import: the version, the head, what was seen of the
// objects, the end of the lease and the state "done" are one commit. Whatever dies before it leaves the volume as it
// was; the next start begins again with the journal.
#include <chrono>
#include <thread>

#include "core/error.h"
#include "core/fault.h"
#include "remote/retry.h"
#include "sync/absence.h"
#include "sync/fetch.h"
#include "sync/send.h"
#include "sync/touched.h"
#include "sync/trash.h"
#include "volume/bucket_volumes.h"
#include "volume/happenings.h"
#include "volume/imported_tree.h"
#include "volume/ledger.h"
#include "volume/planned.h"
#include "volume/transfer_rows.h"
#include "volume/transfers.h"
#include "volume/version_rows.h"

namespace volary {
namespace {

TransferCounts finished(TransferCounts counts, const Plan& plan, const Progress& progress) {
  counts.completed = plan.copy_files;
  counts.deleted = plan.delete_files;
  counts.bytes_done = plan.copy_bytes;
  counts.transferred_bytes = progress.bytes_moved;
  return counts;
}

uint64_t growth_of(const Plan& plan, const std::string& trash) {
  const uint64_t goes = trash.empty() ? plan.replaced_bytes + plan.delete_bytes : 0;
  return plan.copy_bytes > goes ? plan.copy_bytes - goes : 0;
}

// Of a transfer whose other files arrived.
Error summary_of(const std::vector<TransferFailure>& failures, uint64_t failed, const Plan& plan) {
  const std::string& reason = failures.front().reason;
  const std::string more = failed == 1 ? "" : fmt::format(" (and {} more)", failed - 1);
  const size_t colon = std::min(reason.find(": "), reason.size() - 2);
  return Error(errc_named(reason.substr(0, colon)), "{} of {} files did not arrive: '{}': {}{}{}", failed,
               plan.copy_files, failures.front().path, reason.substr(colon + 2), more,
               plan.delete_files == 0 ? "" : "; nothing was deleted");
}

// Of a push whose other files are there.
Error conflict_of(const Planned& planned, const std::vector<TransferFailure>& left_out) {
  const uint64_t conflicts = planned.conflicts(TransferKind::export_);
  return Error(Errc::conflict, "'{}' cannot be copied: {}{}; all others are there", left_out.front().path,
               left_out.front().reason, conflicts == 1 ? "" : fmt::format("; nor can {} more", conflicts - 1));
}

// The volume's next tree, published; nothing if the plan changes nothing.
std::optional<TreeSummary> made_of(std::optional<ImportedTree>& tree, Commit& commit, const Brought& brought,
                                   const Plan& plan) {
  if (brought.files != plan.copy_files)  // Invariant I10.
    throw Error(Errc::internal, "{} files came: expected the {} that were planned", brought.files, plan.copy_files);
  if (!tree) return std::nullopt;
  const TreeSummary made = tree->finish();
  if (!fault::planted("import.row_first")) commit.publish();
  return made;
}

// A run after the first reads what the first began to read, wherever the branch may be by now.
Datastore at_its_commit(Datastore datastore, const Transfer& transfer) {
  if (!transfer.revision.empty()) datastore.revision = transfer.revision;
  return datastore;
}

std::string words_of(const Transfer& transfer) {
  switch (transfer.kind) {
    case TransferKind::import:
      return fmt::format("importing {}:{} into volume '{}'", transfer.datastore, transfer.source_directory,
                         transfer.volume);
    case TransferKind::export_:
      return fmt::format("exporting volume '{}' to {}:{}", transfer.volume, transfer.datastore,
                         transfer.destination_directory);
    case TransferKind::snapshot:
      return fmt::format("taking a snapshot of '{}' into volume '{}'", transfer.source_directory, transfer.volume);
  }
  return "";
}

Happening happening_of(const RequestTroubles& troubles) {
  return {Cause::failure, troubles.first, troubles.last,
          fmt::format("{} failed for the moment; the last: {}",
                      troubles.count == 1 ? "a request" : fmt::format("{} requests", troubles.count), troubles.words),
          requests_troubled};
}

void tell(Transaction& transaction, const std::string& id, const RequestTroubles& troubles) {
  if (troubles.count > 0) note_happening(transaction, id, happening_of(troubles));
}

}  // namespace

TransfersUnderWay Transfers::under_way() {
  TransfersUnderWay all;
  for (const auto& [id, live] : *live_.lock()) {
    TransferUnderWay& one = all[id];
    one.files_done = live->progress.files_done;
    one.bytes_moved = live->progress.bytes_moved;
    if (auto troubles = live->troubles.lock(); troubles->count > 0) one.troubles = happening_of(*troubles);
  }
  return all;
}

Caller Transfers::caller_of(const Transfer& transfer) {
  const std::string tenant =
      database_.read([&](Transaction& transaction) { return inside_of(transaction, transfer.id).tenant; });
  return {"", transfer.created_by, tenant, transfer.project};
}

void Transfers::perform(const std::string& id, Live& live, const std::stop_token& stop) {
  const auto transfer = database_.read([&](Transaction& transaction) { return find_transfer(transaction, id); });
  if (!transfer) return;
  try {
    if (database_.read([&](Transaction& t) { return inside_of(t, id).cancel_requested; }))
      throw Error(Errc::unavailable, "the transfer was asked to stop");
    during(words_of(*transfer), [&] {
      switch (transfer->kind) {
        case TransferKind::import: return perform_import(*transfer, live);
        case TransferKind::export_: return perform_export(*transfer, live);
        case TransferKind::snapshot: return perform_snapshot(*transfer, live);
      }
    });
  } catch (const Error& error) {
    // Where even this cannot be written, the row goes back into the queue as soon as it can be.
    try {
      fail(*transfer, error, live);
    } catch (const Error& another) {
      log_(fmt::format("transfer {}: {}", id, another.what()));
      put_back(id, live);
    }
    if (transfer->kind == TransferKind::export_) abandon_left_uploads(stop);
  }
}

void Transfers::put_back(const std::string& id, const Live& live) {
  while (!live.stop.stop_requested()) {  // The next server start does the same.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    try {
      database_.write([&](Transaction& transaction) {
        transaction.run("UPDATE transfer SET state = 'queued' WHERE id = $1 AND state IN ('planning', 'running')", id);
      });
      return;
    } catch (const Error& error) {
      log_(fmt::format("transfer {}: {}", id, error.what()));
    }
  }
}

// A cancelled transfer ends as such; one that the server's own end broke off stays for the next start; all others
// failed.
void Transfers::fail(const Transfer& transfer, const Error& error, Live& live) {
  if (transfer.kind == TransferKind::import) give_back_room(transfer.id);
  database_.write([&](Transaction& transaction) {
    const TransferInside inside = inside_of(transaction, transfer.id);
    if (live.stop.stop_requested() && !inside.cancel_requested) return;
    TransferCounts counts = find_transfer(transaction, transfer.id)->counts;
    counts.completed = live.progress.files_done;
    counts.bytes_done = live.progress.bytes_done;
    counts.transferred_bytes = live.progress.bytes_moved;
    release_bytes(transaction, inside.volume_id, inside.reserved_bytes);
    tell(transaction, transfer.id, *live.troubles.lock());
    end_transfer(transaction, transfer.id, inside.cancel_requested ? TransferState::cancelled : TransferState::failed,
                 transfer.version, given_up(counts), inside.cancel_requested ? "" : error.what(), clock_.now());
  });
  if (transfer.kind == TransferKind::import) purge_left_staged();
}

// The bucket that a job's data come from or go to is made if it is not there.
Planned Transfers::compare_staged(const Comparison& wanted, const Kept& kept, Remote& remote) {
  std::optional<Planned> planned;
  const auto missing = error_of([&] { planned = compare(wanted, remote, store_, database_, kept); });
  if (!missing) return std::move(*planned);
  const TreePath& place = wanted.kind == TransferKind::import ? wanted.source : wanted.target;
  if (missing->code() != Errc::not_found || !wanted.datastore.bucket.empty() || place.is_root() ||
      !(wanted.datastore.kind == DatastoreKind::s3 || wanted.datastore.kind == DatastoreKind::swift))
    throw Error(*missing);
  const auto made = error_of([&] {
    datastores_.open_account(wanted.datastore)->create_bucket(std::string(place.components().front()));
  });
  if (made && made->code() != Errc::exists) throw Error(*made);
  return compare(wanted, remote, store_, database_, kept);
}

// What is to be done, if it is what was agreed to; what is in its way is written down file by file either way.
Planned Transfers::planned(const Transfer& transfer, const Comparison& wanted, const Kept& kept, Remote& remote,
                           Live& live) {
  const bool is_staged = database_.read([&](Transaction& t) { return inside_of(t, transfer.id).staged; });
  Planned planned =
      is_staged ? compare_staged(wanted, kept, remote) : compare(wanted, remote, store_, database_, kept);
  const FileOutcome outcome = transfer.skip_conflicts ? FileOutcome::skipped : FileOutcome::failed;
  const auto left_out = left_out_of(planned, wanted.kind, outcome);
  planned.counts = counts_of(planned, wanted.kind, outcome);
  database_.write([&](Transaction& transaction) {
    forget_failures(transaction, transfer.id);  // Of a run before this one.
    note_failures(transaction, transfer.id, left_out);
    transaction.run("UPDATE transfer SET counts = $2, revision = $3, found = $4 WHERE id = $1", transfer.id,
                    planned.counts, remote.commit(), planned.sides);
  });
  Transfer agreed = transfer;  // What it copied and deleted itself makes no deletions more than half of the target.
  if (database_.read([&](Transaction& transaction) { return inside_of(transaction, transfer.id).agreed; }))
    agreed.expected.reset();
  agreed.skip_conflicts |= is_staged && transfer.kind == TransferKind::export_;  // Its end tells them.
  check_agreed(planned, wanted, agreed, remote.description());
  live.progress.files_total = planned.plan.copy_files;
  live.progress.bytes_total = planned.plan.copy_bytes;
  return planned;
}

void Transfers::perform_import(const Transfer& transfer, Live& live) {
  const Caller caller = caller_of(transfer);
  const Datastore datastore = at_its_commit(datastores_.get(caller, transfer.datastore), transfer);
  const auto remote = datastores_.open_until(datastore, live.stop.get_token(), live.troubles);
  const TreePath into = TreePath::parse_directory(transfer.destination_directory);
  const TransferInside inside = database_.read([&](Transaction& t) { return inside_of(t, transfer.id); });
  const Volume volume = database_.read([&](Transaction& t) { return get_volume(t, inside.volume_id); });
  const Version version = volume.head == 0 ? Version() : database_.read([&](Transaction& t) {
    return get_version(t, volume, "");
  });
  const Digest base = volume.head == 0 ? empty_tree().tree : Digest::parse(version.tree);
  const Comparison wanted{transfer.kind, datastore, version, base,
                          TreePath::parse_directory(transfer.source_directory), into, transfer.strategy,
                          Filter(transfer.include, transfer.exclude), is_in_bucket(volume) || inside.staged};
  const Planned sides = planned(transfer, wanted, {.acts_in_order = true}, *remote, live);
  const Plan& plan = sides.plan;
  check_absence(*remote, wanted.source, *sides.acts, plan.delete_files);
  database_.write([&](Transaction& transaction) {
    reserve_growth(transaction, transfer.id, growth_of(plan, transfer.trash), sides.counts, clock_.now());
  });
  fault::point("import.planned");

  const auto commit = store_.begin_commit();
  std::optional<ImportedTree> tree;
  if (!plan.changes_nothing()) tree.emplace(store_, *commit, base, plan, into, transfer);
  const FetchOrder order{*sides.acts, sides.directory, *remote, datastore.id};
  const Brought brought = fetch(order, *commit, database_, transfer.id, live.progress, live.stop.get_token(),
                                [&](const std::vector<Fetched>& group) { tree->take(group); });
  const auto error = error_of([&] {
    if (brought.failed != 0) {
      database_.write([&](Transaction& transaction) { note_failures(transaction, transfer.id, brought.failures); });
      throw summary_of(brought.failures, brought.failed, plan);
    }
    const auto made = made_of(tree, *commit, brought, plan);
    fault::point("import.published");
    database_.write([&](Transaction& transaction) {
      const TransferInside now = inside_of(transaction, transfer.id);
      if (now.cancel_requested) throw Error(Errc::unavailable, "the transfer was asked to stop");
      uint64_t number = volume.head;
      if (made && made->tree != base) {
        number = commit_version(transaction,
                                {now.volume_id, *made, transfer.created_by, now.message, Origin::import,
                                 {"transfer", transfer.id}, now.reserved_bytes},
                                clock_.now());
      } else {
        release_bytes(transaction, now.volume_id, now.reserved_bytes);
      }
      remember_rest(transaction, order, brought);
      tell(transaction, transfer.id, *live.troubles.lock());
      end_transfer(transaction, transfer.id, TransferState::done, number, finished(sides.counts, plan, live.progress),
                   "", clock_.now());
    });
  });
  if (error) {  // What came is there for the one that resumes it; if not even that can be written, it comes again.
    (void)error_of([&] { journal_rest(order, brought, *commit, database_, transfer.id); });
    throw Error(*error);
  }
  fault::point("import.done");
  purge_left_staged();
}

// In all versions that the job made between, so that what an earlier push brought and the job then took away goes too.
// Others are what a pull brought, and was not all given to the job.
std::shared_ptr<const Filter::Paths> Transfers::touched_since(const std::string& volume_id, uint64_t since,
                                                              uint64_t version) {
  const auto trees = database_.read([&](Transaction& transaction) {
    return transaction.all<Digest>(
        "SELECT tree FROM version WHERE volume = $1 AND number >= $2 AND number <= $3 AND "
        "(number = $4 OR origin = 'job') ORDER BY number",
        volume_id, since, version, since);
  });
  auto paths = std::make_shared<Filter::Paths>();
  Digest before = since == 0 ? empty_tree().tree : trees.front();
  for (const Digest& after : trees) {
    add_touched(store_, before, after, *paths);
    before = after;
  }
  return paths;
}

void Transfers::perform_export(const Transfer& transfer, Live& live) {
  const Caller caller = caller_of(transfer);
  const Datastore datastore = datastores_.get(caller, transfer.datastore);
  const auto remote = datastores_.open_until(datastore, live.stop.get_token(), live.troubles);
  const TreePath to = TreePath::parse_directory(transfer.destination_directory);
  const Version version = database_.read([&](Transaction& t) {
    return get_version(t, get_volume(t, inside_of(t, transfer.id).volume_id), std::to_string(transfer.version));
  });
  Comparison wanted{transfer.kind, datastore, version, Digest::parse(version.tree),
                    TreePath::parse_directory(transfer.source_directory), to, transfer.strategy,
                    Filter(transfer.include, transfer.exclude)};
  if (const auto inside = database_.read([&](Transaction& t) { return inside_of(t, transfer.id); }); inside.staged) {
    wanted.may_be_empty = true;
    wanted.filter.keep_only(touched_since(inside.volume_id, inside.since, version.number));
  }
  const Planned sides = planned(transfer, wanted, {}, *remote, live);
  const TransferCounts counts = sides.counts;
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE transfer SET state = 'running', agreed = 1, counts = $2 WHERE id = $1", transfer.id,
                    counts);
    begin_phase(transaction, transfer.id, "moving what is to be moved", clock_.now());
    note_transfer(transaction, transfer.id, clock_.now());
  });
  fault::point("export.planned");
  if (!transfer.trash.empty())
    keep_in_trash(sides.plan, sides.target, to, TreePath::parse(transfer.trash) / TreePath::parse(transfer.id), *remote,
                  live.stop.get_token());
  const Shipment shipment{sides.plan, sides.source, sides.target, to, *remote, datastore.id, transfer.id};
  const Delivery sent = send(shipment, store_, database_, live.progress, live.stop.get_token());
  fault::point("export.sent");
  const auto left_out = transfer.skip_conflicts ? std::vector<TransferFailure>()
                                                : left_out_of(sides, transfer.kind, FileOutcome::failed);
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE transfer SET verified = $2 WHERE id = $1", transfer.id, sent.verified);
    transaction.run("DELETE FROM transfer_failure WHERE transfer = $1 AND outcome = 'failed'", transfer.id);
    note_failures(transaction, transfer.id, left_out);
    note_failures(transaction, transfer.id, sent.failures);
  });
  if (!sent.failures.empty()) throw summary_of(sent.failures, sent.failures.size(), sides.plan);
  if (!left_out.empty()) throw conflict_of(sides, left_out);
  database_.write([&](Transaction& transaction) {
    tell(transaction, transfer.id, *live.troubles.lock());
    end_transfer(transaction, transfer.id, TransferState::done, version.number,
                 finished(counts, sides.plan, live.progress), "", clock_.now());
  });
}

}  // namespace volary
