// volume/datastores.cc: rows of the table datastore, checked when they are made.
#include "volume/datastores.h"

#include "core/error.h"
#include "core/name.h"
#include "core/random.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view select_datastore =
    "SELECT id, project, name, kind, path, endpoint, region, bucket, url_style, repository, "
    "repository_type, revision, secret, created_at FROM datastore WHERE project = $1 ";

void refuse_option(const std::optional<std::string>& option, std::string_view option_name, DatastoreKind kind) {
  if (option)
    throw Error(Errc::invalid, "a datastore of kind '{}' has no {}: expected none", name_of_value(kind), option_name);
}

std::string required(const std::optional<std::string>& option, std::string_view option_name, DatastoreKind kind) {
  if (!option || option->empty())
    throw Error(Errc::invalid, "a datastore of kind '{}' needs its {}", name_of_value(kind), option_name);
  return *option;
}

void check_directory(const std::string& path) {
  if (!path.starts_with('/'))
    throw Error(Errc::invalid, "'{}' is no place for a datastore: expected an absolute path on the server",
                printable(path));
  const auto status = stat_of(path, Follow::yes);
  if (!status || !S_ISDIR(status->st_mode))
    throw Error(Errc::not_found, "there is no directory '{}' on the server", printable(path));
}

void check_endpoint(const std::string& endpoint) {
  const bool known = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  const size_t host = endpoint.find("://") + 3;
  if (!known || host >= endpoint.size() || endpoint.find_first_of("/?#@ ", host) != std::string::npos)
    throw Error(Errc::invalid, "'{}' is no endpoint: expected http://HOST[:PORT] or https://HOST[:PORT]",
                printable(endpoint));
}

// What each kind does not have is refused, so that nobody believes that it has an effect.
void refuse_foreign_options(const NewDatastore& request) {
  using enum DatastoreKind;
  const DatastoreKind kind = request.kind;
  if (kind != directory) refuse_option(request.path, "path", kind);
  if (kind == directory) refuse_option(request.endpoint, "endpoint", kind);
  if (kind == directory) refuse_option(request.secret, "secret", kind);
  if (kind != s3) refuse_option(request.region, "region", kind);
  if (kind != s3) refuse_option(request.bucket, "bucket", kind);
  if (kind != s3 && request.url_style) refuse_option("", "urlStyle", kind);
  if (kind != hugging_face) refuse_option(request.repository, "repository", kind);
  if (kind != hugging_face && request.repository_type) refuse_option("", "repositoryType", kind);
  if (kind != hugging_face) refuse_option(request.revision, "revision", kind);
}

std::string checked_endpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  check_endpoint(endpoint);
  return endpoint;
}

// The row that `request` asks for, without what only the database knows.
Datastore checked(const NewDatastore& request) {
  refuse_foreign_options(request);
  Datastore store;
  store.kind = request.kind;
  store.secret = request.secret.value_or("");
  switch (request.kind) {
    case DatastoreKind::directory:
      store.path = required(request.path, "path", request.kind);
      check_directory(store.path);
      break;
    case DatastoreKind::s3:
      store.endpoint = checked_endpoint(required(request.endpoint, "endpoint", request.kind));
      store.bucket = request.bucket.value_or("");
      store.region = request.region.value_or("us-east-1");
      store.url_style = request.url_style.value_or(UrlStyle::path);
      break;
    case DatastoreKind::hugging_face:
      store.endpoint = checked_endpoint(request.endpoint.value_or("https://huggingface.co"));
      store.repository = required(request.repository, "repository", request.kind);
      check_repository(store.repository);
      store.repository_type = request.repository_type.value_or(RepositoryType::model);
      store.revision = request.revision.value_or("main");
      if (store.revision.empty()) throw Error(Errc::invalid, "the revision is empty: expected a branch, tag or commit");
      break;
  }
  return store;
}

}  // namespace

Datastore Datastores::create(const Caller& caller, const NewDatastore& request) {
  const Name name = Name::parse(request.name, "datastore");
  const Datastore store = checked(request);
  return database_.write([&](Transaction& transaction) {
    if (transaction.find<std::string>("SELECT id FROM datastore WHERE project = $1 AND name = $2", caller.project,
                                      name.text()))
      throw Error(Errc::exists, "datastore '{}' exists already in this project", name.text());
    if (!store.secret.empty() &&
        !transaction.find<std::string>("SELECT id FROM secret WHERE project = $1 AND name = $2", caller.project,
                                       store.secret))
      throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(store.secret));
    transaction.run(
        "INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, region, bucket, url_style, "
        "repository, repository_type, revision, secret, created_at, created_by) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        new_id("ds"), caller.tenant, caller.project, name.text(), store.kind, store.path, store.endpoint, store.region,
        store.bucket, store.url_style, store.repository, store.repository_type, store.revision, store.secret,
        clock_.now(), caller.name);
    return *transaction.find<Datastore>(std::string(select_datastore) + "AND name = $2", caller.project, name.text());
  });
}

std::vector<Datastore> Datastores::list(const Caller& caller) {
  return database_.read([&](Transaction& transaction) {
    return transaction.all<Datastore>(std::string(select_datastore) + "ORDER BY name", caller.project);
  });
}

Datastore Datastores::get(const Caller& caller, const std::string& name) {
  return database_.read([&](Transaction& transaction) {
    auto store =
        transaction.find<Datastore>(std::string(select_datastore) + "AND name = $2", caller.project, name);
    if (!store) throw Error(Errc::not_found, "there is no datastore '{}' in this project", printable(name));
    return *store;
  });
}

void Datastores::remove(const Caller& caller, const std::string& name) {
  const Datastore store = get(caller, name);
  database_.write([&](Transaction& transaction) {
    const auto transfer = transaction.find<std::string>(
        "SELECT id FROM transfer WHERE project = $1 AND datastore = $2 AND state IN ('queued', 'planning', 'running')",
        caller.project, name);
    if (transfer)
      throw Error(Errc::conflict, "datastore '{}' is in use by transfer {}: expected none under way", name, *transfer);
    transaction.run("DELETE FROM seen_object WHERE datastore = $1", store.id);
    transaction.run("DELETE FROM datastore WHERE id = $1", store.id);
  });
}

std::unique_ptr<Remote> Datastores::open(const Datastore& datastore) {
  switch (datastore.kind) {
    case DatastoreKind::directory: return open_directory_remote(datastore.path);
    case DatastoreKind::s3: return open_s3(datastore);
    case DatastoreKind::hugging_face: return open_hub(datastore);
  }
  throw Error(Errc::internal, "a datastore of kind {}", static_cast<int>(datastore.kind));
}

std::map<std::string, std::string> Datastores::secret_of(const Datastore& datastore) {
  if (datastore.secret.empty()) return {};
  return secrets_.open(datastore.project, datastore.secret);
}

std::unique_ptr<Account> Datastores::open_account(const Datastore& datastore) {
  if (datastore.kind == DatastoreKind::directory) return open_directory_account(datastore.path);
  if (datastore.kind == DatastoreKind::s3) {
    if (!datastore.bucket.empty()) return open_one_bucket_account(open_s3(datastore), datastore.bucket);
    return open_s3_account(s3_options(datastore), http_, clock_);
  }
  throw Error(Errc::invalid, "datastore '{}' of kind '{}' has no buckets", datastore.name,
              name_of_value(datastore.kind));
}

std::unique_ptr<Remote> Datastores::open_s3(const Datastore& datastore) {
  if (datastore.bucket.empty()) return open_account_remote(open_account(datastore));
  return with_retries(open_s3_remote(s3_options(datastore), http_, clock_));
}

S3Options Datastores::s3_options(const Datastore& datastore) {
  S3Options options;
  options.endpoint = datastore.endpoint;
  options.region = datastore.region;
  options.bucket = datastore.bucket;
  options.virtual_host = datastore.url_style == UrlStyle::virtual_host;
  auto values = secret_of(datastore);
  options.access_key = values["access_key"];
  options.secret_key = values["secret_key"];
  options.session_token = values["session_token"];
  if (!datastore.secret.empty() && (options.access_key.empty() || options.secret_key.empty()))
    throw Error(Errc::invalid, "secret '{}' has no access_key and secret_key: datastore '{}' needs both",
                datastore.secret, datastore.name);
  return options;
}

std::unique_ptr<Remote> Datastores::open_hub(const Datastore& datastore) {
  HuggingFaceOptions options;
  options.endpoint = datastore.endpoint;
  options.kind = value_named<HubRepository>(name_of_value(datastore.repository_type), "repository type");
  options.repository = datastore.repository;
  options.revision = datastore.revision;
  options.token = secret_of(datastore)["token"];
  if (!datastore.secret.empty() && options.token.empty())
    throw Error(Errc::invalid, "secret '{}' has no token: datastore '{}' needs it", datastore.secret, datastore.name);
  return open_hugging_face_remote(options, http_);
}

}  // namespace volary
