// volume/upkeep.cc: runs, from being asked for to their reports; the schedule is in upkeep_schedule.cc.
#include "volume/upkeep.h"

#include "core/error.h"
#include "core/nice.h"
#include "core/quantity.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/retry.h"
#include "store/stats.h"
#include "volume/upkeep_live.h"

namespace volary {
namespace {

constexpr auto give_way_max = std::chrono::seconds(60);  // For what the schedule began, to come to a place to stop.
constexpr size_t uses_max = 10;

struct DamageRow {
  std::string kind;
  std::string digest;
  std::string what;
  std::string found_by;
  Time found_at;
};
BOOST_DESCRIBE_STRUCT(DamageRow, (), (kind, digest, what, found_by, found_at))

ObjectAmount amount_of(const Amount& amount) { return {amount.files, amount.bytes}; }

UpkeepKind kind_of(const UpkeepRequest& request) {
  constexpr UpkeepKind kinds[] = {UpkeepKind::sweep,  UpkeepKind::scrub,  UpkeepKind::check,
                                  UpkeepKind::repair, UpkeepKind::backup, UpkeepKind::verify_backup};
  return kinds[request.index()];
}

std::string amount_text(const ObjectAmount& amount) {
  return fmt::format("{} ({})", amount.objects, bytes_text(amount.bytes));
}

// One line for the operator's log.
std::string words_of(const UpkeepRun& run) {
  if (run.state == UpkeepState::failed) return run.error;
  if (run.sweep)
    return fmt::format("{} live, {} candidates, {} quarantined, {} unlinked{}{}", amount_text(run.sweep->live),
                       amount_text(run.sweep->candidates), amount_text(run.sweep->quarantined),
                       amount_text(run.sweep->unlinked), run.sweep->remark.empty() ? "" : "; ", run.sweep->remark);
  if (run.scrub)
    return fmt::format("{} objects, {} trees, {} images, {} versions read; {} damaged, database {}{}",
                       amount_text(run.scrub->objects), amount_text(run.scrub->trees), run.scrub->images,
                       run.scrub->versions, run.scrub->damaged, run.scrub->database.empty() ? "whole" : "DAMAGED",
                       run.scrub->complete ? "" : "; to be continued");
  if (run.check)
    return fmt::format("{} versions, {} objects; {} missing or damaged{}{}", run.check->versions,
                       amount_text(run.check->objects), run.check->damaged, run.check->restored.empty() ? "" : "; ",
                       run.check->restored);
  if (run.repair) return fmt::format("{} repaired, {} not", run.repair->repaired, run.repair->unrepaired);
  if (run.backup)
    return fmt::format("{} in {}: {} copied, {} missing here", run.backup->backup.id, run.backup->target,
                       amount_text(run.backup->copied), run.backup->backup.missing);
  if (run.verification)
    return fmt::format("{} is {}", run.verification->backup.id, run.verification->whole ? "whole" : "DAMAGED");
  return "";
}

}  // namespace

UpkeepRun Upkeep::Live::view() {
  UpkeepRun now = *run.lock();
  if (now.state != UpkeepState::running) return now;
  now.phase = work.phase();
  now.counts = {work.progress.files_done, work.progress.files_total, work.progress.bytes_done,
                work.progress.bytes_total};
  return now;
}

Upkeep::Upkeep(UpkeepParts parts, Log log) : parts_(std::move(parts)), log_(std::move(log)) {}

Upkeep::~Upkeep() { stop(); }

void Upkeep::stop() {
  scheduler_.request_stop();
  end_current();
  waking_.lock();
  wake_.notify_all();
  if (scheduler_.joinable()) scheduler_.join();
  const auto current = *current_.lock();
  if (current && current->thread.joinable()) current->thread.join();
  // A copy of the database that was taken while this server ran is an older one from now on.
  if (!is_started_) return;
  is_started_ = false;
  if (const auto failure = error_of([&] { advance_epoch(parts_.database, parts_.store); }))
    log_(fmt::format("store: {}", failure->what()));
}

UpkeepRun Upkeep::begin(const Caller& caller, const UpkeepRequest& request) {
  return launch(caller.name, caller, request, Nice::no)->view();
}

std::shared_ptr<Upkeep::Live> Upkeep::launch(const std::string& by, const Caller& caller, const UpkeepRequest& request,
                                             Nice nice) {
  auto current = current_.lock();
  const auto is_idle = [&] { return !*current || (*current)->run.lock()->state != UpkeepState::running; };
  if (!is_idle() && (*current)->nice == Nice::yes && nice == Nice::no) {
    (*current)->work.stop.request_stop();
    current.wait_for(ended_, give_way_max, is_idle);
  }
  if (!is_idle()) {
    const UpkeepRun running = (*current)->view();
    throw Error(Errc::conflict,
                "a {} of the store ({}, begun by {}) is under way: wait for it, or end it with 'volary store stop'",
                name_of_value(running.kind), running.id, running.started_by);
  }
  if (*current && (*current)->thread.joinable()) (*current)->thread.join();
  const auto live = std::make_shared<Live>();
  live->nice = nice;
  {
    auto run = live->run.lock();
    run->id = new_id("run");
    run->kind = kind_of(request);
    run->started_by = by;
    run->started_at = parts_.clock.now();
  }
  *current = live;
  live->thread = std::jthread([this, live = live.get(), caller, request] { perform(*live, caller, request); });
  return live;
}

void Upkeep::perform(Live& live, const Caller& caller, const UpkeepRequest& request) {
  if (live.nice == Nice::yes) be_nice();
  UpkeepRun done = *live.run.lock();
  const auto act = [&] {
    if (const auto* sweep = std::get_if<SweepRequest>(&request)) done.sweep = sweep_store(parts_, *sweep, live.work);
    if (const auto* scrub = std::get_if<ScrubRequest>(&request)) done.scrub = scrub_store(parts_, *scrub, live.work);
    if (const auto* check = std::get_if<CheckRequest>(&request)) done.check = check_store(parts_, *check, live.work);
    if (const auto* repair = std::get_if<RepairRequest>(&request))
      done.repair = repair_store(parts_, caller, *repair, live.work);
    if (const auto* backup = std::get_if<BackupRequest>(&request))
      done.backup = create_backup(parts_, caller, *backup, live.work);
    if (const auto* verify = std::get_if<VerifyBackupRequest>(&request)) {
      live.work.begin("reading the backup");
      done.verification = verify_backup(*open_backup_target(parts_, caller, verify->target), verify->at.value_or(""),
                                        live.work.progress, live.work.token());
    }
  };
  const auto failure = error_of(act);
  done.state = UpkeepState::done;
  if (failure) {
    done.state = live.work.stop.stop_requested() ? UpkeepState::stopped : UpkeepState::failed;
    done.error = fmt::format("{}: {}", name_of(failure->code()), failure->message());
  } else if (done.scrub && !done.scrub->complete) {
    done.state = UpkeepState::stopped;
  }
  done.ended_at = parts_.clock.now();
  finish(live, done);
}

// That the report cannot be written down (a full disk) is for the log alone. The state changes last, under the lock of
// those who wait for it: whoever sees the end may join the thread.
void Upkeep::finish(Live& live, const UpkeepRun& run) {
  const std::string name(name_of_value(run.kind));
  log_(fmt::format("store {}: {}: {}", name, name_of_value(run.state), words_of(run)));
  const auto failure = error_of([&] {
    parts_.database.write([&](Transaction& t) { put_note(t, "last_" + name, run); });
  });
  if (failure) log_(fmt::format("store {}: {}", name, failure->what()));
  const auto current = current_.lock();
  *live.run.lock() = run;
  ended_.notify_all();
}

UpkeepRun Upkeep::get(const std::string& id) {
  if (const auto current = *current_.lock()) {
    UpkeepRun run = current->view();
    if (run.id == id) return run;
  }
  for (UpkeepRun& run : last_runs())
    if (run.id == id) return run;
  throw Error(Errc::not_found, "there is no run '{}' of the store's upkeep, or a later one of its kind", printable(id));
}

void Upkeep::end_current() {
  if (const auto current = *current_.lock()) current->work.stop.request_stop();
}

std::vector<UpkeepRun> Upkeep::last_runs() {
  std::vector<UpkeepRun> runs;
  parts_.database.read([&](Transaction& t) {
    for (const char* kind : {"sweep", "scrub", "check", "repair", "backup", "verify_backup"})
      if (auto run = find_note<UpkeepRun>(t, std::string("last_") + kind)) runs.push_back(std::move(*run));
  });
  return runs;
}

StoreStats Upkeep::stats() {
  StoreStats stats;
  const StoreSizes sizes = sizes_of(parts_.store);
  stats.store = parts_.store.root().native();
  stats.read_only = parts_.store.read_only_reason().value_or("");
  stats.objects = amount_of(sizes.objects);
  stats.trees = amount_of(sizes.trees);
  stats.quarantine = amount_of(sizes.quarantine);
  stats.images = amount_of(sizes.images);
  stats.tmp = amount_of(sizes.tmp);
  stats.free_bytes = free_bytes(parts_.store.root());
  stats.epoch = epochs_of(parts_.database, parts_.store).database;
  parts_.database.read([&](Transaction& t) {
    stats.versions = *t.find<uint64_t>("SELECT count(*) FROM version");
    stats.logical_bytes = *t.find<uint64_t>("SELECT COALESCE(SUM(bytes), 0) FROM version");
    stats.damaged = *t.find<uint64_t>("SELECT count(*) FROM (SELECT DISTINCT kind, digest FROM damage)");
  });
  if (stats.objects.bytes > 0)
    stats.sharing = static_cast<double>(stats.logical_bytes) / static_cast<double>(stats.objects.bytes);
  if (const auto current = *current_.lock())
    if (UpkeepRun run = current->view(); run.state == UpkeepState::running) stats.running = std::move(run);
  stats.last = last_runs();
  return stats;
}

Finding Upkeep::finding() {
  const auto damaged = parts_.database.read([](Transaction& t) {
    return *t.find<uint64_t>("SELECT count(*) FROM (SELECT DISTINCT kind, digest FROM damage)");
  });
  std::string reason = parts_.store.read_only_reason().value_or("");
  const auto add = [&](const std::string& more) { reason += (reason.empty() ? "" : "; ") + more; };
  if (damaged > 0) add(fmt::format("{} objects are damaged: see 'volary store damage'", damaged));
  if (const auto words = restored_words(epochs_of(parts_.database, parts_.store)); !words.empty()) add(words);
  const bool good = reason.empty();
  return {"store", good, parts_.store.root().native(), good ? "takes versions; no damage is known" : reason};
}

std::vector<StoreDamage> Upkeep::damage() {
  const auto rows = parts_.database.read([](Transaction& t) {
    return t.all<DamageRow>(
        "SELECT kind, digest, what, found_by, found_at FROM damage ORDER BY kind, digest, found_by");
  });
  std::vector<Flaw> flaws;
  for (const DamageRow& row : rows)
    if (row.kind != "database")
      flaws.push_back({row.kind == "tree" ? ObjectKind::tree : ObjectKind::blob, Digest::parse(row.digest), row.what});
  Uses uses = uses_of(parts_, flaws, uses_max);
  std::vector<StoreDamage> damage;
  for (const DamageRow& row : rows) {
    damage.push_back({row.kind, row.digest, row.what, row.found_by, row.found_at, {}});
    if (row.kind != "database") damage.back().uses = uses[Digest::parse(row.digest)];
  }
  return damage;
}

std::vector<Backup> Upkeep::backups(const Caller& caller, const std::string& target) {
  return open_backup_target(parts_, caller, target)->backups();
}

}  // namespace volary
