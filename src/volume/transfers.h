// volume/transfers.h: imports, exports and snapshots of directories: asked for, planned, carried out in the background,
// resumed after a crash.
//
// The row in the table transfer is the truth. An import or a snapshot holds the volume's writer lease from its
// acceptance to its end, or waits for it first if it may (volume/ledger.h); an export holds a reader's. Workers take
// queued rows; a server that starts puts those that were under way back into the queue, and the journal keeps them from
// fetching twice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "core/progress.h"
#include "core/synced.h"
#include "db/database.h"
#include "record/transfer.h"
#include "store/store.h"
#include "volume/datastores.h"
#include "volume/happenings.h"
#include "volume/planned.h"
#include "volume/snapshot_sources.h"
#include "volume/volumes.h"

namespace volary {

// A plan whose items are too many for one answer. Shared by the stream that sends them, which outlives the call.
struct WholePlan {
  Planned planned;
  PlanView view;  // Without items.
};

struct TransferQuery {
  std::string volume = {};                // Its name; "" is all volumes.
  std::vector<TransferState> states = {};  // None: all.
  std::string after = {};                 // An id: those older than that transfer.
  uint64_t limit = INT64_MAX;
};

// What no table has of a transfer until it ends.
struct TransferUnderWay {
  uint64_t files_done = 0;
  uint64_t bytes_moved = 0;
  std::optional<Happening> troubles;  // That requests of it have failed for the moment, if any have.
};
using TransfersUnderWay = std::map<std::string, TransferUnderWay>;  // By id.

class Transfers {
 public:
  using Log = std::function<void(std::string_view line)>;  // For the operator: what failed and is tried again.

  Transfers(Database& database, Store& store, Datastores& datastores, SnapshotSources sources, Clock& clock, Log log)
      : database_(database), store_(store), datastores_(datastores), sources_(std::move(sources)), clock_(clock),
        log_(std::move(log)) {}
  ~Transfers() { stop(); }

  // Puts what was under way back into the queue and starts the workers.
  void start();
  // Breaks off what is under way, to be resumed by the next start().
  void stop();

  // What would happen, at this moment, without doing it.
  PlanView plan(const Caller& caller, TransferKind kind, const std::string& volume, const NewTransfer& request);
  // The same with every item that there is.
  std::shared_ptr<const WholePlan> whole_plan(const Caller& caller, TransferKind kind, const std::string& volume,
                                              const NewTransfer& request);
  // Accepts the transfer. Throws `conflict` if the volume has a writer already (import), `not_found`, `invalid`.
  Transfer create(const Caller& caller, TransferKind kind, const std::string& volume, const NewTransfer& request);
  // The same for a snapshot of a directory of this machine. Throws as SnapshotSources::resolve; `exists` for a volume
  // that is to be made.
  Transfer create_snapshot(const Caller& caller, const std::string& volume, const NewSnapshot& request,
                           std::optional<uint32_t> peer_uid);

  // Brings what the bucket of an obs volume holds now into the store, as its next version; what it gives is an import.
  Transfer stage(const Caller& caller, const std::string& volume);

  std::vector<Transfer> list(const Caller& caller, const TransferQuery& query = {});  // Newest first.
  Transfer get(const Caller& caller, const std::string& id);  // With the counts of this moment.
  // Calls `told` whenever its state may have changed: see Database::watch().
  [[nodiscard]] Watch watch(const std::string& id, std::function<void()> told) {
    return database_.watch(id, std::move(told));
  }
  TransfersUnderWay under_way();
  // The files that were not copied for reasons of their own, from the `first`, from 0.
  std::vector<TransferFailure> failures(const Caller& caller, const std::string& id, size_t first, size_t limit);
  // Asks a transfer to end; it does so soon. Ended ones: `conflict`.
  void cancel(const Caller& caller, const std::string& id);
  // Puts one that failed or was cancelled back into the queue. What its journal has is not moved again. Throws
  // `conflict` for one in another state, or if the volume has a writer by now.
  Transfer resume(const Caller& caller, const std::string& id);
  // A new import or export that does what was asked of one that failed or was cancelled, as both sides are now; what
  // that one had moved is not moved again. Throws as resume() and create().
  Transfer retry(const Caller& caller, const std::string& id);

 private:
  class InHand;
  struct Live {  // A transfer under way in this process.
    Progress progress;
    std::stop_source stop;
    Synced<RequestTroubles> troubles;
  };

  Transfer accept(const Caller& caller, TransferKind kind, const std::string& volume, const NewTransfer& request,
                  const std::string& retry_of);
  void work(const std::stop_token& stop);
  bool take_one(const std::stop_token& stop);  // Whether there was one.
  std::chrono::milliseconds until_due();
  void perform(const std::string& id, Live& live, const std::stop_token& stop);
  Planned compare_now(const Caller& caller, TransferKind kind, const std::string& volume, const NewTransfer& request,
                      const Kept& kept);
  Planned planned(const Transfer& transfer, const Comparison& wanted, const Kept& kept, Remote& remote, Live& live);
  Planned compare_staged(const Comparison& wanted, const Kept& kept, Remote& remote);
  std::shared_ptr<const Filter::Paths> touched_since(const std::string& volume_id, uint64_t since, uint64_t version);
  void perform_import(const Transfer& transfer, Live& live);
  void perform_export(const Transfer& transfer, Live& live);
  void abandon_left_uploads(const std::stop_token& stop);
  void perform_snapshot(const Transfer& transfer, Live& live);
  void wake();
  std::optional<bool> keeps_staged(const std::string& id);
  void give_back_room(const std::string& id);
  void purge_left_staged();
  void fail(const Transfer& transfer, const Error& error, Live& live);
  void put_back(const std::string& id, const Live& live);
  Caller caller_of(const Transfer& transfer);
  void add_live_counts(Transfer& transfer);

  Database& database_;
  Store& store_;
  Datastores& datastores_;
  SnapshotSources sources_;
  Clock& clock_;
  Log log_;
  Synced<std::map<std::string, std::shared_ptr<Live>>> live_;
  Synced<std::set<std::string>> in_hand_;  // Ended ones that are being resumed, or whose uploads are being abandoned.
  std::condition_variable let_go_;
  Synced<int> wakeups_{0};
  std::condition_variable wake_;
  std::vector<Watch> watches_;
  std::vector<std::jthread> workers_;
};

}  // namespace volary
