// cli/move_commands.cc: `volary volume import|export`: planned, looked at, agreed to, carried out.
#include <algorithm>

#include "cli/command.h"
#include "cli/containers.h"
#include "cli/plan_file.h"
#include "cli/reference.h"
#include "cli/waiting.h"
#include "cli/watch.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct MoveOptions {
  std::optional<std::string> volume;
  std::optional<std::string> store;
  std::optional<std::string> directory;  // import: --into; export: --source-directory
  std::optional<std::string> strategy;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::optional<std::string> trash;
  std::optional<std::string> message;
  std::optional<std::string> wait_time;  // import
  std::optional<std::string> plan;       // "": without a file
  std::optional<std::string> apply;
  bool wait = false;  // import
  bool dry_run = false;
  bool detach = false;
  bool yes = false;
  bool skip_conflicts = false;
};

void add_shared_fields(std::vector<CommandField>& fields, MoveOptions& o) {
  fields.insert(fields.end(), {
      {.name = "--strategy", .target = &o.strategy,
       .help = "overwrite: copy what differs (unless told); no-overwrite: copy only what is not there; mirror: also "
               "delete what the source does not have",
       .value = "STRATEGY", .choices = {"overwrite", "no-overwrite", "mirror"}},
      {.name = "--include", .target = &o.include,
       .help = "only files that match, such as '*.parquet' or '/train/'; may be given several times",
       .value = "PATTERN"},
      {.name = "--exclude", .target = &o.exclude,
       .help = "no files that match; they are neither copied nor deleted; may be given several times",
       .value = "PATTERN"},
      {.name = "--trash", .target = &o.trash,
       .help = "keep what is replaced or deleted in this directory of the target, under the transfer's id",
       .value = "DIR"},
      {.name = "--skip-conflicts", .target = &o.skip_conflicts,
       .help = "leave out files whose names cannot be in the target, instead of refusing all"},
      {.name = "--plan", .target = &o.plan,
       .help = "only show what would be copied, skipped and deleted; with a FILE, write all of it there for --apply",
       .value = "FILE", .words = Words::files, .value_may_lack = true},
      {.name = "--dry-run", .target = &o.dry_run, .help = "the same as --plan without a file"},
      {.name = "--apply", .target = &o.apply,
       .help = "carry out the plan of this file, if both sides are as they were when it was made",
       .value = "FILE", .words = Words::files},
      {.name = "-y,--yes", .target = &o.yes, .help = "do not ask, even if a mirror deletes more than half"},
      {.name = "--detach", .target = &o.detach, .help = "print the transfer's id and do not wait for it"}});
}

std::vector<CommandField> import_fields(MoveOptions& o) {
  std::vector<CommandField> fields = {
      {.name = "NAME", .target = &o.volume, .help = "the volume that gets a new version", .words = Words::volumes},
      {.name = "--from", .target = &o.store, .help = "the datastore, and what of it", .value = "STORE:PREFIX",
       .words = Words::prefixes},
      {.name = "--into", .target = &o.directory, .help = "the volume's directory to put it in", .value = "DIR"},
      {.name = "-m,--message", .target = &o.message, .help = "what the new version is; kept with it", .value = "TEXT"}};
  add_shared_fields(fields, o);
  for (CommandField& field : wait_fields(o.wait, o.wait_time)) fields.push_back(std::move(field));
  return fields;
}

std::vector<CommandField> export_fields(MoveOptions& o) {
  std::vector<CommandField> fields = {
      {.name = "NAME[@VERSION]", .target = &o.volume, .help = "which volume; its newest version unless told",
       .words = Words::volumes},
      {.name = "--to", .target = &o.store, .help = "the datastore, and where in it", .value = "STORE:PREFIX",
       .words = Words::prefixes},
      {.name = "--source-directory", .target = &o.directory, .help = "only the volume's directory of this name",
       .value = "DIR"}};
  add_shared_fields(fields, o);
  return fields;
}

Strategy parse_strategy(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return value_named<Strategy>(text, "strategy");
}

void show_conflicts(Session& session, const PlanView& plan) {
  for (const PlanConflict& one : plan.conflict_items)
    session.note(fmt::format("{}: {}: {}", one.kind == ConflictKind::case_only ? "beware" : "cannot be copied",
                             one.path, one.reason));
  const uint64_t all = plan.conflicts + plan.case_only;
  if (all > plan.conflict_items.size())
    session.note(fmt::format("({} more names like these are not shown)", all - plan.conflict_items.size()));
  if (plan.conflicts)
    session.note(fmt::format("{} cannot be copied for their names: nothing begins without --skip-conflicts",
                             plan.conflicts));
}

void show_summary(Session& session, const PlanView& plan) {
  show_conflicts(session, plan);
  session.note(fmt::format("would copy {} ({}), skip {}, delete {} ({})", plan.copies, bytes_text(plan.copy_bytes),
                           plan.skips, plan.deletes, bytes_text(plan.delete_bytes)));
  if (plan.needs_confirmation)
    session.note(fmt::format("that deletes more than half of the target's {} files: it will want --yes",
                             plan.target_files));
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
  show_summary(session, plan);
}

// A mirror that would delete most of its target: asked before it is accepted, where somebody can be asked. Where nobody
// can, the server refuses it.
void confirm_deletions(Session& session, const PlanView& plan, const std::string& target) {
  if (!plan.needs_confirmation) return;
  session.confirm(fmt::format("This deletes {} of the {} files in {}, more than half. Go on?", plan.deletes,
                              plan.target_files, target),
                  "--yes");
}

json::value plan_now(Session& session, TransferKind kind, const std::string& volume, const NewTransfer& asked) {
  return session.client().post(api_path({"volumes", volume, route_of(kind), "plan"}), to_json(asked), {},
                               Patience::endless);  // Listing a large store takes its time.
}

// "corpora:wiki" or "wiki:/train"
std::string target_of(TransferKind kind, const std::string& volume, const NewTransfer& asked) {
  const std::string directory = asked.destination_directory.value_or("");
  return kind == TransferKind::import ? volume + ":/" + directory : asked.datastore + ":" + directory;
}

int begin(Session& session, TransferKind kind, const std::string& volume, const NewTransfer& asked,
          const MoveOptions& o) {
  const json::value accepted = session.client().post(api_path({"volumes", volume, route_of(kind)}), to_json(asked));
  return begun(session, accepted, o.detach ? Detach::yes : Detach::no);
}

int move(Session& session, TransferKind kind, const std::string& volume, NewTransfer asked, const MoveOptions& o) {
  if (o.plan && !o.plan->empty()) {
    const PlanView plan = save_plan(session, kind, volume, asked, *o.plan);
    if (session.output().is_structured()) session.output().document(to_json(plan));
    show_summary(session, plan);
    session.note(fmt::format("to carry it out:  volary volume {} --apply {}", word_of(name_of_value(kind)), *o.plan));
    return 0;
  }
  if (o.plan || o.dry_run) {
    show_plan(session, plan_now(session, kind, volume, asked));
    return 0;
  }
  asked.confirmed = o.yes;
  if (asked.strategy == Strategy::mirror && !o.yes && session.can_ask()) {
    confirm_deletions(session, typed<PlanView>(plan_now(session, kind, volume, asked)), target_of(kind, volume, asked));
    asked.confirmed = true;
  }
  return begin(session, kind, volume, asked, o);
}

// Everything but who is asked and how long one waits is in the plan.
void check_beside_apply(const MoveOptions& o) {
  const std::pair<bool, std::string_view> others[] = {
      {o.plan || o.dry_run, "--plan"},        {o.directory.has_value(), "--into or --source-directory"},
      {o.strategy.has_value(), "--strategy"}, {!o.include.empty(), "--include"},
      {!o.exclude.empty(), "--exclude"},      {o.trash.has_value(), "--trash"},
      {o.message.has_value(), "--message"},   {o.skip_conflicts, "--skip-conflicts"}};
  for (const auto& [given, name] : others)
    if (given) throw Error(Errc::invalid, "--apply carries out what the plan says: expected no {} with it", name);
}

int apply(Session& session, TransferKind kind, const MoveOptions& o, const std::optional<VolumeReference>& volume,
          const std::optional<StoreReference>& store) {
  check_beside_apply(o);
  const PlanFile plan = read_plan_file(*o.apply);
  const std::string word = word_of(name_of_value(plan.kind));
  if (plan.kind != kind)
    throw Error(Errc::invalid, "'{}' is the plan of an {}: expected 'volary volume {} --apply {}'", *o.apply, word,
                word, *o.apply);
  if (volume && (volume->name != plan.volume ||
                 (!volume->version.empty() && volume->version != plan.request.version.value_or(""))))
    throw Error(Errc::invalid, "'{}' is a plan for volume '{}': expected that, or no name, and found '{}'", *o.apply,
                plan.volume + (plan.request.version ? "@" + *plan.request.version : ""), *o.volume);
  const auto& directory = kind == TransferKind::import ? plan.request.source_directory
                                                       : plan.request.destination_directory;
  if (store && (store->datastore != plan.request.datastore || store->prefix != directory.value_or("")))
    throw Error(Errc::invalid, "'{}' is a plan for {}:{}: expected that, or nothing, and found '{}'", *o.apply,
                plan.request.datastore, directory.value_or(""), *o.store);
  check_still_holds(session, plan, *o.apply);
  NewTransfer asked = plan.request;
  asked.expected = plan.plan.sides;
  asked.confirmed = o.yes;
  if (plan.plan.needs_confirmation && !o.yes) {
    confirm_deletions(session, plan.plan, target_of(kind, plan.volume, asked));
    asked.confirmed = true;
  }
  if (o.wait || o.wait_time) asked.wait_seconds = wait_seconds_of(o.wait, o.wait_time);
  return begin(session, kind, plan.volume, asked, o);
}

int run(Session& session, TransferKind kind, std::string_view store_option, const MoveOptions& o) {
  std::optional<VolumeReference> volume;
  std::optional<StoreReference> store;
  if (o.volume) volume = parse_volume_reference(*o.volume);
  if (o.store) store = within_datastore(session.client(), parse_store_reference(*o.store, store_option));
  if (o.apply) return apply(session, kind, o, volume, store);
  if (!volume && o.plan && !o.plan->empty())
    throw Error(Errc::invalid, "NAME is missing, for '{}' is the file of --plan: expected --plan after the name",
                *o.plan);
  if (!volume) throw Error(Errc::invalid, "NAME is missing: expected the name of a volume, or --apply FILE");
  if (!store) throw Error(Errc::invalid, "{} is missing: expected {} STORE:PREFIX, or --apply FILE", store_option,
                          store_option);
  const bool imports = kind == TransferKind::import;
  if (imports && !volume->version.empty())
    throw Error(Errc::invalid, "'{}' names a version, but an import makes a new one: give '{}'", *o.volume,
                volume->name);
  NewTransfer asked;
  asked.datastore = store->datastore;
  (imports ? asked.source_directory : asked.destination_directory) = store->prefix;
  (imports ? asked.destination_directory : asked.source_directory) = o.directory;
  if (o.strategy) asked.strategy = parse_strategy(*o.strategy);
  if (!volume->version.empty()) asked.version = volume->version;
  asked.message = o.message;
  asked.include = o.include;
  asked.exclude = o.exclude;
  asked.trash = o.trash;
  asked.skip_conflicts = o.skip_conflicts;
  asked.wait_seconds = wait_seconds_of(o.wait, o.wait_time);
  return move(session, kind, volume->name, asked, o);
}

int import_(Session& session, const MoveOptions& o) { return run(session, TransferKind::import, "--from", o); }
int export_(Session& session, const MoveOptions& o) { return run(session, TransferKind::export_, "--to", o); }

}  // namespace

std::vector<Command> move_commands() {
  return {
      make_command<MoveOptions>({.path = {"volume", "import"},
                                 .summary = "copy from a datastore into a new version of a volume",
                                 .example = "volary volume import wiki --from corpora:wiki/2026 -m 'July dump'\n"
                                            "volary volume import wiki --from corpora:wiki --wait --timeout 2h\n"
                                            "volary volume import wiki --from corpora:wiki --include '*.parquet'\n"
                                            "volary volume import wiki --from corpora:wiki --strategy mirror --plan\n"
                                            "volary volume import wiki --from corpora:wiki --plan wiki.plan.json\n"
                                            "volary volume import --apply wiki.plan.json",
                                 .more = "Prints the new version. Ctrl-C ends the watching, not the import. A plan in "
                                         "a file is carried out only if both sides are still what they were."},
                                import_fields, import_),
      make_command<MoveOptions>({.path = {"volume", "export"}, .summary = "copy a version of a volume to a datastore",
                                 .example = "volary volume export wiki@3 --to corpora:wiki-clean\n"
                                            "volary volume export wiki --to corpora:w --strategy mirror --trash old\n"
                                            "volary volume export wiki --to corpora:wiki --plan wiki.plan.json\n"
                                            "volary volume export --apply wiki.plan.json",
                                 .more = "Ctrl-C ends the watching, not the export. A mirror that would delete more "
                                         "than half of what is there asks first.\n"
                                         "What arrived is held against what was sent; the last line says how."},
                                export_fields, export_),
  };
}

}  // namespace volary
