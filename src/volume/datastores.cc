// volume/datastores.cc: rows of the table datastore, checked when they are made.
#include "volume/datastores.h"

#include "core/error.h"
#include "core/name.h"
#include "core/random.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view select_datastore =
    "SELECT id, project, name, kind, path, endpoint, region, bucket, url_style, secret, created_at FROM datastore "
    "WHERE project = $1 ";

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

}  // namespace

Datastore Datastores::create(const Caller& caller, const NewDatastore& request) {
  const Name name = Name::parse(request.name, "datastore");
  Datastore store;
  if (request.kind == DatastoreKind::directory) {
    store.path = required(request.path, "path", request.kind);
    check_directory(store.path);
    refuse_option(request.endpoint, "endpoint", request.kind);
    refuse_option(request.region, "region", request.kind);
    refuse_option(request.bucket, "bucket", request.kind);
    refuse_option(request.secret, "secret", request.kind);
    if (request.url_style) throw Error(Errc::invalid, "a datastore of kind 'directory' has no urlStyle: expected none");
  } else {
    store.endpoint = required(request.endpoint, "endpoint", request.kind);
    while (store.endpoint.ends_with('/')) store.endpoint.pop_back();
    check_endpoint(store.endpoint);
    store.bucket = required(request.bucket, "bucket", request.kind);
    store.region = request.region.value_or("us-east-1");
    store.secret = request.secret.value_or("");
    refuse_option(request.path, "path", request.kind);
  }
  return database_.write([&](Transaction& transaction) {
    if (transaction.find<std::string>("SELECT id FROM datastore WHERE project = $1 AND name = $2", caller.project,
                                      name.text()))
      throw Error(Errc::exists, "datastore '{}' exists already in this project", name.text());
    if (!store.secret.empty() &&
        !transaction.find<std::string>("SELECT id FROM secret WHERE project = $1 AND name = $2", caller.project,
                                       store.secret))
      throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(store.secret));
    transaction.run(
        "INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, region, bucket, url_style, secret, "
        "created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        new_id("ds"), caller.tenant, caller.project, name.text(), request.kind, store.path, store.endpoint,
        store.region, store.bucket, request.url_style.value_or(UrlStyle::path), store.secret, clock_.now(),
        caller.name);
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
  if (datastore.kind == DatastoreKind::directory) return open_directory_remote(datastore.path);
  S3Options options;
  options.endpoint = datastore.endpoint;
  options.region = datastore.region;
  options.bucket = datastore.bucket;
  options.virtual_host = datastore.url_style == UrlStyle::virtual_host;
  if (!datastore.secret.empty()) {
    const auto values = secrets_.open(datastore.project, datastore.secret);
    const auto value = [&](const char* key) {
      const auto found = values.find(key);
      return found == values.end() ? std::string() : found->second;
    };
    options.access_key = value("access_key");
    options.secret_key = value("secret_key");
    options.session_token = value("session_token");
    if (options.access_key.empty() || options.secret_key.empty())
      throw Error(Errc::invalid, "secret '{}' has no access_key and secret_key: datastore '{}' needs both",
                  datastore.secret, datastore.name);
  }
  return with_retries(open_s3_remote(options, http_, clock_));
}

}  // namespace volary
