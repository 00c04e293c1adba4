// cli/volume_commands.cc: `volary volume create|ls|get|update|rm|files`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "record/volume.h"

namespace volary {
namespace {

const std::vector<Column<Volume>>& volume_columns() {
  static const std::vector<Column<Volume>> columns = {
      {"NAME", [](const Volume& v) { return v.name; }},
      {"TYPE", [](const Volume& v) { return word_of(name_of_value(v.data_type)); }},
      {"STORAGE", [](const Volume& v) { return word_of(name_of_value(v.storage_type)); }},
      {"HEAD", [](const Volume& v) { return v.head ? std::to_string(v.head) : "-"; }},
      {"FILES", [](const Volume& v) { return std::to_string(v.files); }},
      {"USED", [](const Volume& v) { return bytes_text(v.used_bytes); }},
      {"QUOTA", [](const Volume& v) { return bytes_text(v.quota_bytes); }},
      {"TAGS", [](const Volume& v) { return or_dash(joined(v.tags, ",")); }},
      {"RESERVED", [](const Volume& v) { return bytes_text(v.reserved_bytes); }, Show::wide},
      {"CHECKSUM", [](const Volume& v) { return or_dash(v.checksum); }, Show::wide},
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
  std::optional<std::string> quota;
  std::vector<std::string> tags;
  bool if_not_exists = false;
};

std::vector<CommandField> create_fields(CreateOptions& o) {
  return {name_field(o.name, "how it will be called: lower-case letters, digits, '-', '.', '_'", Words::anything),
          {.name = "--type", .target = &o.type, .help = "what it holds; other unless told", .value = "TYPE",
           .choices = {"model", "dataset", "other"}},
          {.name = "--storage", .target = &o.storage, .help = "where its files are kept; fs unless told",
           .value = "STORAGE", .choices = {"fs", "obs"}},
          {.name = "--quota", .target = &o.quota, .help = "how large it may become; 10GiB unless told",
           .value = "SIZE"},
          {.name = "--tag", .target = &o.tags, .help = "a word to find it by; may be given again", .value = "TAG"},
          {.name = "--if-not-exists", .target = &o.if_not_exists,
           .help = "succeed if there is one of this name already"}};
}

int create(Session& session, const CreateOptions& o) {
  NewVolume volume{.name = o.name, .data_type = {}, .storage_type = {}, .quota_bytes = {}, .tags = o.tags};
  if (o.type) volume.data_type = value_named<DataType>(*o.type, "data type");
  if (o.storage) volume.storage_type = value_named<StorageType>(*o.storage, "storage type");
  if (o.quota) volume.quota_bytes = parse_bytes(*o.quota, "a quota");
  const std::string path = api_path({"volumes"});
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
  bool no_tags = false;
};

std::vector<CommandField> update_fields(UpdateOptions& o) {
  return {name_field(o.name, "which volume"),
          {.name = "--quota", .target = &o.quota, .help = "how large it may become", .value = "SIZE"},
          {.name = "--tag", .target = &o.tags, .help = "its tags become these; may be given again", .value = "TAG"},
          {.name = "--no-tags", .target = &o.no_tags, .help = "it loses all tags"}};
}

int update(Session& session, const UpdateOptions& o) {
  json::object change;
  if (o.quota) change["quotaBytes"] = parse_bytes(*o.quota, "a quota");
  if (!o.tags.empty() && o.no_tags) throw Error(Errc::invalid, "--tag and --no-tags contradict each other: give one");
  if (!o.tags.empty() || o.no_tags) change["tags"] = to_json(o.tags);
  if (change.empty()) throw Error(Errc::invalid, "nothing to change: give --quota, --tag or --no-tags");
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

// --- files

struct FilesOptions {
  std::string volume;
  std::optional<std::string> directory;
  bool with_details = false;
};

std::vector<CommandField> files_fields(FilesOptions& o) {
  return {{.name = "NAME[@VERSION]", .target = &o.volume, .help = "which volume; its newest version unless told",
           .need = Need::required, .words = Words::volumes},
          {.name = "-l,--long", .target = &o.with_details, .help = "with kind, size and digest"},
          {.name = "--directory", .target = &o.directory, .help = "only what is below it", .value = "DIR"}};
}

std::string long_line(const FileEntry& file) {
  const char kind = file.kind == "directory" ? 'd' : file.kind == "symlink" ? 'l' : file.executable ? 'x' : '-';
  const std::string size = file.kind == "file" ? std::to_string(file.size) : "-";
  const std::string arrow = file.target.empty() ? "" : " -> " + printable(file.target);
  return fmt::format("{} {:>14}  {:12}  {}{}", kind, size, short_digest(file.digest), printable(file.path), arrow);
}

int files(Session& session, const FilesOptions& o) {
  const VolumeReference volume = parse_volume_reference(o.volume);
  Query query;
  if (!volume.version.empty()) query.emplace_back("version", volume.version);
  if (o.directory) query.emplace_back("directory", *o.directory);
  const std::string path = api_path({"volumes", volume.name, "files"});
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(session.client().list(path, query));
    return 0;
  }
  const bool is_long = o.with_details || output.format() == Format::wide;
  session.client().each_page(path, query, [&](const json::array& page) {  // A page at a time: there may be very many.
    std::string lines;
    for (const json::value& item : page) {
      const auto file = typed<FileEntry>(item);
      lines += (is_long ? long_line(file) : printable(file.path)) + "\n";
    }
    output.text(lines);
  });
  return 0;
}

}  // namespace

std::vector<Command> volume_commands() {
  return {
      make_command<CreateOptions>({.path = {"volume", "create"}, .summary = "make an empty volume",
                                   .example = "volary volume create wiki --type dataset --quota 50GiB --tag text"},
                                  create_fields, create),
      make_command<ListOptions>({.path = {"volume", "ls"}, .aliases = {"list"}, .summary = "list volumes",
                                 .example = "volary volume ls --type dataset --tag text -o wide"},
                                list_fields, list),
      make_command<GetOptions>({.path = {"volume", "get"}, .aliases = {"describe"},
                                .summary = "show one volume and who uses it now",
                                .example = "volary volume get wiki -o json"},
                               get_fields, get),
      make_command<UpdateOptions>({.path = {"volume", "update"}, .summary = "change a volume's quota or tags",
                                   .example = "volary volume update wiki --quota 100GiB --tag text --tag en"},
                                  update_fields, update),
      make_command<RemoveOptions>({.path = {"volume", "rm"}, .aliases = {"delete"},
                                   .summary = "delete a volume with all its versions",
                                   .example = "volary volume rm wiki -y"},
                                  remove_fields, remove),
      make_command<FilesOptions>({.path = {"volume", "files"}, .summary = "list the files of a version",
                                  .example = "volary volume files -l wiki@3 --directory train"},
                                 files_fields, files),
  };
}

}  // namespace volary
