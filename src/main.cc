// main.cc: the table of contents. Every part of Volary, made in order and handed to the next.
//
//   volary enter DIRECTORY …     becomes a command to which a version is shown (view/shell.h); started by the command
//   line
//   volary supervise DIRECTORY   watches over one job's process (job/supervisor.h); started by the server, not by
//   people
//   volary server …              serve() below
//   volary …                     the command line, a client of the server (cli/)
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include "access/access.h"
#include "access/audit.h"
#include "access/secrets.h"
#include "api/router.h"
#include "api/routes.h"
#include "api/token_gate.h"
#include "cli/cli.h"
#include "core/clock.h"
#include "core/disk_reserve.h"
#include "core/error.h"
#include "core/file.h"
#include "core/quantity.h"
#include "core/timetable.h"
#include "db/database.h"
#include "engine/engine_client.h"
#include "engine/runner.h"
#include "engine/sandbox.h"
#include "event/webhooks.h"
#include "job/billing.h"
#include "job/explain.h"
#include "job/jobs.h"
#include "job/lineage.h"
#include "job/node.h"
#include "job/receipts.h"
#include "job/reconciler.h"
#include "job/supervisor.h"
#include "job/workplace.h"
#include "mount/image_check.h"
#include "mount/packer.h"
#include "mount/mount.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "store/store.h"
#include "view/cache.h"
#include "view/mounts.h"
#include "view/shell.h"
#include "volume/backup.h"
#include "volume/bookkeeping.h"
#include "volume/datastores.h"
#include "volume/objects.h"
#include "volume/projects.h"
#include "volume/snapshot_sources.h"
#include "volume/transfers.h"
#include "volume/upkeep.h"
#include "volume/uploads.h"
#include "volume/volumes.h"

namespace volary {
namespace {

void log(std::string_view line) {
  const std::string text = fmt::format("{} {}\n", to_text(system_clock().now()), line);
  std::fputs(text.c_str(), stderr);
}

// Blocks the signals that end the server, for all threads made from now on; wait_for_end() takes them.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    for (const int one : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, one);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void wait() const {
    int number = 0;
    sigwait(&set_, &number);
    log(fmt::format("signal {}: ending", number));
  }

 private:
  sigset_t set_{};
};

// The admin's token, in a file that only the server's own user may read; made at the first start, and again if the
// file is lost.
void keep_admin_token(Access& access, const Path& file) {
  if (is_present(file)) return;
  const auto first = access.create_admin_token();
  write_file_durably(file, (first ? *first : access.renew_admin_token()) + "\n", 0600);
  log(fmt::format("made the admin's token: {}", file.native()));
}

void keep_reserve(DiskReserve& reserve) {
  switch (reserve.keep()) {
    case DiskReserve::Change::none: return;
    case DiskReserve::Change::given:
      return log(fmt::format("the disk is full: gave back a reserve of {}, enough to delete volumes and versions and "
                             "sweep the store", bytes_text(reserve.bytes())));
    case DiskReserve::Change::taken:
      return log(fmt::format("keeping {} of the disk back", bytes_text(reserve.bytes())));
  }
}

void end_idle(Uploads& uploads) {
  for (const std::string& line : uploads.expire()) log(line);
}

FileLock lock_data(const Path& root) {
  make_directories(root, 0700);
  auto lock = FileLock::try_take(root / "lock");
  if (!lock) throw Error(Errc::conflict, "another server works in '{}': expected to be the only one", root.native());
  return *std::move(lock);
}

std::unique_ptr<Store> open_store_and_tell(const Path& root) {
  auto store = open_store(root);
  if (const Recovery found = store->recovery(); found.after_crash)
    log(fmt::format("the store was not closed well: {} objects were read again, {} of them torn and moved away",
                    found.checked, found.moved));
  return store;
}

// What all parts stand on, opened in this order.
struct Ground {
  explicit Ground(const ServerConfig& config) : root(config.data_directory) {
    refuse_half_restored(root);
    keep_reserve(reserve);
    make_directory(root / "jobs", 0700);
    database = open_database("sqlite://" + (root / "volary.db").native());
    store = open_store_and_tell(root / "store");
    ways = probe_mounts(store->root());
    mounter = open_mounter(*store, ways, is_root ? Owner{job_uid, job_uid} : Owner{::geteuid(), ::getegid()},
                           config.cache_bytes_max / packed_cache_share, log);
  }

  const Path root;
  const FileLock lock = lock_data(root);
  const bool is_root = ::geteuid() == 0;
  DiskReserve reserve{root / "reserve"};
  std::unique_ptr<Database> database;
  std::unique_ptr<Store> store;
  MountWays ways;
  std::unique_ptr<Mounter> mounter;
  const std::unique_ptr<Runner> runner = make_runner("/proc/self/exe");
  const std::unique_ptr<HttpClient> http = make_http_client();
  const SandboxReport sandbox = describe_sandbox();
};

ServerStatus status_of(const Ground& ground) {
  return {VOLARY_VERSION, ground.root.native(), std::string(name_of_value(ground.ways.read_only)),
          std::string(name_of_value(ground.ways.writable)), ground.sandbox.used, 0};
}

// What the machine gives, as `volary doctor` shows it.
std::vector<Finding> findings_of(const Ground& ground, const std::string& engine) {
  const MountWays& ways = ground.ways;
  const EngineReport containers = describe_engine(engine);
  return {{"read-only mounts", true, std::string(name_of_value(ways.read_only)), ways.read_only_reason},
          {"writable mounts", true, std::string(name_of_value(ways.writable)), ways.writable_reason},
          {"sandbox", ground.sandbox.works, ground.sandbox.used, ground.sandbox.reason},
          {"containers", containers.works, containers.used, containers.reason}};
}

Datastores::Options datastore_options(const ServerConfig& config) {
  return {config.data_directory / "datastores", config.redirects, config.datastores_below};
}

// What is done again and again besides.
void look_after(Timetable& timetable, DiskReserve& reserve, Bookkeeping& bookkeeping, Uploads& uploads, Mounts& mounts,
                Cache& cache, Workplace& workplace, EventLog& events, Node& node) {
  using std::chrono::minutes, std::chrono::seconds;
  timetable.add("the disk's reserve", seconds(1), seconds(1), [&](const auto&) { keep_reserve(reserve); });
  timetable.add("bookkeeping", seconds(0), minutes(1), [&](const auto&) { bookkeeping.look(); });
  timetable.add("ending idle uploads", minutes(1), minutes(1), [&](const auto&) { end_idle(uploads); });
  timetable.add("looking after mounts", minutes(1), minutes(1), [&](const auto&) { mounts.look_after(); });
  timetable.add("tidying the cache", minutes(1), minutes(1), [&](const auto&) { cache.tidy(); });
  timetable.add("removing containers of nobody", seconds(0), minutes(10), [&](const auto&) {
    if (const size_t removed = workplace.remove_stray_containers(); removed > 0)
      log(fmt::format("removed {} containers of jobs that have ended", removed));
  });
  timetable.add("looking for GPUs", seconds(0), minutes(1), [&](const auto&) { node.look(); });
  timetable.add("forgetting old events", minutes(0), minutes(60), [&](const auto&) { events.prune(); });
}

MountPlaces mount_places(const ServerConfig& config) {
  const Path& root = config.data_directory;
  return {root / "mounts", std::filesystem::canonical(root), config.mount_below};
}

// `router` outlives it.
std::unique_ptr<HttpServer> listen(const ServerConfig& config, const Router& router) {
  ServerOptions listening{.unix_socket = config.socket, .host = config.host, .port = config.port};
  listening.streams = [&](const Request& request) { return router.streams(request); };
  return start_http_server(listening, [&](const Request& request) { return router.answer(request); });
}

int serve(const ServerConfig& config) {
  const EndSignals end;
  Ground ground(config);
  const Path& root = ground.root;
  Clock& clock = system_clock();
  Database& database = *ground.database;
  Store& store = *ground.store;
  Access access(database, clock);
  Audit audit(database, clock);
  Secrets secrets(database, root / "secret.key");
  Datastores datastores(database, secrets, *ground.http, clock, datastore_options(config));
  Objects objects(datastores);
  Volumes volumes(database, store, clock);
  Projects projects(database);
  Transfers transfers(database, store, datastores, SnapshotSources(config.snapshot_from, root), clock, log);
  Uploads uploads(database, store, datastores, clock);
  Bookkeeping bookkeeping(database, volumes, clock, log);
  Billing billing(database, config.prices, clock);
  Node node(database, config.node, config.engine);
  Jobs jobs(database, node, datastores, transfers, secrets, root / "jobs", clock, config.engine);
  Workplace workplace(database, store, *ground.mounter, root / "jobs", clock, secrets, config.engine,
                      config.job_log_bytes);
  Reconciler reconciler(database, node, *ground.runner, workplace, transfers, clock, {}, log);
  Explain explain(database, node, jobs, transfers, volumes, clock);
  Lineages lineages(database, access);
  Receipts receipts(database, jobs, root / "receipt.key");
  Mounts mounts(database, store, *ground.mounter, mount_places(config), clock, log);
  Cache cache(database, ground.mounter->images(), config.cache_bytes_max, clock, log);
  EventLog events(database, clock);
  Webhooks webhooks(database, secrets, clock, log);
  Upkeep upkeep({database, store, datastores, audit, clock, root / "secret.key", "volary " VOLARY_VERSION,
                 [&](const Path& image, const auto& check) { return image_is_whole(store, image, check); }}, log);
  keep_admin_token(access, root / "admin.token");
  Services services{access, audit, secrets, projects, datastores, objects, volumes, transfers, uploads, jobs, node,
                    billing, explain, lineages, receipts, upkeep, mounts, cache, events, webhooks, status_of(ground),
                    findings_of(ground, config.engine)};
  const auto gate = make_token_gate(access, audit);
  const Router router(all_routes(services), *gate, log);

  bookkeeping.correct();
  uploads.start();
  mounts.start();
  transfers.start();
  reconciler.start();
  webhooks.start();
  upkeep.start({config.upkeep.sweep_seconds, config.upkeep.check_seconds, config.upkeep.scrub_seconds});
  Timetable timetable(log);
  look_after(timetable, ground.reserve, bookkeeping, uploads, mounts, cache, workplace, events, node);
  const auto server = listen(config, router);
  log(fmt::format("volary {} serves {}", VOLARY_VERSION, config.socket));
  end.wait();
  uploads.stop();
  server->stop();
  timetable.stop();
  upkeep.stop();
  reconciler.stop();
  transfers.stop();
  webhooks.stop();
  return 0;
}

// Backups are read by the program itself: when one is needed, there may be no server.
OfflineBackups offline_backups() {
  const auto at = [](const PlaceToRead& place, const auto& act) {
    const auto http = make_http_client();
    return act(*open_backup_target({place.target, place.endpoint, place.region}, *http, system_clock()));
  };
  return {[at](const PlaceToRead& place) {
            return at(place, [](const BackupTarget& target) { return target.backups(); });
          },
          [at](const PlaceToRead& place, const std::string& id, Progress& progress) {
            return at(place, [&](const BackupTarget& target) { return verify_backup(target, id, progress, {}); });
          },
          [at](const PlaceToRead& place, const std::string& id, const Path& to, Progress& progress) {
            return at(place, [&](const BackupTarget& target) { return restore_backup(target, id, to, progress); });
          }};
}

}  // namespace
}  // namespace volary

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "supervise") return volary::run_supervisor(argv[2]);
  if (argc >= 4 && std::string_view(argv[1]) == "enter") return volary::run_shell(argv[2], argv + 3);
  return volary::run_cli(argc, argv, volary::serve, VOLARY_VERSION, volary::offline_backups());
}
