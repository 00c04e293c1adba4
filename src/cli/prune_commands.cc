// cli/prune_commands.cc: `volary volume delete-version|prune`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/volume.h"

namespace volary {
namespace {

const std::vector<Column<Version>>& gone_columns() {
  static const std::vector<Column<Version>> columns = {
      {"VERSION", [](const Version& v) { return fmt::format("{}@{}", v.volume, v.number); }},
      {"FILES", [](const Version& v) { return std::to_string(v.files); }},
      {"SIZE", [](const Version& v) { return bytes_text(v.bytes); }},
      {"TAGS", [](const Version& v) { return or_dash(joined(v.tags, ",")); }},
      {"CREATED", [](const Version& v) { return time_text(v.created_at); }},
      {"MESSAGE", [](const Version& v) { return or_dash(v.message); }}};
  return columns;
}

Pruned ask_prune(Session& session, const std::string& volume, const NewPrune& wanted) {
  return typed<Pruned>(session.client().post(api_path({"volumes", volume, "prune"}), to_json(wanted)));
}

void show(Session& session, const std::vector<Pruned>& all) {
  Output& output = session.output();
  if (output.is_structured()) return output.document(all.size() == 1 ? to_json(all.front()) : to_json(all));
  json::array gone;
  for (const Pruned& one : all)
    for (const Version& version : one.versions) gone.push_back(to_json(version));
  if (!gone.empty()) output.list<Version>(gone, gone_columns());
  for (const Pruned& one : all) {
    session.note(fmt::format("{}: {}{} version{}", one.volume, one.dry_run ? "would delete " : "deleted ",
                             one.versions.size(), one.versions.size() == 1 ? "" : "s"));
    if (one.held > 0) session.note(fmt::format("{}: {} more stay while somebody uses them", one.volume, one.held));
  }
}

// --- delete-version

struct DeleteOptions {
  std::vector<std::string> versions;
  bool tagged = false;
  bool dry_run = false;
  bool yes = false;
};

std::vector<CommandField> delete_fields(DeleteOptions& o) {
  return {{.name = "NAME@VERSION", .target = &o.versions,
           .help = "which; several of one volume go together or not at all",
           .need = Need::required, .words = Words::volumes},
          {.name = "--tagged", .target = &o.tagged, .help = "even those with tags"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only show what would go"},
          {.name = "-y,--yes", .target = &o.yes, .help = "do not ask"}};
}

int delete_versions(Session& session, const DeleteOptions& o) {
  NewPrune wanted{.versions = {}, .tagged = o.tagged, .dry_run = o.dry_run};
  std::string name;
  for (const std::string& text : o.versions) {
    const VolumeReference version = parse_volume_reference(text);
    if (version.version.empty())
      throw Error(Errc::invalid, "'{}' names no version: expected NAME@VERSION, such as '{}@3'", text, version.name);
    if (!name.empty() && version.name != name)
      throw Error(Errc::invalid, "'{}' and '{}' are versions of different volumes: expected those of one",
                  o.versions.front(), text);
    name = version.name;
    wanted.versions.push_back(version.version);
  }
  if (!o.yes && !o.dry_run) session.confirm(fmt::format("Delete {}?", joined(o.versions, ", ")), "-y");
  show(session, {ask_prune(session, name, wanted)});
  return 0;
}

// --- prune

struct PruneOptions {
  std::optional<std::string> volume;
  bool all = false;
  bool dry_run = false;
};

std::vector<CommandField> prune_fields(PruneOptions& o) {
  return {{.name = "NAME", .target = &o.volume, .help = "which volume", .words = Words::volumes},
          {.name = "--all", .target = &o.all, .help = "all volumes of the project"},
          {.name = "--dry-run", .target = &o.dry_run, .help = "only show what would go"}};
}

int prune(Session& session, const PruneOptions& o) {
  if (o.volume.has_value() == o.all) throw Error(Errc::invalid, "expected the name of a volume, or --all");
  const NewPrune wanted{.versions = {}, .tagged = false, .dry_run = o.dry_run};
  std::vector<Pruned> all;
  if (o.volume) {
    all.push_back(ask_prune(session, parse_volume_reference(*o.volume).name, wanted));
    const auto volume = typed<Volume>(session.client().get(api_path({"volumes", *o.volume})));
    if (!volume.retention.keep_versions && !volume.retention.keep_days)
      session.note(fmt::format("volume '{}' keeps all versions: give it a rule by 'volary volume update {} "
                               "--keep-versions N' or '--keep-days D'",
                               volume.name, volume.name));
  } else {
    for (const json::value& item : session.client().list(api_path({"volumes"}))) {
      Pruned one = ask_prune(session, typed<Volume>(item).name, wanted);
      if (!one.versions.empty() || one.held > 0) all.push_back(std::move(one));
    }
  }
  show(session, all);
  return 0;
}

}  // namespace

std::vector<Command> prune_commands() {
  return {
      make_command<DeleteOptions>({.path = {"volume", "delete-version"}, .aliases = {"rm-version"},
                                   .summary = "delete versions of a volume",
                                   .example = "volary volume delete-version wiki@3 wiki@4 --dry-run\n"
                                              "volary volume delete-version wiki@3 wiki@4 -y",
                                   .more = "The newest version and those that somebody uses cannot be deleted. Their "
                                           "numbers are never given again."},
                                  delete_fields, delete_versions),
      make_command<PruneOptions>({.path = {"volume", "prune"},
                                  .summary = "delete the versions that a volume's rule lets go",
                                  .example = "volary volume prune wiki --dry-run\nvolary volume prune --all",
                                  .more = "The server does the same each day by itself."},
                                 prune_fields, prune),
  };
}

}  // namespace volary
