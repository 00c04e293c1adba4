// cli/datastore_add_commands.cc: `volary datastore add directory|s3|swift|hf|http|git`.
//
// Keys come from a secret that is there, or from the environment, standard input or a terminal: then a secret of the
// datastore's own name is made for them. Never from words.
#include "cli/command.h"
#include "cli/datastore_environment.h"
#include "cli/session.h"
#include "record/datastore.h"
#include "remote/retry.h"

namespace volary {
namespace {

struct SharedOptions {
  std::string name{};
  std::optional<std::string> secret{};
  bool from_env = false;
  bool secret_from_stdin = false;
  bool ask_secret = false;
  std::optional<std::string> proxy{};
  std::optional<std::string> no_proxy{};
};

CommandField name_field(SharedOptions& o) {
  return {.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required};
}

void add_shared_fields(std::vector<CommandField>& fields, SharedOptions& o, std::string what_env,
                       std::string what_secret) {
  fields.push_back({.name = "--secret", .target = &o.secret, .help = what_secret + "; anonymous unless told",
                    .value = "NAME", .words = Words::secrets});
  fields.push_back({.name = "--from-env", .target = &o.from_env, .help = "as the environment says: " + what_env});
  fields.push_back({.name = "--secret-from-stdin", .target = &o.secret_from_stdin,
                    .help = "make a secret of the lines KEY=VALUE on the standard input"});
  fields.push_back({.name = "--ask-secret", .target = &o.ask_secret, .help = "make a secret of what you type"});
  fields.push_back({.name = "--proxy", .target = &o.proxy, .help = "the server reaches it through this",
                    .value = "URL"});
  fields.push_back({.name = "--no-proxy", .target = &o.no_proxy,
                    .help = "hosts that are reached without the proxy, between commas", .value = "HOSTS"});
}

// How many options say where the keys are.
int key_sources(const SharedOptions& o) { return o.secret.has_value() + o.secret_from_stdin + o.ask_secret; }

void check_sources(const SharedOptions& o) {
  if (key_sources(o) > 1)
    throw Error(Errc::invalid, "--secret, --secret-from-stdin and --ask-secret contradict each other: give one");
}

// What is asked for on a terminal, and what the environment said.
SecretValues values_of(Session& session, const SharedOptions& o, const std::vector<AskedValue>& asked,
                       const SecretValues& environment) {
  if (o.secret) return {};
  if (o.secret_from_stdin) return parse_secret_values(read_standard_input(), "the standard input");
  if (!o.ask_secret) return environment;
  if (!session.can_ask())
    throw Error(Errc::invalid, "there is no terminal to ask on: give --from-env or --secret-from-stdin");
  return ask_secret_values(asked);
}

// Both or neither: a secret that nothing refers to would be in the way of the next attempt.
int add(Session& session, NewDatastore store, const SharedOptions& o, const SecretValues& values) {
  store.name = o.name;
  store.secret = o.secret;
  if (o.proxy) store.proxy = o.proxy;
  if (o.no_proxy) store.no_proxy = o.no_proxy;
  if (o.from_env && !store.proxy && store.endpoint) {
    const ProxyEnvironment found = proxy_environment(*store.endpoint, real_surroundings().variable);
    store.proxy = found.proxy;
    if (!store.no_proxy) store.no_proxy = found.no_proxy;
  }
  Client& client = session.client();
  if (!values.empty()) {
    client.post(api_path({"secrets"}), to_json(NewSecret{.name = o.name, .values = values}));
    store.secret = o.name;
  }
  json::value answer;
  const auto error = error_of([&] { answer = client.post(api_path({"datastores"}), to_json(store)); });
  if (error) {
    if (!values.empty()) (void)error_of([&] { client.remove(api_path({"secrets", o.name})); });
    throw Error(*error);
  }
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(store.name);
  return 0;
}

// --- directory

struct DirectoryOptions {
  std::string name;
  std::string path;
};

std::vector<CommandField> directory_fields(DirectoryOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required},
          {.name = "PATH", .target = &o.path,
           .help = "the directory, on the server's machine; over TCP only below what 'volary server "
                   "--datastores-below' opens",
           .need = Need::required, .words = Words::directories}};
}

int add_directory(Session& session, const DirectoryOptions& o) {
  Path path = o.path;
  if (path.is_relative()) {
    if (!session.client().is_local())
      throw Error(Errc::invalid, "'{}' is relative, but {} is another machine: give an absolute path there", o.path,
                  session.client().endpoint().name);
    path = std::filesystem::current_path() / path;
  }
  NewDatastore store{.kind = DatastoreKind::directory, .path = path.lexically_normal().string()};
  while (store.path->size() > 1 && store.path->ends_with('/')) store.path->pop_back();
  return add(session, std::move(store), {.name = o.name}, {});
}

// --- s3

struct S3AddOptions : SharedOptions {
  std::vector<std::string> words;  // ENDPOINT REGION, as other tools have them, and what is refused.
  std::optional<std::string> endpoint;
  std::optional<std::string> bucket;
  std::optional<std::string> region;
  std::optional<std::string> url_style;
};

std::vector<CommandField> s3_fields(S3AddOptions& o) {
  std::vector<CommandField> fields = {
      name_field(o),
      {.name = "WORD", .target = &o.words, .help = "ENDPOINT and REGION, instead of the options"},
      {.name = "--endpoint", .target = &o.endpoint,
       .help = "where the object store answers; AWS in the region unless told", .value = "URL"},
      {.name = "--bucket", .target = &o.bucket, .help = "only this bucket; all of the endpoint's unless told",
       .value = "BUCKET"},
      {.name = "--region", .target = &o.region, .help = "us-east-1 unless told", .value = "REGION"},
      {.name = "--url-style", .target = &o.url_style, .help = "how the bucket is named in URLs; path unless told",
       .value = "STYLE", .choices = {"path", "virtual_host"}}};
  add_shared_fields(fields, o, "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION, proxies",
                    "the secret with its keys");
  return fields;
}

// The words are not repeated in the message: they may be keys.
void check_words(const S3AddOptions& o) {
  if (o.words.size() <= 2) return;
  throw Error(Errc::invalid,
              "{} words too many after ENDPOINT and REGION: keys are never given as words, which everybody on this "
              "machine can see in the list of processes and the shell keeps in its history. Expected --from-env with "
              "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set, --secret-from-stdin, --ask-secret, or --secret NAME. "
              "If these were keys, replace them: they have been seen", o.words.size() - 2);
}

int add_s3(Session& session, const S3AddOptions& o) {
  check_sources(o);
  check_words(o);
  if ((!o.words.empty() && o.endpoint) || (o.words.size() > 1 && o.region))
    throw Error(Errc::invalid, "the endpoint or region is given twice: as a word and as an option");
  const StoreEnvironment environment =
      o.from_env ? s3_environment(real_surroundings().variable) : StoreEnvironment{};
  NewDatastore store{.kind = DatastoreKind::s3};
  store.endpoint = o.words.empty() ? o.endpoint : std::optional(o.words[0]);
  store.region = o.words.size() < 2 ? o.region : std::optional(o.words[1]);
  if (!store.endpoint) store.endpoint = environment.endpoint;
  if (!store.region) store.region = environment.region;
  if (!store.endpoint)
    store.endpoint = fmt::format("https://s3.{}.amazonaws.com", store.region.value_or("us-east-1"));
  store.bucket = o.bucket;
  if (o.url_style) store.url_style = value_named<UrlStyle>(*o.url_style, "URL style");
  return add(session, std::move(store), o,
             values_of(session, o, s3_keys(), environment.values));
}

// --- swift

struct SwiftAddOptions : SharedOptions {
  std::optional<std::string> auth_url;
  std::optional<std::string> container;
  std::optional<std::string> region;
};

std::vector<CommandField> swift_fields(SwiftAddOptions& o) {
  std::vector<CommandField> fields = {
      name_field(o),
      {.name = "--auth-url,--endpoint", .target = &o.auth_url,
       .help = "where one authenticates: https://HOST/v3 of Keystone, or https://HOST/auth/v1.0", .value = "URL"},
      {.name = "--container,--bucket", .target = &o.container,
       .help = "only this container; all of the account's unless told", .value = "CONTAINER"},
      {.name = "--region", .target = &o.region, .help = "of the object store, in Keystone's list", .value = "REGION"}};
  add_shared_fields(fields, o, "OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME, OS_REGION_NAME and their kin; "
                               "ST_AUTH, ST_USER, ST_KEY; proxies",
                    "the secret with user and key, username and password, or an application credential");
  return fields;
}

int add_swift(Session& session, const SwiftAddOptions& o) {
  check_sources(o);
  const StoreEnvironment environment =
      o.from_env ? swift_environment(real_surroundings().variable) : StoreEnvironment{};
  if (o.from_env && environment.values.empty() && key_sources(o) == 0)
    throw Error(Errc::invalid, "none of the variables 'OS_USERNAME', 'OS_APPLICATION_CREDENTIAL_ID' and 'ST_USER' is "
                "set: expected one of them, or --secret");
  NewDatastore store{.kind = DatastoreKind::swift};
  store.endpoint = o.auth_url ? o.auth_url : environment.endpoint;
  store.region = o.region ? o.region : environment.region;
  store.bucket = o.container;
  if (!store.endpoint)
    throw Error(Errc::invalid,
                "nothing says where to authenticate: give --auth-url, or --from-env with OS_AUTH_URL set");
  return add(session, std::move(store), o,
             values_of(session, o, {{"username", Shown::yes}, {"password"}, {"project", Shown::yes, Need::optional}},
                       environment.values));
}

// --- hf

struct HubOptions : SharedOptions {
  std::string repository;
  std::optional<std::string> type;
  std::optional<std::string> revision;
  std::optional<std::string> endpoint;
};

std::vector<CommandField> hub_fields(HubOptions& o) {
  std::vector<CommandField> fields = {
      name_field(o),
      {.name = "REPOSITORY", .target = &o.repository, .help = "ORGANISATION/NAME on the hub", .need = Need::required},
      {.name = "--type", .target = &o.type, .help = "what it is on the hub; model unless told", .value = "TYPE",
       .choices = {"model", "dataset", "space"}},
      {.name = "--revision", .target = &o.revision, .help = "a branch, tag or commit; main unless told",
       .value = "REVISION"},
      {.name = "--endpoint", .target = &o.endpoint, .help = "another hub than https://huggingface.co",
       .value = "URL"}};
  add_shared_fields(fields, o, "HF_TOKEN, HF_ENDPOINT, proxies", "the secret with its token");
  return fields;
}

int add_hub(Session& session, const HubOptions& o) {
  check_sources(o);
  const StoreEnvironment environment =
      o.from_env ? hub_environment(real_surroundings().variable) : StoreEnvironment{};
  NewDatastore store{.kind = DatastoreKind::hugging_face};
  store.endpoint = o.endpoint ? o.endpoint : environment.endpoint;
  if (o.from_env && !store.endpoint) store.endpoint = "https://huggingface.co";
  store.repository = o.repository;
  store.revision = o.revision;
  if (o.type) store.repository_type = value_named<RepositoryType>(*o.type, "repository type");
  return add(session, std::move(store), o, values_of(session, o, {{"token"}}, environment.values));
}

// --- http, git

struct UrlOptions : SharedOptions {
  std::string url;
  std::optional<std::string> revision;
};

std::vector<CommandField> web_fields(UrlOptions& o) {
  std::vector<CommandField> fields = {
      name_field(o),
      {.name = "URL", .target = &o.url, .help = "a directory, with '/' at its end, or one file",
       .need = Need::required}};
  add_shared_fields(fields, o, "proxies", "the secret with a token, or with user and password");
  return fields;
}

std::vector<CommandField> git_fields(UrlOptions& o) {
  std::vector<CommandField> fields = {
      name_field(o),
      {.name = "URL", .target = &o.url, .help = "of the repository: https://HOST/PATH.git or file:///PATH",
       .need = Need::required},
      {.name = "--revision,--branch", .target = &o.revision, .help = "a branch, tag or commit; HEAD unless told",
       .value = "REVISION"}};
  add_shared_fields(fields, o, "proxies", "the secret with a token, and a user if the host wants one");
  return fields;
}

int add_web(Session& session, const UrlOptions& o) {
  check_sources(o);
  NewDatastore store{.kind = DatastoreKind::http, .endpoint = o.url};
  return add(session, std::move(store), o, values_of(session, o, {{"user", Shown::yes}, {"password"}}, {}));
}

int add_git(Session& session, const UrlOptions& o) {
  check_sources(o);
  NewDatastore store{.kind = DatastoreKind::git, .endpoint = o.url, .revision = o.revision};
  return add(session, std::move(store), o,
             values_of(session, o, {{"user", Shown::yes, Need::optional}, {"token"}}, {}));
}

}  // namespace

std::vector<Command> datastore_add_commands() {
  return {
      make_command<DirectoryOptions>({.path = {"datastore", "add", "directory"},
                                      .aliases = {"dir"},
                                      .summary = "name a directory of the server's machine",
                                      .example = "volary datastore add directory mine /srv/data"},
                                     directory_fields, add_directory),
      make_command<S3AddOptions>({.path = {"datastore", "add", "s3"}, .summary = "name an S3 store, or a bucket of it",
                               .example = "volary datastore add s3 corpora --endpoint https://s3.example.org "
                                          "--bucket corpora --secret s3-keys\n"
                                          "volary datastore add s3 gra https://s3.gra.io.cloud.ovh.net gra "
                                          "--ask-secret\n"
                                          "volary datastore add s3 mine --bucket mine --from-env",
                               .more = "Without a bucket its objects are BUCKET/KEY: 'volary volume import wiki "
                                       "--from gra:corpora/wiki'."},
                              s3_fields, add_s3),
      make_command<SwiftAddOptions>({.path = {"datastore", "add", "swift"},
                                     .summary = "name an OpenStack Swift account, or a container of it",
                                     .example = "volary datastore add swift gra --auth-url "
                                                "https://auth.cloud.ovh.net/v3 --region GRA --container corpora "
                                                "--secret openstack\n"
                                                "volary datastore add swift gra --container corpora --from-env"},
                                    swift_fields, add_swift),
      make_command<HubOptions>({.path = {"datastore", "add", "hf"},
                                .aliases = {"hugging-face"},
                                .summary = "name a repository of a Hugging Face hub",
                                .example = "volary datastore add hf gsm8k openai/gsm8k --type dataset\n"
                                           "volary datastore add hf llama meta-llama/Llama-3.2-1B --from-env"},
                               hub_fields, add_hub),
      make_command<UrlOptions>({.path = {"datastore", "add", "http"},
                                .aliases = {"https"},
                                .summary = "name a web server's directory, or a file of it",
                                .example = "volary datastore add http mirror https://mirror.example.org/corpora/\n"
                                           "volary datastore add http one https://example.org/data/train.parquet",
                                .more = "A directory cannot be listed: name the file, as in 'volary volume import wiki "
                                        "--from mirror:wiki/train.parquet'."},
                               web_fields, add_web),
      make_command<UrlOptions>({.path = {"datastore", "add", "git"},
                                .summary = "name a git repository at a branch, tag or commit",
                                .example = "volary datastore add git code https://github.com/org/code.git "
                                           "--revision v1.2",
                                .more = "Symbolic links and submodules are left out. Redirects of the host are not "
                                        "followed."},
                               git_fields, add_git),
  };
}

}  // namespace volary
