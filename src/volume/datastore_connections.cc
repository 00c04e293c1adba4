// volume/datastore_connections.cc: from a row to the Remote or the Account that it names.
#include <dirent.h>

#include "core/error.h"
#include "core/tree_path.h"
#include "remote/git_remote.h"
#include "remote/http_remote.h"
#include "remote/swift_remote.h"
#include "volume/datastores.h"

namespace volary {
namespace {

constexpr uint64_t take_back_stall_seconds = 5;

// Every request ends when the stop is requested; those that take back what was begun do what they can.
class StoppingClient final : public HttpClient {
 public:
  StoppingClient(HttpClient& next, std::stop_token stop) : next_(next), stop_(std::move(stop)) {}
  HttpResponse send(const HttpRequest& request, Sink* sink) override {
    HttpRequest stoppable = request;
    if (stoppable.takes_back) stoppable.stall_seconds = take_back_stall_seconds;
    else stoppable.stop = stop_;
    return next_.send(stoppable, sink);
  }

 private:
  HttpClient& next_;
  const std::stop_token stop_;
};

struct TenantRow {
  std::string tenant;
};
BOOST_DESCRIBE_STRUCT(TenantRow, (), (tenant))

std::optional<AddressKind> made_for(const Datastore& datastore) {
  if (datastore.reach.empty()) return std::nullopt;
  return value_named<AddressKind>(datastore.reach, "kind of address");
}

}  // namespace

Datastores::Datastores(Database& database, Secrets& secrets, HttpClient& http, Clock& clock, Options options)
    : database_(database), secrets_(secrets), http_(http), clock_(clock), options_(std::move(options)) {
  if (options_.scratch.empty()) return;
  make_directories(options_.scratch, 0700);
  for (const DirectoryEntry& entry : list_directory(options_.scratch))  // Of a server that was killed.
    if (entry.type == DT_DIR && entry.name.starts_with("git-")) remove_tree(options_.scratch / entry.name);
}

// Where its host's name leads today. What is behind a proxy can only be seen where the address stands in the URL.
std::string Datastores::reach_of(const Datastore& datastore) const {
  const std::string host = host_of_url(datastore.endpoint);
  if (host.empty()) return "";
  const bool uses_proxy = !datastore.proxy.empty() && !is_without_proxy(host, datastore.no_proxy);
  const auto kind = uses_proxy ? kind_of_literal(host) : kind_of_name(host);
  if (!kind) return "";
  if (*kind == AddressKind::link_local && options_.redirects == Redirects::guarded)
    throw Error(Errc::denied, "'{}' is an address of {}: expected one of a network, or a server that was started with "
                "--allow-private-redirects", printable(host), words_of(*kind));
  return std::string(name_of_value(*kind));
}

HttpClient& Datastores::http_of(const Datastore& datastore) {
  if (datastore.proxy.empty() && datastore.reach.empty() && options_.redirects == Redirects::guarded) return http_;
  auto clients = clients_.lock();
  auto& client = (*clients)[datastore.proxy + "\n" + datastore.no_proxy + "\n" + datastore.reach];
  if (!client) {
    const bool is_guarded = options_.redirects == Redirects::guarded;
    client = make_http_client({.proxy = datastore.proxy,
                               .no_proxy = datastore.no_proxy,
                               .made_for = is_guarded ? made_for(datastore) : std::nullopt,
                               .redirects = options_.redirects});
  }
  return *client;
}

RetryOptions Datastores::retries_of(const Datastore& datastore) {
  const auto row = database_.read([&](Transaction& transaction) {
    return transaction.find<TenantRow>("SELECT tenant FROM project WHERE id = $1", datastore.project);
  });
  if (!row) throw Error(Errc::not_found, "there is no project with the id '{}'", datastore.project);
  auto budgets = budgets_.lock();
  auto& budget = (*budgets)[row->tenant + "\n" + datastore.endpoint + "\n" + datastore.bucket];
  if (!budget) budget = make_retry_budget();
  RetryOptions options;
  options.budget = budget;
  return options;
}

std::unique_ptr<Remote> Datastores::open(const Datastore& datastore) {
  return open_by(http_of(datastore), datastore, {});
}

std::shared_ptr<Remote> Datastores::open_until(const Datastore& datastore, std::stop_token stop,
                                               Synced<RequestTroubles>& troubles) {
  struct Held {
    Held(const WatchingClient& all, const std::stop_token& stop) : watching(all), http(watching, stop) {}
    WatchingClient watching;
    StoppingClient http;
    std::unique_ptr<Remote> remote;
  };
  const auto held = std::make_shared<Held>(WatchingClient(http_of(datastore), clock_, troubles), stop);
  held->remote = open_by(held->http, datastore, std::move(stop));
  return {held, held->remote.get()};
}

std::unique_ptr<Remote> Datastores::open_by(HttpClient& http, const Datastore& datastore, std::stop_token stop) {
  switch (datastore.kind) {
    case DatastoreKind::directory: return open_directory_remote(datastore.path);
    case DatastoreKind::s3: return open_s3(http, datastore);
    case DatastoreKind::hugging_face: return open_hub(http, datastore);
    case DatastoreKind::http: return open_web(http, datastore);
    case DatastoreKind::git: return open_git(datastore, std::move(stop));
    case DatastoreKind::swift: return open_swift(http, datastore);
  }
  throw Error(Errc::internal, "a datastore of kind {}", static_cast<int>(datastore.kind));
}

Datastores::Values Datastores::secret_of(const Datastore& datastore) {
  if (datastore.secret.empty()) return {};
  return secrets_.open(datastore.project, datastore.secret);
}

std::unique_ptr<Account> Datastores::open_account(const Datastore& datastore) {
  return open_account_by(http_of(datastore), datastore);
}

std::unique_ptr<Account> Datastores::open_account_by(HttpClient& http, const Datastore& datastore) {
  const bool is_all = datastore.bucket.empty();
  switch (datastore.kind) {
    case DatastoreKind::directory: return open_directory_account(datastore.path);
    case DatastoreKind::s3:
      if (!is_all) return open_one_bucket_account(open_s3(http, datastore), datastore.bucket);
      return open_s3_account(s3_options(datastore), http, clock_, retries_of(datastore));
    case DatastoreKind::swift:
      if (!is_all) return open_one_bucket_account(open_swift(http, datastore), datastore.bucket);
      return open_swift_account(swift_options(datastore), http, retries_of(datastore));
    default:
      throw Error(Errc::invalid, "datastore '{}' of kind '{}' has no buckets", datastore.name,
                  name_of_value(datastore.kind));
  }
}

std::unique_ptr<Remote> Datastores::open_s3(HttpClient& http, const Datastore& datastore) {
  if (datastore.bucket.empty()) return open_account_remote(open_account_by(http, datastore));
  const RetryOptions retries = retries_of(datastore);
  return with_retries(open_s3_remote(s3_options(datastore), http, clock_, retries), retries);
}

S3Options Datastores::s3_options(const Datastore& datastore) {
  S3Options options;
  options.endpoint = datastore.endpoint;
  options.region = datastore.region;
  options.bucket = datastore.bucket;
  options.virtual_host = datastore.url_style == UrlStyle::virtual_host;
  options.is_near = datastore.proxy.empty() && made_for(datastore) == AddressKind::this_machine;
  auto values = secret_of(datastore);
  options.access_key = values["access_key"];
  options.secret_key = values["secret_key"];
  options.session_token = values["session_token"];
  if (!datastore.secret.empty() && (options.access_key.empty() || options.secret_key.empty()))
    throw Error(Errc::invalid, "secret '{}' has no access_key and secret_key: datastore '{}' needs both",
                datastore.secret, datastore.name);
  return options;
}

std::unique_ptr<Remote> Datastores::open_swift(HttpClient& http, const Datastore& datastore) {
  if (datastore.bucket.empty()) return open_account_remote(open_account_by(http, datastore));
  const RetryOptions retries = retries_of(datastore);
  return with_retries(open_swift_remote(swift_options(datastore), http, retries), retries);
}

SwiftOptions Datastores::swift_options(const Datastore& datastore) {
  SwiftOptions options;
  options.auth_url = datastore.endpoint;
  options.container = datastore.bucket;
  options.region = datastore.region;
  const auto values = secret_of(datastore);
  const std::pair<const char*, std::string*> places[] = {
      {"user", &options.user},
      {"key", &options.key},
      {"username", &options.username},
      {"password", &options.password},
      {"user_domain", &options.user_domain},
      {"project", &options.project},
      {"project_domain", &options.project_domain},
      {"application_credential_id", &options.application_credential_id},
      {"application_credential_secret", &options.application_credential_secret}};
  for (const auto& [name, place] : places)
    if (const auto found = values.find(name); found != values.end()) *place = found->second;
  const bool is_whole = (!options.user.empty() && !options.key.empty()) ||
                        (!options.username.empty() && !options.password.empty()) ||
                        (!options.application_credential_id.empty() && !options.application_credential_secret.empty());
  if (!datastore.secret.empty() && !is_whole)
    throw Error(Errc::invalid, "secret '{}' has neither user and key, nor username and password, nor "
                "application_credential_id and application_credential_secret: datastore '{}' needs one of these pairs",
                datastore.secret, datastore.name);
  return options;
}

std::unique_ptr<Remote> Datastores::open_hub(HttpClient& http, const Datastore& datastore) {
  HuggingFaceOptions options;
  options.endpoint = datastore.endpoint;
  options.kind = value_named<HubRepository>(name_of_value(datastore.repository_type), "repository type");
  options.repository = datastore.repository;
  options.revision = datastore.revision;
  options.token = secret_of(datastore)["token"];
  if (!datastore.secret.empty() && options.token.empty())
    throw Error(Errc::invalid, "secret '{}' has no token: datastore '{}' needs it", datastore.secret, datastore.name);
  return open_hugging_face_remote(options, http, retries_of(datastore));
}

std::unique_ptr<Remote> Datastores::open_web(HttpClient& http, const Datastore& datastore) {
  auto values = secret_of(datastore);
  const HttpOptions options{.url = datastore.endpoint,
                            .token = values["token"],
                            .user = values["user"],
                            .password = values["password"]};
  if (!datastore.secret.empty() && options.token.empty() && (options.user.empty() || options.password.empty()))
    throw Error(Errc::invalid, "secret '{}' has neither a token nor user and password: datastore '{}' needs one of "
                "them", datastore.secret, datastore.name);
  return with_retries(open_http_remote(options, http), retries_of(datastore));
}

std::unique_ptr<Remote> Datastores::open_git(const Datastore& datastore, std::stop_token stop) {
  auto values = secret_of(datastore);
  if (!datastore.secret.empty() && values["token"].empty())
    throw Error(Errc::invalid, "secret '{}' has no token: datastore '{}' needs it", datastore.secret, datastore.name);
  GitOptions options;
  options.url = datastore.endpoint;
  options.revision = datastore.revision;
  options.user = values["user"];
  options.token = values["token"];
  options.scratch = options_.scratch.empty() ? std::filesystem::temp_directory_path() : options_.scratch;
  if (!options_.scratch.empty()) options.listing = options_.scratch / (datastore.id + ".listing");
  options.proxy = datastore.proxy;
  options.no_proxy = datastore.no_proxy;
  if (options_.redirects == Redirects::guarded) options.made_for = made_for(datastore);
  options.stop = std::move(stop);
  return open_git_remote(options, retries_of(datastore));
}

void check_writable(const Datastore& datastore) {
  using enum DatastoreKind;
  if (datastore.kind == hugging_face || datastore.kind == http || datastore.kind == git)
    throw Error(Errc::invalid, "datastore '{}' of kind '{}' can only be read: expected one of kind s3, swift or "
                "directory", datastore.name, name_of_value(datastore.kind));
}

}  // namespace volary
