// cli/transfer_commands.cc: `volary volume import|export` and `volary transfer ls|get|watch|cancel`.
#include <algorithm>

#include "cli/command.h"
#include "cli/containers.h"
#include "cli/reference.h"
#include "cli/waiting.h"
#include "cli/watch.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "record/plan.h"
#include "record/volume.h"

namespace volary {
namespace {

const std::vector<Column<Transfer>>& transfer_columns() {
  static const std::vector<Column<Transfer>> columns = {
      {"ID", [](const Transfer& t) { return t.id; }},
      {"KIND", [](const Transfer& t) { return word_of(name_of_value(t.kind)); }},
      {"FROM", source_of},
      {"TO", target_of},
      {"STATE", [](const Transfer& t) { return word_of(name_of_value(t.state)); }},
      {"FILES", [](const Transfer& t) {
         return fmt::format("{}/{}", t.counts.completed + t.counts.skipped + t.counts.failed, t.counts.total);
       }},
      {"BYTES",
       [](const Transfer& t) { return bytes_text(t.counts.bytes_done) + "/" + bytes_text(t.counts.bytes_total); }},
      {"CREATED", [](const Transfer& t) { return time_text(t.created_at); }},
      {"WAITS FOR", [](const Transfer& t) { return or_dash(t.waits_for); }, Show::wide},
      {"STRATEGY", [](const Transfer& t) { return word_of(name_of_value(t.strategy)); }, Show::wide},
      {"SKIPPED", [](const Transfer& t) { return std::to_string(t.counts.skipped); }, Show::wide},
      {"DELETED", [](const Transfer& t) { return std::to_string(t.counts.deleted); }, Show::wide},
      {"VERSION", [](const Transfer& t) { return t.version ? std::to_string(t.version) : "-"; }, Show::wide},
      {"ENDED", [](const Transfer& t) { return time_text(t.ended_at.value_or(Time{})); }, Show::wide},
      {"BY", [](const Transfer& t) { return or_dash(t.created_by); }, Show::wide},
      {"ERROR", [](const Transfer& t) { return or_dash(t.error); }, Show::wide}};
  return columns;
}

// --- import, export

struct MoveOptions {
  std::string volume;
  std::string store;
  std::optional<std::string> directory;  // import: --into; export: --source-directory
  std::optional<std::string> strategy;
  std::optional<std::string> message;
  std::optional<std::string> wait_time;  // import
  bool wait = false;                     // import
  bool plan = false;
  bool dry_run = false;
  bool detach = false;
};

std::vector<CommandField> shared_fields(MoveOptions& o) {
  return {{.name = "--strategy", .target = &o.strategy,
           .help = "overwrite: copy what differs (unless told); no-overwrite: copy only what is not there; "
                   "mirror: also "
                   "delete what the source does not have",
           .value = "STRATEGY", .choices = {"overwrite", "no-overwrite", "mirror"}},
          {.name = "--plan", .target = &o.plan, .help = "only show what would be copied, skipped and deleted"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "the same as --plan"},
          {.name = "--detach", .target = &o.detach, .help = "print the transfer's id and do not wait for it"}};
}

std::vector<CommandField> import_fields(MoveOptions& o) {
  std::vector<CommandField> fields = {
      {.name = "NAME", .target = &o.volume, .help = "the volume that gets a new version", .need = Need::required,
       .words = Words::volumes},
      {.name = "--from", .target = &o.store, .help = "the datastore, and what of it", .value = "STORE:PREFIX",
       .need = Need::required, .words = Words::prefixes},
      {.name = "--into", .target = &o.directory, .help = "the volume's directory to put it in", .value = "DIR"},
      {.name = "-m,--message", .target = &o.message, .help = "what the new version is; kept with it", .value = "TEXT"}};
  for (CommandField& field : shared_fields(o)) fields.push_back(std::move(field));
  for (CommandField& field : wait_fields(o.wait, o.wait_time)) fields.push_back(std::move(field));
  return fields;
}

std::vector<CommandField> export_fields(MoveOptions& o) {
  std::vector<CommandField> fields = {
      {.name = "NAME[@VERSION]", .target = &o.volume, .help = "which volume; its newest version unless told",
       .need = Need::required, .words = Words::volumes},
      {.name = "--to", .target = &o.store, .help = "the datastore, and where in it", .value = "STORE:PREFIX",
       .need = Need::required, .words = Words::prefixes},
      {.name = "--source-directory", .target = &o.directory, .help = "only the volume's directory of this name",
       .value = "DIR"}};
  for (CommandField& field : shared_fields(o)) fields.push_back(std::move(field));
  return fields;
}

Strategy parse_strategy(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return value_named<Strategy>(text, "strategy");
}

void show_plan(Session& session, const json::value& answer) {
  Output& output = session.output();
  if (output.is_structured()) return output.document(answer);
  const auto plan = typed<PlanView>(answer);
  const json::value* items = answer.as_object().if_contains("items");
  output.list<PlanItem>(items && items->is_array() ? items->get_array() : json::array(),
                        {{"PATH", [](const PlanItem& i) { return i.path; }},
                         {"ACT", [](const PlanItem& i) { return word_of(name_of_value(i.act)); }},
                         {"SIZE", [](const PlanItem& i) { return bytes_text(i.size); }},
                         {"REASON", [](const PlanItem& i) { return i.reason; }}});
  const uint64_t all = plan.copies + plan.skips + plan.deletes;
  if (all > plan.items.size()) session.note(fmt::format("({} more are not shown)", all - plan.items.size()));
  session.note(fmt::format("would copy {} ({}), skip {}, delete {} ({})", plan.copies, bytes_text(plan.copy_bytes),
                           plan.skips, plan.deletes, bytes_text(plan.delete_bytes)));
}

int move(Session& session, const std::string& volume, const std::string& act, const NewTransfer& asked,
         const MoveOptions& o) {
  if (o.plan || o.dry_run) {
    show_plan(session, session.client().post(api_path({"volumes", volume, act, "plan"}), to_json(asked), {},
                                             Patience::endless));  // Listing a large store takes its time.
    return 0;
  }
  const json::value accepted = session.client().post(api_path({"volumes", volume, act}), to_json(asked));
  const auto transfer = typed<Transfer>(accepted);
  if (!o.detach) return end_of_transfer(session, watch_transfer(session, transfer.id));
  if (session.output().is_structured()) session.output().document(accepted);
  else session.output().line(transfer.id);
  session.note("to watch it:  volary transfer watch " + transfer.id);
  return 0;
}

int import_(Session& session, const MoveOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  if (!volume.version.empty())
    throw Error(Errc::invalid, "'{}' names a version, but an import makes a new one: give '{}'", o.volume, volume.name);
  const StoreReference store = within_datastore(session.client(), parse_store_reference(o.store, "--from"));
  NewTransfer asked;
  asked.datastore = store.datastore;
  asked.source_directory = store.prefix;
  asked.destination_directory = o.directory;
  if (o.strategy) asked.strategy = parse_strategy(*o.strategy);
  asked.message = o.message;
  asked.wait_seconds = wait_seconds_of(o.wait, o.wait_time);
  return move(session, volume.name, "imports", asked, o);
}

int export_(Session& session, const MoveOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  const StoreReference store = within_datastore(session.client(), parse_store_reference(o.store, "--to"));
  NewTransfer asked;
  asked.datastore = store.datastore;
  asked.destination_directory = store.prefix;
  asked.source_directory = o.directory;
  if (o.strategy) asked.strategy = parse_strategy(*o.strategy);
  if (!volume.version.empty()) asked.version = volume.version;
  return move(session, volume.name, "exports", asked, o);
}

// --- transfer ls, get, watch, cancel

struct ListOptions {
  std::optional<std::string> volume;
};

int list(Session& session, const ListOptions& o) {
  Query query;
  if (o.volume) query.emplace_back("volume", *o.volume);
  session.output().list<Transfer>(session.client().list(api_path({"transfers"}), query), transfer_columns());
  return 0;
}

struct OneOptions {
  std::string id;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which transfer", .need = Need::required, .words = Words::transfers}};
}

int get(Session& session, const OneOptions& o) {
  session.output().record<Transfer>(session.client().get(api_path({"transfers", o.id})), transfer_columns());
  return 0;
}

int watch(Session& session, const OneOptions& o) {
  session.client().get(api_path({"transfers", o.id}));  // A wrong id is an error at once.
  return end_of_transfer(session, watch_transfer(session, o.id));
}

int cancel(Session& session, const OneOptions& o) {
  const json::value answer = session.client().post(api_path({"transfers", o.id, "cancel"}), json::object());
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(o.id);
  return 0;
}

}  // namespace

std::vector<Command> transfer_commands() {
  const auto list_fields = [](ListOptions& o) -> std::vector<CommandField> {
    return {{.name = "--volume", .target = &o.volume, .help = "only of this volume", .value = "NAME",
             .words = Words::volumes}};
  };
  return {
      make_command<MoveOptions>({.path = {"volume", "import"},
                                 .summary = "copy from a datastore into a new version of a volume",
                                 .example = "volary volume import wiki --from corpora:wiki/2026 --message 'July dump'\n"
                                            "volary volume import wiki --from corpora:wiki --wait --timeout 2h\n"
                                            "volary volume import wiki --from corpora:wiki --strategy mirror --plan",
                                 .more = "Prints the new version. Ctrl-C ends the watching, not the import."},
                                import_fields, import_),
      make_command<MoveOptions>({.path = {"volume", "export"}, .summary = "copy a version of a volume to a datastore",
                                 .example = "volary volume export wiki@3 --to corpora:wiki-clean",
                                 .more = "Ctrl-C ends the watching, not the export."},
                                export_fields, export_),
      make_command<ListOptions>({.path = {"transfer", "ls"}, .aliases = {"list"},
                                 .summary = "list transfers, newest first",
                                 .example = "volary transfer ls --volume wiki"},
                                list_fields, list),
      make_command<OneOptions>({.path = {"transfer", "get"}, .aliases = {"describe"}, .summary = "show one transfer",
                                .example = "volary transfer get xfer-8k3v0qh1n2m4p5r6 -o yaml"},
                               one_fields, get),
      make_command<OneOptions>({.path = {"transfer", "watch"}, .summary = "show a transfer's progress to its end",
                                .example = "volary transfer watch xfer-8k3v0qh1n2m4p5r6"},
                               one_fields, watch),
      make_command<OneOptions>({.path = {"transfer", "cancel"}, .summary = "end a transfer; nothing of it stays",
                                .example = "volary transfer cancel xfer-8k3v0qh1n2m4p5r6"},
                               one_fields, cancel),
  };
}

}  // namespace volary
