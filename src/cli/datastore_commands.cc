// cli/datastore_commands.cc: `volary datastore add directory|s3|hf, ls, get, rm`.
#include "cli/command.h"
#include "cli/session.h"
#include "record/datastore.h"

namespace volary {
namespace {

std::string where_is(const Datastore& store) {
  switch (store.kind) {
    case DatastoreKind::directory: return store.path;
    case DatastoreKind::s3: return store.bucket.empty() ? store.endpoint : store.endpoint + "/" + store.bucket;
    case DatastoreKind::hugging_face:
      return fmt::format("{}/{}{}@{}", store.endpoint,
                         store.repository_type == RepositoryType::model
                             ? ""
                             : word_of(name_of_value(store.repository_type)) + "s/",
                         store.repository, store.revision);
  }
  return "";
}

const std::vector<Column<Datastore>>& datastore_columns() {
  static const std::vector<Column<Datastore>> columns = {
      {"NAME", [](const Datastore& d) { return d.name; }},
      {"KIND", [](const Datastore& d) { return word_of(name_of_value(d.kind)); }},
      {"WHERE", where_is},
      {"REGION", [](const Datastore& d) { return or_dash(d.region); }},
      {"SECRET", [](const Datastore& d) { return or_dash(d.secret); }},
      {"URL STYLE", [](const Datastore& d) {
         return d.kind == DatastoreKind::s3 ? word_of(name_of_value(d.url_style)) : "-";
       }, Show::wide},
      {"CREATED", [](const Datastore& d) { return time_text(d.created_at); }, Show::wide},
      {"ID", [](const Datastore& d) { return d.id; }, Show::wide}};
  return columns;
}

int add(Session& session, const NewDatastore& store) {
  const json::value answer = session.client().post(api_path({"datastores"}), to_json(store));
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(store.name);
  return 0;
}

struct DirectoryOptions {
  std::string name;
  std::string path;
};

std::vector<CommandField> directory_fields(DirectoryOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required},
          {.name = "PATH", .target = &o.path, .help = "the directory, on the server's machine", .need = Need::required,
           .words = Words::directories}};
}

int add_directory(Session& session, const DirectoryOptions& o) {
  Path path = o.path;
  if (path.is_relative()) {
    if (!session.client().is_local())
      throw Error(Errc::invalid, "'{}' is relative, but {} is another machine: give an absolute path there", o.path,
                  session.client().endpoint().name);
    path = std::filesystem::current_path() / path;
  }
  NewDatastore store;
  store.name = o.name;
  store.kind = DatastoreKind::directory;
  store.path = path.lexically_normal().string();
  while (store.path->size() > 1 && store.path->ends_with('/')) store.path->pop_back();
  return add(session, store);
}

struct S3Options {
  std::string name;
  std::string endpoint;
  std::optional<std::string> bucket;
  std::optional<std::string> region;
  std::optional<std::string> secret;
  std::optional<std::string> url_style;
};

std::vector<CommandField> s3_fields(S3Options& o) {
  return {{.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required},
          {.name = "--endpoint", .target = &o.endpoint, .help = "where the object store answers",
           .value = "URL", .need = Need::required},
          {.name = "--bucket", .target = &o.bucket, .help = "only this bucket; all of the endpoint's unless told",
           .value = "BUCKET"},
          {.name = "--region", .target = &o.region, .help = "us-east-1 unless told", .value = "REGION"},
          {.name = "--secret", .target = &o.secret, .help = "the secret with its keys; anonymous unless told",
           .value = "NAME", .words = Words::secrets},
          {.name = "--url-style", .target = &o.url_style, .help = "how the bucket is named in URLs; path unless told",
           .value = "STYLE", .choices = {"path", "virtual_host"}}};
}

int add_s3(Session& session, const S3Options& o) {
  NewDatastore store;
  store.name = o.name;
  store.kind = DatastoreKind::s3;
  store.endpoint = o.endpoint;
  store.bucket = o.bucket;
  store.region = o.region;
  store.secret = o.secret;
  if (o.url_style) store.url_style = value_named<UrlStyle>(*o.url_style, "URL style");
  return add(session, store);
}

struct HubOptions {
  std::string name;
  std::string repository;
  std::optional<std::string> type;
  std::optional<std::string> revision;
  std::optional<std::string> endpoint;
  std::optional<std::string> secret;
};

std::vector<CommandField> hub_fields(HubOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required},
          {.name = "REPOSITORY", .target = &o.repository, .help = "ORGANISATION/NAME on the hub",
           .need = Need::required},
          {.name = "--type", .target = &o.type, .help = "what it is on the hub; model unless told", .value = "TYPE",
           .choices = {"model", "dataset", "space"}},
          {.name = "--revision", .target = &o.revision, .help = "a branch, tag or commit; main unless told",
           .value = "REVISION"},
          {.name = "--endpoint", .target = &o.endpoint, .help = "another hub than https://huggingface.co",
           .value = "URL"},
          {.name = "--secret", .target = &o.secret, .help = "the secret with its token; anonymous unless told",
           .value = "NAME", .words = Words::secrets}};
}

int add_hub(Session& session, const HubOptions& o) {
  NewDatastore store;
  store.name = o.name;
  store.kind = DatastoreKind::hugging_face;
  store.repository = o.repository;
  store.revision = o.revision;
  store.endpoint = o.endpoint;
  store.secret = o.secret;
  if (o.type) store.repository_type = value_named<RepositoryType>(*o.type, "repository type");
  return add(session, store);
}

struct NoOptions {};

int list(Session& session, const NoOptions&) {
  session.output().list<Datastore>(session.client().list(api_path({"datastores"})), datastore_columns());
  return 0;
}

struct OneOptions {
  std::string name;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "which datastore", .need = Need::required,
           .words = Words::datastores}};
}

int get(Session& session, const OneOptions& o) {
  session.output().record<Datastore>(session.client().get(api_path({"datastores", o.name})), datastore_columns());
  return 0;
}

int remove(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"datastores", o.name}));
  if (!session.output().is_structured()) session.output().line(o.name);
  return 0;
}

}  // namespace

std::vector<Command> datastore_commands() {
  return {
      make_command<DirectoryOptions>({.path = {"datastore", "add", "directory"},
                                      .summary = "name a directory of the server's machine",
                                      .example = "volary datastore add directory mine /srv/data"},
                                     directory_fields, add_directory),
      make_command<S3Options>({.path = {"datastore", "add", "s3"}, .summary = "name an S3 store, or a bucket of it",
                               .example = "volary datastore add s3 corpora --endpoint https://s3.example.org "
                                          "--bucket corpora --secret s3-keys\n"
                                          "volary datastore add s3 gra --endpoint https://s3.gra.io.cloud.ovh.net "
                                          "--region gra --secret s3-keys",
                               .more = "Without a bucket its objects are BUCKET/KEY: 'volary volume import wiki "
                                       "--from gra:corpora/wiki'."},
                              s3_fields, add_s3),
      make_command<HubOptions>({.path = {"datastore", "add", "hf"},
                                .summary = "name a repository of a Hugging Face hub",
                                .example = "volary datastore add hf gsm8k openai/gsm8k --type dataset\n"
                                           "volary secret create hub --from-env HF_TOKEN\n"
                                           "volary datastore add hf llama meta-llama/Llama-3.2-1B --secret hub"},
                               hub_fields, add_hub),
      make_command<NoOptions>({.path = {"datastore", "ls"}, .aliases = {"list"}, .summary = "list datastores",
                               .example = "volary datastore ls"},
                              [](NoOptions&) { return std::vector<CommandField>(); }, list),
      make_command<OneOptions>({.path = {"datastore", "get"}, .aliases = {"describe"}, .summary = "show one datastore",
                                .example = "volary datastore get corpora -o yaml"},
                               one_fields, get),
      make_command<OneOptions>({.path = {"datastore", "rm"}, .aliases = {"delete"},
                                .summary = "forget a datastore; what it holds stays",
                                .example = "volary datastore rm corpora"},
                               one_fields, remove),
  };
}

}  // namespace volary
