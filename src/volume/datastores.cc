// volume/datastores.cc: rows of the table datastore, checked when they are made.
#include "volume/datastores.h"

#include <algorithm>

#include "core/error.h"
#include "core/name.h"
#include "core/place.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/git_remote.h"
#include "remote/http_remote.h"
#include "remote/swift_remote.h"

namespace volary {
namespace {

constexpr std::string_view select_datastore =
    "SELECT id, project, name, kind, path, endpoint, region, bucket, url_style, repository, "
    "repository_type, revision, secret, proxy, no_proxy, reach, created_at FROM datastore WHERE project = $1 ";

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

// What each kind does not have is refused, so that nobody believes that it has an effect.
void refuse_foreign_options(const NewDatastore& request) {
  using enum DatastoreKind;
  const DatastoreKind kind = request.kind;
  if (kind != directory) refuse_option(request.path, "path", kind);
  if (kind == directory) refuse_option(request.endpoint, "endpoint", kind);
  if (kind == directory) refuse_option(request.secret, "secret", kind);
  if (kind == directory) refuse_option(request.proxy, "proxy", kind);
  if (!request.proxy) refuse_option(request.no_proxy, "noProxy without a proxy", kind);
  if (kind != s3 && kind != swift) refuse_option(request.region, "region", kind);
  if (kind != s3 && kind != swift) refuse_option(request.bucket, "bucket", kind);
  if (kind != s3 && request.url_style) refuse_option("", "urlStyle", kind);
  if (kind != hugging_face) refuse_option(request.repository, "repository", kind);
  if (kind != hugging_face && request.repository_type) refuse_option("", "repositoryType", kind);
  if (kind != hugging_face && kind != git) refuse_option(request.revision, "revision", kind);
}

std::string without_slashes(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

void check_origin(const std::string& endpoint, std::string_view what) {
  const bool known = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  const size_t host = endpoint.find("://") + 3;
  if (!known || host >= endpoint.size() || endpoint.find_first_of("/?#@ ", host) != std::string::npos)
    throw Error(Errc::invalid, "'{}' is no {}: expected http://HOST[:PORT] or https://HOST[:PORT]",
                printable(endpoint), what);
}

std::string checked_endpoint(const std::string& endpoint) {
  const std::string checked = without_slashes(endpoint);
  check_origin(checked, "endpoint");
  return checked;
}

void set_git(Datastore& store, const NewDatastore& request) {
  store.endpoint = required(request.endpoint, "endpoint", request.kind);
  check_git_url(store.endpoint, GitProtocols::served);
  store.revision = request.revision.value_or("HEAD");
  check_git_revision(store.revision);
  if (!store.secret.empty() && store.endpoint.starts_with("file:"))
    throw Error(Errc::invalid, "'{}' wants no secret: expected none", printable(store.endpoint));
}

void set_hub(Datastore& store, const NewDatastore& request) {
  store.endpoint = checked_endpoint(request.endpoint.value_or("https://huggingface.co"));
  store.repository = required(request.repository, "repository", request.kind);
  check_repository(store.repository);
  store.repository_type = request.repository_type.value_or(RepositoryType::model);
  store.revision = request.revision.value_or("main");
  if (store.revision.empty()) throw Error(Errc::invalid, "the revision is empty: expected a branch, tag or commit");
}

void set_swift(Datastore& store, const NewDatastore& request, HttpClient& http) {
  store.endpoint = without_slashes(required(request.endpoint, "endpoint", request.kind));
  store.region = request.region.value_or("");
  store.bucket = request.bucket.value_or("");
  (void)open_swift_account({.auth_url = store.endpoint}, http);  // Throws what is wrong with it.
}

// The row that `request` asks for, without what only the database knows.
Datastore checked(const NewDatastore& request, HttpClient& http) {
  refuse_foreign_options(request);
  Datastore store;
  store.kind = request.kind;
  store.secret = request.secret.value_or("");
  store.proxy = without_slashes(request.proxy.value_or(""));
  store.no_proxy = request.no_proxy.value_or("");
  if (!store.proxy.empty()) check_origin(store.proxy, "proxy");
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
    case DatastoreKind::hugging_face: set_hub(store, request); break;
    case DatastoreKind::http:
      store.endpoint = required(request.endpoint, "endpoint", request.kind);
      check_http_url(store.endpoint);
      break;
    case DatastoreKind::git: set_git(store, request); break;
    case DatastoreKind::swift: set_swift(store, request, http); break;
  }
  return store;
}

// Where it lies on the server's own machine, if it does: as it is written and, in a URL, as git reads it.
std::vector<std::string> local_places(const NewDatastore& request) {
  if (request.kind == DatastoreKind::directory) return {request.path.value_or("")};
  const std::string url = request.kind == DatastoreKind::git ? request.endpoint.value_or("") : "";
  constexpr std::string_view scheme = "file://";
  if (!url.starts_with(scheme)) return {};
  const std::string path = url.substr(scheme.size());
  return {path, percent_decode(path)};
}

// Both as it is written, so that nobody learns by the answer what there is elsewhere, and with its links resolved as
// the kernel does it: LINK/.. is above what the link leads to.
void check_place(const std::string& place, const std::vector<Path>& open) {
  const auto is_open = [&](const Path& path) {
    return std::any_of(open.begin(), open.end(), [&](const Path& one) { return is_within(path, one); });
  };
  std::error_code problem;
  if (is_open(Path(place).lexically_normal()) && is_open(std::filesystem::weakly_canonical(Path(place), problem)) &&
      !problem)
    return;
  throw Error(Errc::denied,
              "'{}' is on the server's own machine: expected a place below a directory that its administrator opened "
              "by 'volary server --datastores-below DIR', or the server's own user over its Unix socket",
              printable(place));
}

}  // namespace

Datastore Datastores::checked_place(const NewDatastore& request, Asker asker) {
  if (asker == Asker::other)
    for (const std::string& place : local_places(request)) check_place(place, options_.open_to_others);
  Datastore store = checked(request, http_);
  store.reach = reach_of(store);
  return store;
}

void Datastores::insert(Transaction& transaction, const Caller& caller, const std::string& name,
                        const Datastore& store) {
  transaction.run(
      "INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, region, bucket, url_style, "
      "repository, repository_type, revision, secret, proxy, no_proxy, reach, created_at, created_by) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
      new_id("ds"), caller.tenant, caller.project, name, store.kind, store.path, store.endpoint, store.region,
      store.bucket, store.url_style, store.repository, store.repository_type, store.revision, store.secret,
      store.proxy, store.no_proxy, store.reach, clock_.now(), caller.name);
}

Datastore Datastores::of_url(const Caller& caller, NewDatastore request, Asker asker) {
  const Datastore store = checked_place(request, asker);  // Also where it is known: of who asks now.
  return database_.write([&](Transaction& transaction) {
    const std::string query = std::string(select_datastore) + "AND name = $2";
    if (auto known = transaction.find<Datastore>(query, caller.project, request.name)) return *known;
    insert(transaction, caller, request.name, store);
    transaction.run("UPDATE datastore SET hidden = 1 WHERE project = $1 AND name = $2", caller.project, request.name);
    return *transaction.find<Datastore>(query, caller.project, request.name);
  });
}

Datastore Datastores::create(const Caller& caller, const NewDatastore& request, Asker asker) {
  const Name name = Name::parse(request.name, "datastore");
  const Datastore store = checked_place(request, asker);
  return database_.write([&](Transaction& transaction) {
    if (transaction.find<std::string>("SELECT id FROM datastore WHERE project = $1 AND name = $2", caller.project,
                                      name.text()))
      throw Error(Errc::exists, "datastore '{}' exists already in this project", name.text());
    if (!store.secret.empty() &&
        !transaction.find<std::string>("SELECT id FROM secret WHERE project = $1 AND name = $2", caller.project,
                                       store.secret))
      throw Error(Errc::not_found, "there is no secret '{}' in this project", printable(store.secret));
    insert(transaction, caller, name.text(), store);
    return *transaction.find<Datastore>(std::string(select_datastore) + "AND name = $2", caller.project, name.text());
  });
}

std::vector<Datastore> Datastores::list(const Caller& caller) {
  return database_.read([&](Transaction& transaction) {
    return transaction.all<Datastore>(std::string(select_datastore) + "AND hidden = 0 ORDER BY name", caller.project);
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
    const auto volume = transaction.find<std::string>(
        "SELECT name FROM volume WHERE project = $1 AND datastore = $2 ORDER BY name LIMIT 1", caller.project, name);
    if (volume)
      throw Error(Errc::conflict, "datastore '{}' holds the objects of volume '{}': expected no volume kept in it",
                  name, *volume);
    const auto job = transaction.find<std::string>(
        "SELECT job.id FROM job JOIN job_attachment ON job_attachment.job = job.id WHERE job.project = $1 "
        "AND (job_attachment.datastore = $2 OR job_attachment.push_datastore = $2) "
        "AND job.state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR') ORDER BY job.created_at, job.id LIMIT 1",
        caller.project, name);
    if (job)
      throw Error(Errc::conflict, "datastore '{}' is attached to job {}: expected none under way that reads or writes "
                  "it", name, *job);
    transaction.run("DELETE FROM seen_object WHERE datastore = $1", store.id);
    transaction.run("DELETE FROM datastore WHERE id = $1", store.id);
  });
  if (!options_.scratch.empty()) remove_file(options_.scratch / (store.id + ".listing"));
}

}  // namespace volary
