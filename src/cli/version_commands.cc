// cli/version_commands.cc: `volary volume versions|leases|verify|tag`.
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
};

std::vector<CommandField> tag_fields(TagOptions& o) {
  return {{.name = "NAME@VERSION", .target = &o.volume, .help = "which version", .need = Need::required,
           .words = Words::volumes},
          {.name = "TAG", .target = &o.tag,
           .help = "the name that this version gets; another's of this volume moves here",
           .need = Need::required}};
}

int tag(Session& session, const TagOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  if (volume.version.empty())
    throw Error(Errc::invalid, "'{}' names no version: expected NAME@VERSION, such as '{}@3' or '{}@head'", o.volume,
                volume.name, volume.name);
  session.client().put(api_path({"volumes", volume.name, "versions", volume.version, "tags", o.tag}));
  if (!session.output().is_structured()) session.output().line(volume.name + "@" + o.tag);
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
      make_command<TagOptions>({.path = {"volume", "tag"}, .summary = "give a version a name",
                                .example = "volary volume tag wiki@3 release-2026"},
                               tag_fields, tag),
  };
}

}  // namespace volary
