// volume/transfers.cc: acceptance, the queue and its workers, for volume/transfers.h; the acts are in
// perform_transfer.cc.
#include "volume/transfers.h"

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/retry.h"
#include "sync/filter.h"
#include "sync/staging.h"
#include "volume/bucket_volumes.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/transfer_rows.h"

namespace volary {
namespace {

constexpr size_t transfer_workers = 4;
// What there is to do is announced, or made known by wake(): a long pause is for what was not, a short one for what is
// due and in another's hand.
constexpr std::chrono::milliseconds pause_max{2000};
constexpr std::chrono::milliseconds pause_min{20};
// What a transfer keeps must not lie where the next one would take it for files of the target.
void check_trash(const std::string& trash, const TreePath& target, const Filter& filter) {
  const TreePath directory = TreePath::parse(trash);
  if (!directory.is_within(target)) return;
  if (directory == target || filter.takes(directory.relative_to(target).text() + "/any"))
    throw Error(Errc::invalid,
                "the trash '{}' lies inside the target '{}': expected it elsewhere, or left out by an exclude pattern "
                "such as '/{}/'", directory.text(), target.text(), directory.relative_to(target).text());
}

// Whether a worker has something to do for a queued transfer; if not, what is in its way now and was not before.
bool is_due(Transaction& transaction, const std::string& id, Time now, std::map<std::string, std::string>& news) {
  const auto waiting = find_waiting(transaction, {"transfer", id});
  if (waiting && !waiting->reason.empty() && is_news(transaction, id, waiting->reason)) news[id] = waiting->reason;
  return !waiting || waiting->reason.empty() || waiting->give_up_at <= now;
}

// Lets a queued transfer begin, if it is not to wait any longer for the volume's writer; ends it if it has waited too
// long.
bool begin(Transaction& transaction, const std::string& id, Time now) {
  const auto transfer = find_transfer(transaction, id);
  if (!transfer || transfer->state != TransferState::queued) return false;
  const Holder holder{"transfer", id};
  const auto waiting = find_waiting(transaction, holder);
  if (waiting && !take_waited(transaction, holder, now)) {
    if (now >= waiting->give_up_at)
      end_transfer(transaction, id, TransferState::failed, 0, given_up(transfer->counts),
                   fmt::format("conflict: waited {} in vain: {}",
                               seconds_text((now.micros - waiting->asked_at.micros) / 1'000'000), waiting->reason),
                   now);
    return false;
  }
  transaction.run("UPDATE transfer SET state = 'planning', started_at = COALESCE(started_at, $2) WHERE id = $1", id,
                  now);
  begin_phase(transaction, id, "finding out what is to be done", now);
  note_transfer(transaction, id, now);
  return true;
}

// An attachment waits for its staging, and a staging for the volume's writer.
constexpr uint64_t staging_wait_seconds = 28 * 86400;

}  // namespace

std::string stage_bucket(Transaction& transaction, const Caller& caller, const Volume& volume, Time now) {
  const auto queued = transaction.find<std::string>(
      "SELECT id FROM transfer WHERE volume = $1 AND kind = 'import' AND state = 'queued' AND cancel_requested = 0 "
      "ORDER BY created_at, id LIMIT 1",
      volume.id);
  if (queued) return *queued;
  const std::string id = new_id("xfer");
  take_writers(transaction, {{volume.id, volume.name, volume.head}}, {"transfer", id}, staging_wait_seconds, now);
  NewTransfer asked;
  asked.confirmed = true;
  asked.skip_conflicts = true;
  insert_transfer(transaction, caller, id,
                  {TransferKind::import, volume.id, volume.head, volume.datastore, volume.directory, "",
                   Strategy::mirror, "staged from " + bucket_place(volume), asked},
                  now);
  return id;
}

Transfer Transfers::stage(const Caller& caller, const std::string& volume_name) {
  const std::string id = database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, volume_name);
    if (!is_in_bucket(volume))
      throw Error(Errc::invalid, "volume '{}' is of storage type 'fs': only what is kept in a bucket is staged",
                  volume_name);
    return stage_bucket(transaction, caller, volume, clock_.now());
  });
  fault::point("transfer.accepted");
  wake();
  return get(caller, id);
}

Transfer Transfers::create(const Caller& caller, TransferKind kind, const std::string& volume_name,
                           const NewTransfer& request) {
  return accept(caller, kind, volume_name, request, "");
}

Transfer Transfers::accept(const Caller& caller, TransferKind kind, const std::string& volume_name,
                           const NewTransfer& request, const std::string& retry_of) {
  const TreePath from = TreePath::parse_directory(request.source_directory.value_or(""));
  const TreePath to = TreePath::parse_directory(request.destination_directory.value_or(""));
  const Datastore datastore = datastores_.get(caller, request.datastore);
  if (kind == TransferKind::export_) check_writable(datastore);
  if (kind == TransferKind::import && request.version)
    throw Error(Errc::invalid, "an import makes a new version: expected no 'version'");
  const Filter filter(request.include, request.exclude);  // What is wrong with a pattern is said at once.
  if (request.trash) check_trash(*request.trash, to, filter);
  if (kind == TransferKind::export_ && request.message)
    throw Error(Errc::invalid, "an export makes no version: expected no 'message'");
  const std::string id = new_id("xfer");
  if (kind == TransferKind::export_ && request.wait_seconds)
    throw Error(Errc::invalid, "an export waits for nobody: expected no 'waitSeconds'");
  database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    const Volume volume = get_volume(transaction, caller, volume_name);
    const Holder holder{"transfer", id};
    uint64_t number = volume.head;
    if (kind == TransferKind::import) {
      refuse_in_bucket(volume, "imported into");
      take_writers(transaction, {{volume.id, volume.name, volume.head}}, holder, request.wait_seconds, now);
    } else {
      number = get_version(transaction, volume, request.version.value_or("")).number;
      take_reader(transaction, volume.id, number, holder, now);
    }
    insert_transfer(transaction, caller, id,
                    {kind, volume.id, number, datastore.name, from.text(), to.text(),
                     request.strategy.value_or(Strategy::overwrite),
                     request.message.value_or(fmt::format("import from {}:{}", datastore.name, from.text())), request,
                     retry_of},
                    now);
    if (retry_of.empty()) return;
    take_journal(transaction, retry_of, id);
    inherit_staged(store_, retry_of, id);
  });
  fault::point("transfer.accepted");
  wake();
  return get(caller, id);
}

Transfer Transfers::create_snapshot(const Caller& caller, const std::string& volume_name, const NewSnapshot& request,
                                    std::optional<uint32_t> peer_uid) {
  const Path path = sources_.resolve(request.path, peer_uid);
  if (request.new_volume && request.new_volume->name != volume_name)
    throw Error(Errc::invalid, "the snapshot is to be of volume '{}', but 'newVolume' names '{}'", volume_name,
                request.new_volume->name);
  const std::string id = new_id("xfer");
  database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    if (request.new_volume) create_volume(transaction, caller, *request.new_volume, now);
    const Volume volume = get_volume(transaction, caller, volume_name);
    refuse_in_bucket(volume, "filled by a snapshot");
    take_writers(transaction, {{volume.id, volume.name, volume.head}}, {"transfer", id}, request.wait_seconds, now);
    insert_transfer(transaction, caller, id,
                    {TransferKind::snapshot, volume.id, volume.head, "", path.native(), "", Strategy::mirror,
                     request.message.value_or("snapshot of " + path.native())},
                    now);
  });
  fault::point("transfer.accepted");
  wake();
  return get(caller, id);
}

void Transfers::wake() {
  ++*wakeups_.lock();
  wake_.notify_one();
}

void Transfers::add_live_counts(Transfer& transfer) {
  auto live = live_.lock();
  const auto found = live->find(transfer.id);
  if (found == live->end() || is_terminal(transfer.state)) return;
  transfer.counts.completed = found->second->progress.files_done;
  transfer.counts.bytes_done = found->second->progress.bytes_done;
  transfer.counts.transferred_bytes = found->second->progress.bytes_moved;
  count_processed(transfer.counts);
}

void Transfers::start() {
  database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    for (const auto& id :
         transaction.all<std::string>("SELECT id FROM transfer WHERE state IN ('planning', 'running')")) {
      end_happenings(transaction, id, now);
      note_happening(transaction, id, {Cause::restart, now, now, "the server was started anew: it begins again with "
                                                                 "what its journal has"});
    }
    transaction.run("UPDATE transfer SET state = 'queued' WHERE state IN ('planning', 'running')");
  });
  purge_staged(store_, [&](const std::string& id) { return keeps_staged(id).value_or(false); });
  for (const char* what : {leases_announcement, transfers_announcement})
    watches_.push_back(database_.watch(what, [this] { wake(); }));
  for (size_t i = 0; i < transfer_workers; ++i)
    workers_.emplace_back([this, i](const std::stop_token& stop) {
      if (i == 0) abandon_left_uploads(stop);
      work(stop);
    });
}

// A large object that has come in part is kept as long as its transfer's journal is; nothing if that is unknown.
std::optional<bool> Transfers::keeps_staged(const std::string& id) {
  return database_.read([&](Transaction& transaction) { return keeps_journal(transaction, id, clock_.now()); });
}

// What is reserved on the disk for what does not come now is in nobody's quota. Called while nobody else can take the
// transfer up.
void Transfers::give_back_room(const std::string& id) {
  if (const auto error = error_of([&] { give_back_staged(store_, id); }))
    log_(fmt::format("transfer {}: the room that it reserved is not given back: {}", id, error->what()));
}

// What others left that cannot be taken up any more; the unknown may be one that is being accepted now. What cannot be
// removed goes at the next start.
void Transfers::purge_left_staged() {
  (void)error_of([&] { purge_staged(store_, [&](const std::string& id) { return keeps_staged(id).value_or(true); }); });
}

void Transfers::stop() {
  watches_.clear();
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
    std::chrono::milliseconds time = pause_max;
    try {
      if (take_one(stop)) continue;
      time = until_due();
    } catch (const Error& error) {
      log_(fmt::format("transfers: {}", error.what()));
    }
    auto wakeups = wakeups_.lock();
    wakeups.wait_for(wake_, time, [&] { return stop.stop_requested() || *wakeups != seen; });
  }
}

// How long nothing becomes due by time alone: the first transfer that gives up to wait for its volume's writer.
std::chrono::milliseconds Transfers::until_due() {
  const auto first = database_.read([](Transaction& transaction) {
    return transaction.find<int64_t>(
        "SELECT give_up_at FROM lease_wait WHERE holder_kind = 'transfer' ORDER BY give_up_at LIMIT 1");
  });
  if (!first) return pause_max;
  const std::chrono::milliseconds time((*first - clock_.now().micros) / 1000 + 1);
  return std::clamp<std::chrono::milliseconds>(time, pause_min, pause_max);
}

bool Transfers::take_one(const std::stop_token& stop) {
  const auto live = std::make_shared<Live>();
  std::map<std::string, std::string> news;
  const auto queued = database_.read([&](Transaction& transaction) {
    auto ids = transaction.all<std::string>("SELECT id FROM transfer WHERE state = 'queued' ORDER BY created_at, id");
    std::erase_if(ids, [&](const std::string& id) { return !is_due(transaction, id, clock_.now(), news); });
    return ids;
  });
  if (!news.empty())
    database_.write([&](Transaction& transaction) {
      for (const auto& [id, words] : news)
        if (find_waiting(transaction, {"transfer", id})) note_in_the_way(transaction, id, words, clock_.now());
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
  const bool begun =
      database_.write([&](Transaction& transaction) { return begin(transaction, *waiting, clock_.now()); });
  if (begun) perform(*waiting, *live, stop);
  return true;
}

}  // namespace volary
