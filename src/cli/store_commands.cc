// cli/store_commands.cc: `volary store stats|sweep|scrub|check|repair|damage|watch|stop`.
#include "cli/command.h"
#include "cli/watch_upkeep.h"
#include "core/quantity.h"

namespace volary {
namespace {

constexpr int exit_interrupted = 130;

std::optional<int64_t> seconds_in(const std::optional<std::string>& text, std::string_view option) {
  if (!text) return std::nullopt;
  return parse_seconds(*text, option);
}

// The report, printed: as a document, or as the lines that `columns` make of it.
template <class Report>
void print_report(Session& session, const Report& report, const std::vector<Column<Report>>& columns) {
  session.output().record<Report>(to_json(report), columns);
}

int end_of(const UpkeepRun& run) { return run.state == UpkeepState::stopped ? exit_interrupted : 0; }

// --- stats

std::string last_text(const StoreStats& stats, UpkeepKind kind) {
  for (const UpkeepRun& run : stats.last)
    if (run.kind == kind)
      return fmt::format("{}, {}", time_text(run.ended_at.value_or(Time{})), name_of_value(run.state));
  return "never";
}

std::string running_text(const StoreStats& stats) {
  if (!stats.running) return "nothing";
  const UpkeepRun& run = *stats.running;
  return fmt::format("{} ({}, {} of {} objects), by {}, {}", name_of_value(run.kind), run.phase,
                     run.counts.objects_done, run.counts.objects_total, run.started_by, run.id);
}

struct NoOptions {};
std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int stats(Session& session, const NoOptions&) {
  session.output().record<StoreStats>(
      session.client().get(api_path({"store", "stats"}), {}, Patience::endless),
      {{"STORE", [](const StoreStats& s) { return s.store; }},
       {"TAKES VERSIONS", [](const StoreStats& s) { return s.read_only.empty() ? "yes" : "no: " + s.read_only; }},
       {"OBJECTS", [](const StoreStats& s) { return amount_text(s.objects); }},
       {"TREES", [](const StoreStats& s) { return amount_text(s.trees); }},
       {"VERSIONS",
        [](const StoreStats& s) { return fmt::format("{} ({})", s.versions, bytes_text(s.logical_bytes)); }},
       {"SHARING", [](const StoreStats& s) { return fmt::format("{:.2f}", s.sharing); }},
       {"QUARANTINE", [](const StoreStats& s) { return amount_text(s.quarantine); }},
       {"IMAGES", [](const StoreStats& s) { return amount_text(s.images); }},
       {"TEMPORARY", [](const StoreStats& s) { return amount_text(s.tmp); }},
       {"FREE", [](const StoreStats& s) { return bytes_text(s.free_bytes); }},
       {"DAMAGED", [](const StoreStats& s) { return std::to_string(s.damaged); }},
       {"RUNNING", running_text},
       {"LAST CHECK", [](const StoreStats& s) { return last_text(s, UpkeepKind::check); }},
       {"LAST SWEEP", [](const StoreStats& s) { return last_text(s, UpkeepKind::sweep); }},
       {"LAST SCRUB", [](const StoreStats& s) { return last_text(s, UpkeepKind::scrub); }},
       {"LAST REPAIR", [](const StoreStats& s) { return last_text(s, UpkeepKind::repair); }},
       {"LAST BACKUP", [](const StoreStats& s) { return last_text(s, UpkeepKind::backup); }},
       {"EPOCH", [](const StoreStats& s) { return std::to_string(s.epoch); }}});
  return 0;
}

// --- sweep

struct SweepOptions {
  bool plan = false;
  bool apply = false;
  bool detach = false;
  std::optional<std::string> min_age;
  std::optional<std::string> between_marks;
  std::optional<std::string> quarantine_age;
};

std::vector<CommandField> sweep_fields(SweepOptions& o) {
  return {{.name = "--plan", .target = &o.plan, .help = "only say what would happen (unless --apply is given)"},
          {.name = "--apply", .target = &o.apply, .help = "do it"},
          {.name = "--min-age", .target = &o.min_age, .help = "how long unused before it may go; 24h unless told",
           .value = "TIME"},
          {.name = "--between-marks", .target = &o.between_marks,
           .help = "how far apart the two sweeps that see it unused are; 4h unless told", .value = "TIME"},
          {.name = "--quarantine-age", .target = &o.quarantine_age,
           .help = "how long it stays in quarantine before it is deleted; 24h unless told", .value = "TIME"},
          {.name = "--detach", .target = &o.detach, .help = "print the run's id and do not wait for it"}};
}

int sweep(Session& session, const SweepOptions& o) {
  if (o.plan && o.apply) throw Error(Errc::invalid, "--plan and --apply exclude each other: expected one of them");
  const SweepRequest asked{o.apply, seconds_in(o.min_age, "--min-age"), seconds_in(o.between_marks, "--between-marks"),
                           seconds_in(o.quarantine_age, "--quarantine-age")};
  const auto run = run_upkeep(session, "sweeps", to_json(asked), o.detach ? Wait::no : Wait::yes);
  if (!run || !run->sweep) return run ? end_of(*run) : 0;
  const bool applied = run->sweep->applied;
  print_report<SweepReport>(
      session, *run->sweep,
      {{"LIVE", [](const SweepReport& r) { return amount_text(r.live); }},
       {"TOO YOUNG", [](const SweepReport& r) { return amount_text(r.too_young); }},
       {"CANDIDATES", [](const SweepReport& r) { return amount_text(r.candidates); }},
       {applied ? "QUARANTINED" : "WOULD QUARANTINE", [](const SweepReport& r) { return amount_text(r.quarantined); }},
       {"IN QUARANTINE", [](const SweepReport& r) { return amount_text(r.in_quarantine); }},
       {applied ? "UNLINKED" : "WOULD UNLINK", [](const SweepReport& r) { return amount_text(r.unlinked); }},
       {"BROUGHT BACK", [](const SweepReport& r) { return amount_text(r.brought_back); }},
       {"IMAGES DELETED", [](const SweepReport& r) { return std::to_string(r.images); }}});
  if (!run->sweep->remark.empty()) session.note(run->sweep->remark);
  if (!applied) session.note("nothing was changed: add --apply to do it");
  return end_of(*run);
}

// --- scrub

struct ScrubOptions {
  std::optional<std::string> rate;
  bool resume = false;
  bool detach = false;
};

std::vector<CommandField> scrub_fields(ScrubOptions& o) {
  return {{.name = "--rate", .target = &o.rate,
           .help = "read at most so much in a second; 200MiB unless told, 0 for no limit", .value = "SIZE"},
          {.name = "--resume", .target = &o.resume, .help = "go on where the last scrub stopped"},
          {.name = "--detach", .target = &o.detach, .help = "print the run's id and do not wait for it"}};
}

// "200MiB" or "200MiB/s".
uint64_t parse_rate(std::string text) {
  if (text.ends_with("/s")) text.resize(text.size() - 2);
  return text == "0" ? 0 : parse_bytes(text, "--rate");
}

int scrub(Session& session, const ScrubOptions& o) {
  ScrubRequest asked;
  asked.resume = o.resume;
  if (o.rate) asked.bytes_per_second = parse_rate(*o.rate);
  const auto run = run_upkeep(session, "scrubs", to_json(asked), o.detach ? Wait::no : Wait::yes);
  if (!run || !run->scrub) return run ? end_of(*run) : 0;
  const ScrubReport& report = *run->scrub;
  print_report<ScrubReport>(
      session, report,
      {{"OBJECTS", [](const ScrubReport& r) { return amount_text(r.objects); }},
       {"TREES", [](const ScrubReport& r) { return amount_text(r.trees); }},
       {"PAST THE CACHE", [](const ScrubReport& r) { return std::to_string(r.read_past_cache); }},
       {"IMAGES", [](const ScrubReport& r) { return fmt::format("{} ({} dropped)", r.images, r.images_dropped); }},
       {"VERSIONS", [](const ScrubReport& r) { return std::to_string(r.versions); }},
       {"DAMAGED", [](const ScrubReport& r) { return std::to_string(r.damaged); }},
       {"DATABASE", [](const ScrubReport& r) { return r.database.empty() ? "whole" : "damaged"; }},
       {"COMPLETE", [](const ScrubReport& r) { return r.complete ? "yes" : "no"; }}});
  for (const std::string& line : report.database) session.note("database: " + line);
  if (report.damaged > 0 || !report.database.empty())
    throw Error(Errc::corrupt,
                "{} objects are damaged{}: 'volary store damage' lists them, 'volary store repair' fetches them again",
                report.damaged, report.database.empty() ? "" : ", and the database is");
  return end_of(*run);
}

// --- damage, check

const std::vector<Column<StoreDamage>>& damage_columns() {
  static const std::vector<Column<StoreDamage>> columns = {
      {"DIGEST", [](const StoreDamage& d) { return or_dash(short_digest(d.digest)); }},
      {"KIND", [](const StoreDamage& d) { return d.kind; }},
      {"FOUND BY", [](const StoreDamage& d) { return d.found_by; }},
      {"FOUND", [](const StoreDamage& d) { return time_text(d.found_at); }},
      {"WHAT", [](const StoreDamage& d) { return d.what; }},
      {"USED BY", [](const StoreDamage& d) { return or_dash(joined(d.uses, "; ")); }}};
  return columns;
}

int damage(Session& session, const NoOptions&) {
  session.output().list<StoreDamage>(session.client().list(api_path({"store", "damage"})), damage_columns());
  return 0;
}

struct CheckOptions {
  bool accept_restored = false;
  bool detach = false;
};

std::vector<CommandField> check_fields(CheckOptions& o) {
  return {{.name = "--accept-restored", .target = &o.accept_restored,
           .help = "the database is older than the store, and that is meant: let sweeps go by it"},
          {.name = "--detach", .target = &o.detach, .help = "print the run's id and do not wait for it"}};
}

int check(Session& session, const CheckOptions& o) {
  const auto run =
      run_upkeep(session, "checks", to_json(CheckRequest{o.accept_restored}), o.detach ? Wait::no : Wait::yes);
  if (!run || !run->check) return run ? end_of(*run) : 0;
  const CheckReport& report = *run->check;
  print_report<CheckReport>(session, report,
                            {{"CLEAN", [](const CheckReport& r) { return r.clean ? "yes" : "no"; }},
                             {"VERSIONS", [](const CheckReport& r) { return std::to_string(r.versions); }},
                             {"OBJECTS", [](const CheckReport& r) { return amount_text(r.objects); }},
                             {"TREES", [](const CheckReport& r) { return amount_text(r.trees); }},
                             {"MISSING OR DAMAGED", [](const CheckReport& r) { return std::to_string(r.damaged); }},
                             {"STRAYS", [](const CheckReport& r) { return std::to_string(r.strays.size()); }}});
  for (const std::string& stray : report.strays) session.note("stray: " + stray);
  if (report.damaged > 0)
    for (const json::value& one : session.client().list(api_path({"store", "damage"}), {}, 100)) {
      const auto found = typed<StoreDamage>(one);
      session.note(fmt::format("{}{}{}", found.what, found.uses.empty() ? "" : ", used by ", joined(found.uses, "; ")));
    }
  if (report.damaged > 0)
    throw Error(Errc::corrupt, "{} objects are missing or damaged: 'volary store repair' fetches them again",
                report.damaged);
  if (!report.restored.empty())
    throw Error(Errc::conflict, "{}; 'volary store check --accept-restored' accepts it", report.restored);
  if (!report.clean) throw Error(Errc::corrupt, "there are names in the store that are none of its own: look at them");
  return end_of(*run);
}

// --- repair

struct RepairOptions {
  std::optional<std::string> from;
  std::optional<std::string> from_store;
  bool detach = false;
};

std::vector<CommandField> repair_fields(RepairOptions& o) {
  return {{.name = "--from", .target = &o.from,
           .help = "only from this datastore; with a prefix, from the backup that is there",
           .value = "STORE[:PREFIX]", .words = Words::datastores},
          {.name = "--from-store", .target = &o.from_store,
           .help = "also from this store, data directory or backup on the server", .value = "DIR",
           .words = Words::directories},
          {.name = "--detach", .target = &o.detach, .help = "print the run's id and do not wait for it"}};
}

int repair(Session& session, const RepairOptions& o) {
  const auto run = run_upkeep(session, "repairs", to_json(RepairRequest{o.from, o.from_store}),
                              o.detach ? Wait::no : Wait::yes);
  if (!run || !run->repair) return run ? end_of(*run) : 0;
  const RepairReport& report = *run->repair;
  if (session.output().is_structured()) {
    session.output().document(to_json(report));
  } else {
    session.output().list<RepairedObject>(
        to_json(report.objects).as_array(),
        {{"DIGEST", [](const RepairedObject& r) { return short_digest(r.digest); }},
         {"KIND", [](const RepairedObject& r) { return r.kind; }},
         {"REPAIRED FROM", [](const RepairedObject& r) { return r.source.empty() ? "nowhere" : r.source; }},
         {"STILL DAMAGED", [](const RepairedObject& r) { return or_dash(joined(r.uses, "; ")); }},
         {"WHAT", [](const RepairedObject& r) { return r.what; }, Show::wide}});
    session.note(fmt::format("{} repaired, {} not", report.repaired, report.unrepaired));
  }
  if (report.unrepaired > 0)
    throw Error(Errc::corrupt,
                "{} objects could not be repaired: import them again, or give another place with --from-store",
                report.unrepaired);
  return end_of(*run);
}

// --- watch, stop

struct RunOptions {
  std::string id;
};

std::vector<CommandField> run_fields(RunOptions& o) {
  return {{.name = "RUN", .target = &o.id, .help = "which run: what --detach printed", .need = Need::required}};
}

int watch(Session& session, const RunOptions& o) {
  session.client().get(api_path({"store", "runs", o.id}));  // A wrong id is an error at once.
  const UpkeepRun run = watch_upkeep(session, o.id);
  session.output().record<UpkeepRun>(
      to_json(run), {{"RUN", [](const UpkeepRun& r) { return r.id; }},
                     {"KIND", [](const UpkeepRun& r) { return word_of(name_of_value(r.kind)); }},
                     {"STATE", [](const UpkeepRun& r) { return std::string(name_of_value(r.state)); }},
                     {"ENDED", [](const UpkeepRun& r) { return time_text(r.ended_at.value_or(Time{})); }}});
  return end_of(run);
}

int stop(Session& session, const NoOptions&) {
  session.client().post(api_path({"store", "stop"}), json::object());
  session.note("what was under way ends at the next place where it can");
  return 0;
}

}  // namespace

std::vector<Command> store_commands() {
  return {
      make_command<NoOptions>({.path = {"store", "stats"}, .summary = "show what the store holds and how it is",
                               .example = "volary store stats"},
                              no_fields, stats),
      make_command<SweepOptions>(
          {.path = {"store", "sweep"}, .summary = "delete what no version refers to",
           .example = "volary store sweep\nvolary store sweep --apply",
           .more = "Three steps of some hours each: seen unused twice, moved to quarantine, deleted. The server does "
                   "it daily by itself."},
          sweep_fields, sweep),
      make_command<ScrubOptions>(
          {.path = {"store", "scrub"}, .summary = "read and hash everything, to find damage",
           .example = "volary store scrub --rate 500MiB/s\nvolary store scrub --resume",
           .more = "Exits with 9 if anything is damaged. The server does it weekly by itself."},
          scrub_fields, scrub),
      make_command<CheckOptions>(
          {.path = {"store", "check"}, .summary = "look whether all that versions refer to is there",
           .example = "volary store check",
           .more = "Reads directories and sizes, not contents. Exits with 9 if anything is missing."},
          check_fields, check),
      make_command<NoOptions>({.path = {"store", "damage"}, .summary = "list what is damaged, and which files use it",
                               .example = "volary store damage -o wide"},
                              no_fields, damage),
      make_command<RepairOptions>(
          {.path = {"store", "repair"}, .summary = "fetch again what is damaged or missing",
           .example = "volary store repair\nvolary store repair --from-store /mnt/backup",
           .more = "From where it was imported from or exported to, and from the places given. Nothing is believed "
                   "but its hash. Exits with 9 if something could not be had."},
          repair_fields, repair),
      make_command<RunOptions>({.path = {"store", "watch"}, .summary = "show a run's progress to its end",
                                .example = "volary store watch run-8k3v0qh1n2m4p5r6"},
                               run_fields, watch),
      make_command<NoOptions>({.path = {"store", "stop"}, .summary = "end the run that is under way",
                               .example = "volary store stop", .more = "A scrub can be resumed."},
                              no_fields, stop),
  };
}

}  // namespace volary
