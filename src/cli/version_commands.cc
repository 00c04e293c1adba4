// cli/version_commands.cc: `volary volume versions|leases|verify|tag|restore|clone`.
#include <algorithm>

#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/volume.h"

namespace volary {
namespace {

const std::vector<Column<Version>>& version_columns() {
  static const std::vector<Column<Version>> columns = {
      {"VERSION", [](const Version& v) { return std::to_string(v.number); }},
      {"FILES", [](const Version& v) { return std::to_string(v.files); }},
      {"SIZE", [](const Version& v) { return bytes_text(v.bytes); }},
      {"CHECKSUM", [](const Version& v) { return short_digest(v.checksum); }},
      {"TAGS", [](const Version& v) { return or_dash(joined(v.tags, ",")); }},
      {"ORIGIN", [](const Version& v) { return word_of(name_of_value(v.origin)); }},
      {"AUTHOR", [](const Version& v) { return or_dash(v.author); }},
      {"CREATED", [](const Version& v) { return time_text(v.created_at); }},
      {"MESSAGE", [](const Version& v) { return or_dash(v.message); }},
      {"FROM", [](const Version& v) { return or_dash(v.origin_id); }, Show::wide},
      {"WHOLE CHECKSUM", [](const Version& v) { return or_dash(v.checksum); }, Show::wide},
      {"TREE", [](const Version& v) { return or_dash(v.tree); }, Show::wide}};
  return columns;
}

const std::vector<Column<Lease>>& lease_columns() {
  static const std::vector<Column<Lease>> columns = {
      {"HOLDER", [](const Lease& lease) { return lease.holder; }},
      {"NAME", [](const Lease& lease) { return or_dash(lease.name); }},
      {"USER", [](const Lease& lease) { return or_dash(lease.user); }},
      {"KIND", [](const Lease& lease) { return lease.kind; }},
      {"VERSION", [](const Lease& lease) { return std::to_string(lease.version); }},
      {"SINCE", [](const Lease& lease) { return time_text(lease.acquired_at); }},
      {"EPOCH", [](const Lease& lease) { return std::to_string(lease.epoch); }, Show::wide},
      {"ID", [](const Lease& lease) { return lease.id; }, Show::wide}};
  return columns;
}

struct LeasesOptions {
  std::string volume;
};

std::vector<CommandField> leases_fields(LeasesOptions& o) {
  return {{.name = "NAME", .target = &o.volume, .help = "which volume", .need = Need::required,
           .words = Words::volumes}};
}

int leases(Session& session, const LeasesOptions& o) {
  const std::string name = parse_volume_reference(o.volume).name;
  session.output().list<Lease>(session.client().list(api_path({"volumes", name, "leases"})), lease_columns());
  return 0;
}

struct VersionsOptions {
  std::string volume;
};

std::vector<CommandField> versions_fields(VersionsOptions& o) {
  return {{.name = "NAME[@VERSION]", .target = &o.volume, .help = "which volume; with a version, that one alone",
           .need = Need::required, .words = Words::volumes}};
}

int versions(Session& session, const VersionsOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  if (volume.version.empty())
    session.output().list<Version>(session.client().list(api_path({"volumes", volume.name, "versions"})),
                                   version_columns());
  else
    session.output().record<Version>(
        session.client().get(api_path({"volumes", volume.name, "versions", volume.version})), version_columns());
  return 0;
}

struct VerifyOptions {
  std::string volume;
};

std::vector<CommandField> verify_fields(VerifyOptions& o) {
  return {{.name = "NAME[@VERSION]", .target = &o.volume, .help = "which volume; its newest version unless told",
           .need = Need::required, .words = Words::volumes}};
}

int verify(Session& session, const VerifyOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  Query query;
  if (!volume.version.empty()) query.emplace_back("version", volume.version);
  const json::value answer = session.client().get(api_path({"volumes", volume.name, "verification"}), query,
                                                  Patience::endless);  // It reads every byte.
  session.output().record<Verification>(
      answer, {{"VERSION", [](const Verification& v) { return fmt::format("{}@{}", v.volume, v.number); }},
               {"CHECKSUM", [](const Verification& v) { return v.checksum; }},
               {"FILES", [](const Verification& v) { return std::to_string(v.files); }},
               {"SIZE", [](const Verification& v) { return bytes_text(v.bytes); }},
               {"WHOLE", [](const Verification& v) { return v.whole ? "yes" : "no"; }}});
  const auto verification = typed<Verification>(answer);
  for (const auto& damage : verification.damaged) session.note("damaged: " + damage);
  if (!verification.whole)
    throw Error(Errc::corrupt, "version {} of volume '{}' is damaged: import it again", verification.number,
                verification.volume);
  return 0;
}

struct TagOptions {
  std::string volume;
  std::string tag;
  bool remove = false;
};

std::vector<CommandField> tag_fields(TagOptions& o) {
  return {{.name = "NAME@VERSION", .target = &o.volume, .help = "which version; to remove a tag, NAME alone will do",
           .need = Need::required, .words = Words::volumes},
          {.name = "TAG", .target = &o.tag,
           .help = "the name that this version gets; another's of this volume moves here",
           .need = Need::required},
          {.name = "--remove", .target = &o.remove, .help = "take the name away instead"}};
}

VolumeReference parse_version_reference(const std::string& text) {
  VolumeReference volume = parse_volume_reference(text);
  if (volume.version.empty())
    throw Error(Errc::invalid, "'{}' names no version: expected NAME@VERSION, such as '{}@3' or '{}@head'", text,
                volume.name, volume.name);
  return volume;
}

int remove_tag(Session& session, const TagOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  if (!volume.version.empty()) {
    const auto version = typed<Version>(
        session.client().get(api_path({"volumes", volume.name, "versions", volume.version})));
    if (std::find(version.tags.begin(), version.tags.end(), o.tag) == version.tags.end())
      throw Error(Errc::not_found, "version {} of volume '{}' does not have the tag '{}'", version.number, volume.name,
                  o.tag);
  }
  session.client().remove(api_path({"volumes", volume.name, "tags", o.tag}));
  if (!session.output().is_structured()) session.output().line(o.tag);
  return 0;
}

int tag(Session& session, const TagOptions& o) {
  if (o.remove) return remove_tag(session, o);
  const VolumeReference volume = parse_version_reference(o.volume);
  session.client().put(api_path({"volumes", volume.name, "versions", volume.version, "tags", o.tag}));
  if (!session.output().is_structured()) session.output().line(volume.name + "@" + o.tag);
  return 0;
}

// --- restore, clone

struct RestoreOptions {
  std::string volume;
  std::optional<std::string> message;
};

std::vector<CommandField> restore_fields(RestoreOptions& o) {
  return {{.name = "NAME@VERSION", .target = &o.volume, .help = "which version", .need = Need::required,
           .words = Words::volumes},
          {.name = "-m,--message", .target = &o.message, .help = "why; kept with the new version", .value = "TEXT"}};
}

int restore(Session& session, const RestoreOptions& o) {
  const VolumeReference volume = parse_version_reference(o.volume);
  const json::value made = session.client().post(api_path({"volumes", volume.name, "restore"}),
                                                 to_json(NewRestore{volume.version, o.message}));
  if (session.output().is_structured()) session.output().document(made);
  else session.output().line(fmt::format("{}@{}", volume.name, typed<Version>(made).number));
  return 0;
}

struct CloneOptions {
  std::string source;
  std::string name;
  std::optional<std::string> quota;
  std::optional<std::string> message;
};

std::vector<CommandField> clone_fields(CloneOptions& o) {
  return {{.name = "[PROJECT/]NAME[@VERSION]", .target = &o.source,
           .help = "which volume; its newest version unless told", .need = Need::required, .words = Words::volumes},
          {.name = "[PROJECT/]NEW", .target = &o.name, .help = "how the new volume will be called",
           .need = Need::required},
          {.name = "--quota", .target = &o.quota, .help = "how large it may become; as the other unless told",
           .value = "SIZE"},
          {.name = "-m,--message", .target = &o.message, .help = "kept with its first version", .value = "TEXT"}};
}

int clone(Session& session, const CloneOptions& o) {
  const VolumePlace source = parse_volume_place(o.source);
  const VolumePlace target = parse_volume_place(o.name);
  if (!target.volume.version.empty())
    throw Error(Errc::invalid, "'{}' names a version, but a clone begins a new volume: give '{}'", o.name,
                target.volume.name);
  NewClone wanted;
  wanted.name = target.volume.name;
  if (!source.volume.version.empty()) wanted.version = source.volume.version;
  if (o.quota) wanted.quota_bytes = parse_bytes(*o.quota, "a quota");
  wanted.message = o.message;
  if (!target.project.empty()) wanted.project = target.project;
  else if (!source.project.empty())
    wanted.project = std::string(session.client().get(api_path({"me"})).as_object().at("project").as_string());
  Client client = source.project.empty() ? session.client() : session.client().in_project(source.project);
  const json::value made = client.post(api_path({"volumes", source.volume.name, "clones"}), to_json(wanted));
  if (session.output().is_structured()) session.output().document(made);
  else session.output().line(typed<Volume>(made).name + "@1");
  return 0;
}

}  // namespace

std::vector<Command> version_commands() {
  return {
      make_command<VersionsOptions>({.path = {"volume", "versions"}, .summary = "list a volume's versions",
                                     .example = "volary volume versions wiki\nvolary volume versions wiki@v3 -o yaml"},
                                    versions_fields, versions),
      make_command<LeasesOptions>({.path = {"volume", "leases"}, .summary = "show who uses a volume, and how",
                                   .example = "volary volume leases wiki"},
                                  leases_fields, leases),
      make_command<VerifyOptions>({.path = {"volume", "verify"},
                                   .summary = "read every byte of a version and compare it with its checksum",
                                   .example = "volary volume verify wiki@3",
                                   .more = "Exits with 9 if anything is damaged."},
                                  verify_fields, verify),
      make_command<TagOptions>({.path = {"volume", "tag"}, .summary = "give a version a name, or take it away",
                                .example = "volary volume tag wiki@3 release-2026\n"
                                           "volary volume tag wiki release-2026 --remove"},
                               tag_fields, tag),
      make_command<RestoreOptions>({.path = {"volume", "restore"},
                                    .summary = "make the content of an old version the newest version",
                                    .example = "volary volume restore wiki@3 --message 'the new dump is broken'",
                                    .more = "Refused while somebody writes the volume. Copies no bytes."},
                                   restore_fields, restore),
      make_command<CloneOptions>({.path = {"volume", "clone"}, .summary = "make a new volume of a version",
                                  .example = "volary volume clone wiki@3 wiki-experiment\n"
                                             "volary volume clone team-a/wiki team-b/wiki",
                                  .more = "Copies no bytes; counts against the quota of the project it goes to. Names "
                                          "without a project are looked for in the one of --project."},
                                 clone_fields, clone),
  };
}

}  // namespace volary
