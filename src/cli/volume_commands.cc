// cli/volume_commands.cc: `volary volume create|ls|get|update|rm`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "cli/snapshot.h"
#include "core/quantity.h"
#include "record/volume.h"

namespace volary {
namespace {

// "10 versions, 90 days, tagged"
std::string retention_text(const Retention& retention) {
  if (!retention.keep_versions && !retention.keep_days) return "all";
  std::vector<std::string> kept;
  if (retention.keep_versions) kept.push_back(fmt::format("{} versions", *retention.keep_versions));
  if (retention.keep_days) kept.push_back(fmt::format("{} days", *retention.keep_days));
  if (retention.keep_tagged.value_or(true)) kept.push_back("tagged");
  return joined(kept, ", ");
}

const std::vector<Column<Volume>>& volume_columns() {
  static const std::vector<Column<Volume>> columns = {
      {"NAME", [](const Volume& v) { return v.name; }},
      {"TYPE", [](const Volume& v) { return word_of(name_of_value(v.data_type)); }},
      {"STORAGE", [](const Volume& v) { return word_of(name_of_value(v.storage_type)); }},
      {"BUCKET", [](const Volume& v) { return v.datastore.empty() ? "-" : v.datastore + ":" + v.directory; },
       Show::wide},
      {"HEAD", [](const Volume& v) { return v.head ? std::to_string(v.head) : "-"; }},
      {"FILES", [](const Volume& v) { return std::to_string(v.files); }},
      {"USED", [](const Volume& v) { return bytes_text(v.used_bytes); }},
      {"QUOTA", [](const Volume& v) { return bytes_text(v.quota_bytes); }},
      {"TAGS", [](const Volume& v) { return or_dash(joined(v.tags, ",")); }},
      {"RESERVED", [](const Volume& v) { return bytes_text(v.reserved_bytes); }, Show::wide},
      {"CHECKSUM", [](const Volume& v) { return or_dash(v.checksum); }, Show::wide},
      {"VERSIONS", [](const Volume& v) { return std::to_string(v.versions); }, Show::wide},
      {"ALL VERSIONS", [](const Volume& v) { return bytes_text(v.versions_bytes); }, Show::wide},
      {"KEEPS", [](const Volume& v) { return retention_text(v.retention); }, Show::wide},
      {"CREATED", [](const Volume& v) { return time_text(v.created_at); }, Show::wide},
      {"BY", [](const Volume& v) { return or_dash(v.created_by); }, Show::wide},
      {"ID", [](const Volume& v) { return v.id; }, Show::wide}};
  return columns;
}

CommandField name_field(std::string& name, std::string help, Words words = Words::volumes) {
  return {.name = "NAME", .target = &name, .help = std::move(help), .need = Need::required, .words = words};
}

// What changes something prints the name, so that a script can use it; or the record, if one was asked for.
void print_changed(Session& session, const json::value& volume) {
  if (session.output().is_structured()) session.output().document(volume);
  else session.output().line(typed<Volume>(volume).name);
}

// --- create

struct CreateOptions {
  std::string name;
  std::optional<std::string> type;
  std::optional<std::string> storage;
  std::optional<std::string> bucket;
  std::optional<std::string> quota;
  std::vector<std::string> tags;
  std::optional<std::string> from_directory;
  std::optional<std::string> message;
  bool if_not_exists = false;
};

std::vector<CommandField> create_fields(CreateOptions& o) {
  return {name_field(o.name, "how it will be called: lower-case letters, digits, '-', '.', '_'", Words::anything),
          {.name = "--type", .target = &o.type, .help = "what it holds; other unless told", .value = "TYPE",
           .choices = {"model", "dataset", "other"}},
          {.name = "--storage", .target = &o.storage, .help = "where its files are kept; fs unless told",
           .value = "STORAGE", .choices = {"fs", "obs"}},
          {.name = "--bucket", .target = &o.bucket,
           .help = "with --storage obs: the datastore, and the directory in its bucket, that hold its objects",
           .value = "DATASTORE[:DIR]", .words = Words::prefixes},
          {.name = "--quota", .target = &o.quota, .help = "how large it may become; 10GiB unless told",
           .value = "SIZE"},
          {.name = "--tag", .target = &o.tags, .help = "a word to find it by; may be given again", .value = "TAG"},
          {.name = "--if-not-exists", .target = &o.if_not_exists,
           .help = "succeed if there is one of this name already"},
          {.name = "--from-dir", .target = &o.from_directory,
           .help = "its first version is this directory of the server's machine", .value = "DIR",
           .words = Words::directories},
          {.name = "-m,--message", .target = &o.message, .help = "with --from-dir: what that version is",
           .value = "TEXT"}};
}

int create(Session& session, const CreateOptions& o) {
  NewVolume volume{.name = o.name, .data_type = {}, .storage_type = {}, .quota_bytes = {}, .tags = o.tags};
  if (o.type) volume.data_type = value_named<DataType>(*o.type, "data type");
  if (o.storage) volume.storage_type = value_named<StorageType>(*o.storage, "storage type");
  if (o.bucket) {
    const size_t colon = o.bucket->find(':');
    volume.datastore = o.bucket->substr(0, colon);
    if (colon != std::string::npos) volume.directory = o.bucket->substr(colon + 1);
  }
  if (o.quota) volume.quota_bytes = parse_bytes(*o.quota, "a quota");
  const std::string path = api_path({"volumes"});
  if (o.message && !o.from_directory)
    throw Error(Errc::invalid, "--message is kept with a version, and none is made: expected --from-dir with it");
  if (o.from_directory) {
    if (o.if_not_exists)
      throw Error(Errc::invalid, "--from-dir and --if-not-exists contradict each other: give 'volary volume snapshot' "
                                 "for a volume that may be there already");
    return take_snapshot(session, o.name, {*o.from_directory, o.message, {}, volume}, Detach::no);
  }
  if (!o.if_not_exists) {
    print_changed(session, session.client().post(path, to_json(volume)));
    return 0;
  }
  const auto made = session.client().post_new(path, to_json(volume));
  if (!made) session.note(fmt::format("volume '{}' exists already: unchanged", o.name));
  print_changed(session, made ? *made : session.client().get(api_path({"volumes", o.name})));
  return 0;
}

// --- ls, get

struct ListOptions {
  std::vector<std::string> tags;
  std::optional<std::string> type;
  std::optional<std::string> search;
};

std::vector<CommandField> list_fields(ListOptions& o) {
  return {{.name = "--tag", .target = &o.tags, .help = "only with this tag; given again: with all of them",
           .value = "TAG"},
          {.name = "--type", .target = &o.type, .help = "only of this type", .value = "TYPE",
           .choices = {"model", "dataset", "other"}},
          {.name = "--search", .target = &o.search, .help = "only with this text in the name", .value = "TEXT"}};
}

int list(Session& session, const ListOptions& o) {
  Query query;
  for (const auto& tag : o.tags) query.emplace_back("tag", tag);
  if (o.type) query.emplace_back("dataType", *o.type);
  if (o.search) query.emplace_back("search", *o.search);
  session.output().list<Volume>(session.client().list(api_path({"volumes"}), query), volume_columns());
  return 0;
}

struct GetOptions {
  std::string name;
};

std::vector<CommandField> get_fields(GetOptions& o) { return {name_field(o.name, "which volume")}; }

int get(Session& session, const GetOptions& o) {
  const json::value volume = session.client().get(api_path({"volumes", o.name}));
  session.output().record<Volume>(volume, volume_columns());
  if (session.output().format() != Format::table && session.output().format() != Format::wide) return 0;
  const json::array leases = session.client().list(api_path({"volumes", o.name, "leases"}));
  if (leases.empty()) return 0;
  session.output().text("\nIn use:\n");
  session.output().list<Lease>(leases, {{"HOLDER", [](const Lease& l) { return l.holder; }},
                                        {"NAME", [](const Lease& l) { return or_dash(l.name); }},
                                        {"USER", [](const Lease& l) { return or_dash(l.user); }},
                                        {"AS", [](const Lease& l) { return l.kind; }},
                                        {"VERSION", [](const Lease& l) { return std::to_string(l.version); }},
                                        {"SINCE", [](const Lease& l) { return time_text(l.acquired_at); }}});
  return 0;
}

// --- update

struct UpdateOptions {
  std::string name;
  std::optional<std::string> quota;
  std::vector<std::string> tags;
  std::optional<std::string> keep_versions;
  std::optional<std::string> keep_days;
  bool keep_tagged = false;
  bool no_keep_tagged = false;
  bool no_tags = false;
};

std::vector<CommandField> update_fields(UpdateOptions& o) {
  return {name_field(o.name, "which volume"),
          {.name = "--quota", .target = &o.quota, .help = "how large it may become", .value = "SIZE"},
          {.name = "--tag", .target = &o.tags, .help = "its tags become these; may be given again", .value = "TAG"},
          {.name = "--no-tags", .target = &o.no_tags, .help = "it loses all tags"},
          {.name = "--keep-versions", .target = &o.keep_versions,
           .help = "older versions than the newest N go by themselves; 0: this rule ends", .value = "N"},
          {.name = "--keep-days", .target = &o.keep_days,
           .help = "versions older than N days go by themselves; 0: this rule ends; with both, what neither keeps",
           .value = "N"},
          {.name = "--keep-tagged", .target = &o.keep_tagged, .help = "versions with tags stay; they do unless told"},
          {.name = "--no-keep-tagged", .target = &o.no_keep_tagged, .help = "versions with tags may go too"}};
}

std::optional<Retention> retention_of(const UpdateOptions& o) {
  if (o.keep_tagged && o.no_keep_tagged)
    throw Error(Errc::invalid, "--keep-tagged and --no-keep-tagged contradict each other: give one");
  Retention retention;
  if (o.keep_versions) retention.keep_versions = parse_count(*o.keep_versions, "--keep-versions", 0);
  if (o.keep_days) retention.keep_days = parse_count(*o.keep_days, "--keep-days", 0);
  if (o.keep_tagged || o.no_keep_tagged) retention.keep_tagged = o.keep_tagged;
  const bool says_something = retention.keep_versions || retention.keep_days || retention.keep_tagged;
  return says_something ? std::optional(retention) : std::nullopt;
}

int update(Session& session, const UpdateOptions& o) {
  json::object change;
  if (o.quota) change["quotaBytes"] = parse_bytes(*o.quota, "a quota");
  if (!o.tags.empty() && o.no_tags) throw Error(Errc::invalid, "--tag and --no-tags contradict each other: give one");
  if (!o.tags.empty() || o.no_tags) change["tags"] = to_json(o.tags);
  if (const auto retention = retention_of(o)) change["retention"] = to_json(*retention);
  if (change.empty())
    throw Error(Errc::invalid, "nothing to change: give --quota, --tag, --no-tags, --keep-versions, --keep-days, "
                               "--keep-tagged or --no-keep-tagged");
  print_changed(session, session.client().patch(api_path({"volumes", o.name}), change));
  return 0;
}

// --- rm

struct RemoveOptions {
  std::string name;
  bool missing_ok = false;
  bool yes = false;
};

std::vector<CommandField> remove_fields(RemoveOptions& o) {
  return {name_field(o.name, "which volume"),
          {.name = "--missing-ok", .target = &o.missing_ok, .help = "succeed if there is none of this name"},
          {.name = "-y,--yes", .target = &o.yes, .help = "do not ask"}};
}

int remove(Session& session, const RemoveOptions& o) {
  const std::string path = api_path({"volumes", o.name});
  if (!o.yes) session.confirm(fmt::format("Delete volume '{}' with all its versions?", o.name), "-y");
  if (o.missing_ok) session.client().remove_if_present(path);
  else session.client().remove(path);
  if (!session.output().is_structured()) session.output().line(o.name);
  return 0;
}

}  // namespace

std::vector<Command> volume_commands() {
  return {
      make_command<CreateOptions>({.path = {"volume", "create"}, .summary = "make a volume",
                                   .example = "volary volume create wiki --type dataset --quota 50GiB --tag text\n"
                                              "volary volume create wiki --quota 50GiB --from-dir /data/wiki\n"
                                              "volary volume create wiki --storage obs --bucket corpora:wiki"},
                                  create_fields, create),
      make_command<ListOptions>({.path = {"volume", "ls"}, .aliases = {"list"}, .summary = "list volumes",
                                 .example = "volary volume ls --type dataset --tag text -o wide"},
                                list_fields, list),
      make_command<GetOptions>({.path = {"volume", "get"}, .aliases = {"describe"},
                                .summary = "show one volume and who uses it now",
                                .example = "volary volume get wiki -o json"},
                               get_fields, get),
      make_command<UpdateOptions>({.path = {"volume", "update"},
                                   .summary = "change a volume's quota, tags or which versions it keeps",
                                   .example = "volary volume update wiki --quota 100GiB --tag text --tag en\n"
                                              "volary volume update wiki --keep-versions 10 --keep-days 90"},
                                  update_fields, update),
      make_command<RemoveOptions>({.path = {"volume", "rm"}, .aliases = {"delete"},
                                   .summary = "delete a volume with all its versions",
                                   .example = "volary volume rm wiki -y"},
                                  remove_fields, remove),
  };
}

}  // namespace volary
