// volume/transfers.cc: acceptance, the queue and its workers, for volume/transfers.h; the acts are in
// perform_transfer.cc.
#include "volume/transfers.h"

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "sync/listing.h"
#include "sync/plan.h"
#include "volume/ledger.h"
#include "volume/transfer_rows.h"

namespace volary {
namespace {

constexpr size_t transfer_workers = 4;
constexpr size_t plan_items_max = 1000;

}  // namespace

std::optional<Transfer> find_transfer(Transaction& transaction, const std::string& id) {
  return transaction.find<Transfer>(std::string(select_transfer) + "WHERE transfer.id = $1", id);
}

PlanView Transfers::plan(const Caller& caller, TransferKind kind, const std::string& volume_name,
                         const NewTransfer& request) {
  const TreePath from = TreePath::parse_directory(request.source_directory.value_or(""));
  const TreePath to = TreePath::parse_directory(request.destination_directory.value_or(""));
  const Datastore datastore = datastores_.get(caller, request.datastore);
  const Digest tree = database_.read([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, volume_name);
    if (kind == TransferKind::import && volume.head == 0) return empty_tree().tree;
    return Digest::parse(get_version(transaction, volume, request.version.value_or("")).tree);
  });
  const auto remote = datastores_.open(datastore);
  const bool imports = kind == TransferKind::import;
  auto remote_files = list_remote(*remote, imports ? from : to, database_, datastore.id).files;
  auto tree_files = list_tree(store_, tree, imports ? to : from).files;
  auto& source = imports ? remote_files : tree_files;
  auto& target = imports ? tree_files : remote_files;
  const Plan plan = make_plan(source, target, request.strategy.value_or(Strategy::overwrite));
  return view_of(plan, source, target, plan_items_max);
}

Transfer Transfers::create(const Caller& caller, TransferKind kind, const std::string& volume_name,
                           const NewTransfer& request) {
  const TreePath from = TreePath::parse_directory(request.source_directory.value_or(""));
  const TreePath to = TreePath::parse_directory(request.destination_directory.value_or(""));
  const Datastore datastore = datastores_.get(caller, request.datastore);
  if (kind == TransferKind::import && request.version)
    throw Error(Errc::invalid, "an import makes a new version: expected no 'version'");
  if (kind == TransferKind::export_ && request.message)
    throw Error(Errc::invalid, "an export makes no version: expected no 'message'");
  const std::string id = new_id("xfer");
  database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, volume_name);
    const Holder holder{"transfer", id};
    uint64_t number = volume.head;
    if (kind == TransferKind::import) {
      take_writer(transaction, volume.id, volume.name, volume.head, holder, clock_.now());
    } else {
      number = get_version(transaction, volume, request.version.value_or("")).number;
      take_reader(transaction, volume.id, number, holder, clock_.now());
    }
    const std::string message =
        request.message.value_or(fmt::format("import from {}:{}", datastore.name, from.text()));
    transaction.run(
        "INSERT INTO transfer (id, tenant, project, kind, volume, version, datastore, source_directory, "
        "destination_directory, strategy, message, state, counts, error, reserved_bytes, cancel_requested, created_at, "
        "created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'queued', $12, '', 0, 0, $13, $14)",
        id, caller.tenant, caller.project, kind, volume.id, number, datastore.name, from.text(), to.text(),
        request.strategy.value_or(Strategy::overwrite), message, TransferCounts{}, clock_.now(), caller.name);
  });
  fault::point("transfer.accepted");
  ++*wakeups_.lock();
  wake_.notify_one();
  return get(caller, id);
}

std::vector<Transfer> Transfers::list(const Caller& caller, const std::string& volume) {
  auto transfers = database_.read([&](Transaction& transaction) {
    return transaction.all<Transfer>(
        std::string(select_transfer) +
            "WHERE transfer.project = $1 AND ($2 = '' OR volume.name = $3) ORDER BY transfer.created_at DESC",
        caller.project, volume, volume);
  });
  for (Transfer& transfer : transfers) add_live_counts(transfer);
  return transfers;
}

Transfer Transfers::get(const Caller& caller, const std::string& id) {
  auto transfer = database_.read([&](Transaction& transaction) { return find_transfer(transaction, id); });
  if (!transfer || transfer->project != caller.project)
    throw Error(Errc::not_found, "there is no transfer '{}' in this project", printable(id));
  add_live_counts(*transfer);
  return *transfer;
}

void Transfers::cancel(const Caller& caller, const std::string& id) {
  const Transfer transfer = get(caller, id);
  if (is_terminal(transfer.state))
    throw Error(Errc::conflict, "transfer {} is {} already: expected one under way", id, name_of_value(transfer.state));
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE transfer SET cancel_requested = 1 WHERE id = $1", id);
  });
  auto live = live_.lock();
  if (const auto found = live->find(id); found != live->end()) found->second->stop.request_stop();
}

void Transfers::add_live_counts(Transfer& transfer) {
  auto live = live_.lock();
  const auto found = live->find(transfer.id);
  if (found == live->end() || is_terminal(transfer.state)) return;
  transfer.counts.completed = found->second->progress.files_done;
  transfer.counts.bytes_done = found->second->progress.bytes_done;
}

void Transfers::start() {
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE transfer SET state = 'queued' WHERE state IN ('planning', 'running')");
  });
  for (size_t i = 0; i < transfer_workers; ++i)
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

void Transfers::stop() {
  for (auto& worker : workers_) worker.request_stop();
  for (auto& [id, live] : *live_.lock()) live->stop.request_stop();
  wakeups_.lock();  // Whoever is about to wait sees the stop or the notification.
  wake_.notify_all();
  workers_.clear();
}

// A step of background work: an error that even the end of a transfer could not be written down with (a full disk, say)
// ends here, for the operator; the row stays under way and is tried again.
void Transfers::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int seen = *wakeups_.lock();  // Before looking: what is accepted from now on ends the pause.
    try {
      if (take_one(stop)) continue;
    } catch (const Error& error) {
      log_(fmt::format("transfers: {}", error.what()));
    }
    pause(stop, seen);
  }
}

void Transfers::pause(const std::stop_token& stop, int seen) {
  auto wakeups = wakeups_.lock();
  wakeups.wait_for(wake_, std::chrono::milliseconds(500), [&] { return stop.stop_requested() || *wakeups != seen; });
}

bool Transfers::take_one(const std::stop_token& stop) {
  const auto live = std::make_shared<Live>();
  const auto queued = database_.read([&](Transaction& transaction) {
    return transaction.all<std::string>("SELECT id FROM transfer WHERE state = 'queued' ORDER BY created_at");
  });
  // The first that no other worker is just taking.
  const auto waiting = std::find_if(queued.begin(), queued.end(), [&](const std::string& id) {
    return live_.lock()->emplace(id, live).second;
  });
  if (waiting == queued.end()) return false;
  const struct Entry {  // In the list of what is under way here, for as long as it is.
    Transfers& transfers;
    const std::string& id;
    ~Entry() { transfers.live_.lock()->erase(id); }
  } entry{*this, *waiting};
  if (stop.stop_requested()) live->stop.request_stop();
  const int64_t taken = database_.write([&](Transaction& transaction) {
    return transaction.run(
        "UPDATE transfer SET state = 'planning', started_at = COALESCE(started_at, $2) "
        "WHERE id = $1 AND state = 'queued'",
        *waiting, clock_.now());
  });
  if (taken == 0) return true;
  perform(*waiting, *live);
  return true;
}

}  // namespace volary
