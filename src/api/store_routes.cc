// api/store_routes.cc: the store's upkeep: started, followed, stopped; what it found; backups.
#include "api/event_stream.h"
#include "api/routes.h"

namespace volary {
namespace {

// A route that begins a run of one kind.
template <class Wanted>
void add_kind(std::vector<Route>& routes, Services& services, const std::string& path, const std::string& name,
              const std::string& summary) {
  routes.push_back({Method::post, "/api/v1/store/" + path, Permission::store_write,
                    {.name = name, .summary = summary,
                     .description = "One run at a time: while another one that somebody asked for is under way, the "
                                    "answer is a conflict with its name.",
                     .status = 202},
                    [&services](const Call& call, const Wanted& wanted) {
                      UpkeepRun run = services.upkeep.begin(call.caller(), wanted);
                      const std::string location = "/api/v1/store/runs/" + run.id;
                      return Reply<UpkeepRun>{std::move(run), 0, {{"location", location}}};
                    }});
}

Response follow(Upkeep& upkeep, const std::string& id) {
  return event_response([&upkeep, id, last = std::string()]() mutable {
    const UpkeepRun now = upkeep.get(id);
    Events events{.events = {}, .are_last = now.state != UpkeepState::running};
    if (const std::string body = print_json(to_json(now)); body != last)
      events.events.push_back({"", "run", last = body});
    return events;
  });
}

}  // namespace

void add_store_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/store/stats", Permission::store_read,
                    {.name = "get_store", .summary = "What the store holds, and when it was last looked after"},
                    [&services](const Call&) { return services.upkeep.stats(); }});
  routes.push_back({Method::get, "/api/v1/store/damage", Permission::store_read,
                    {.name = "list_damage", .summary = "What is damaged or missing, and which versions use it"},
                    [&services](const Call&) { return Page<StoreDamage>{services.upkeep.damage(), std::nullopt}; }});
  add_kind<SweepRequest>(routes, services, "sweeps", "start_sweep",
                         "Deletes, in three steps of some hours each, what no version refers to");
  add_kind<ScrubRequest>(routes, services, "scrubs", "start_scrub", "Reads and hashes everything the store holds");
  add_kind<CheckRequest>(routes, services, "checks", "start_check",
                         "Looks whether all that versions refer to is there");
  add_kind<RepairRequest>(routes, services, "repairs", "start_repair",
                          "Fetches again what is damaged or missing, from where it came");
  add_kind<BackupRequest>(routes, services, "backups", "start_backup",
                          "Copies the database, and what a target lacks of what it refers to");
  add_kind<VerifyBackupRequest>(routes, services, "backup-verifications", "start_backup_verification",
                                "Reads and hashes all of a backup");
  routes.push_back({Method::get, "/api/v1/store/backups", Permission::store_read,
                    {.name = "list_backups",
                     .summary = "The backups that a target holds, oldest first",
                     .query = {{.name = "target",
                                .description = "A directory on the server, or DATASTORE:PREFIX",
                                .need = Need::required}}},
                    [&services](const Call& call) {
                      return Page<Backup>{services.upkeep.backups(call.caller(), *call.query("target")), std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/store/runs/{run}", Permission::store_read,
                    {.name = "get_store_run", .summary = "A run under way, or the last one of its kind"},
                    [&services](const Call& call) { return services.upkeep.get(call.path("run")); }});
  routes.push_back({Method::get, "/api/v1/store/runs/{run}/events", Permission::store_read,
                    {.name = "follow_store_run",
                     .summary = "The run each time it has moved, until it has ended",
                     .answer_type = "text/event-stream"},
                    [&services](const Call& call) {
                      return follow(services.upkeep, services.upkeep.get(call.path("run")).id);
                    }});
  routes.push_back({Method::post, "/api/v1/store/stop", Permission::store_write,
                    {.name = "stop_store_run", .summary = "Asks the run under way to end; a scrub can be resumed"},
                    [&services](const Call&) { services.upkeep.end_current(); }});
}

}  // namespace volary
