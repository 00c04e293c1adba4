// cli/fetch_place.cc: for cli/fetch_place.h.
#include "cli/fetch_place.h"

#include <algorithm>

#include "core/error.h"
#include "core/tree_path.h"
#include "net/request_words.h"
#include "remote/git_remote.h"
#include "remote/http_remote.h"

namespace volary {
namespace {

constexpr std::string_view google = "https://storage.googleapis.com";

std::string last_part(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string value_of(const SecretValues& values, const char* name) {
  const auto found = values.find(name);
  return found == values.end() ? "" : found->second;
}

// What the environment says, unless keys came another way.
StoreEnvironment environment_of(const FetchSource& source, const Variable& variable,
                                StoreEnvironment (*read)(const Variable&)) {
  StoreEnvironment found = source.from_env ? read(variable) : StoreEnvironment{};
  if (!source.values.empty()) found.values = source.values;
  return found;
}

ProxyEnvironment proxies_of(const FetchSource& source, const std::string& url, const Variable& variable) {
  return source.from_env ? proxy_environment(url, variable) : ProxyEnvironment{};
}

// Said before anything is asked; the client holds the addresses that it really connects to against the same.
void check_address(const FetchSource& source, const std::string& url, const ProxyEnvironment& proxies) {
  const std::string host = host_of_url(url);
  if (source.allow_private || host.empty()) return;
  const bool uses_proxy = proxies.proxy && !is_without_proxy(host, proxies.no_proxy.value_or(""));
  const auto kind = uses_proxy ? kind_of_literal(host) : kind_of_name(host);
  if (kind && *kind != AddressKind::open)
    throw Error(Errc::denied, "'{}' is an address of {}: expected one of the internet, or --allow-private",
                printable(host), words_of(*kind));
}

std::unique_ptr<HttpClient> client_for(const FetchSource& source, const std::string& url, const Variable& variable) {
  const ProxyEnvironment proxies = proxies_of(source, url, variable);
  check_address(source, url, proxies);
  return make_http_client({.proxy = proxies.proxy.value_or(""),
                           .no_proxy = proxies.no_proxy.value_or(""),
                           .made_for = source.allow_private ? std::nullopt : std::optional(AddressKind::open),
                           .redirects = source.allow_private ? Redirects::anywhere : Redirects::guarded});
}

void refuse_options(const FetchSource& source, std::initializer_list<std::pair<bool, const char*>> options) {
  for (const auto& [is_given, name] : options)
    if (is_given) throw Error(Errc::invalid, "'{}' has no {}: expected none", speakable(source.url), name);
}

FetchPlace open_web_file(const FetchSource& source, const Variable& variable) {
  refuse_options(source, {{source.revision.has_value(), "--revision"},
                          {source.endpoint.has_value(), "--endpoint"},
                          {source.region.has_value(), "--region"}});
  check_http_url(source.url);
  const std::string path = source.url.substr(0, std::min(source.url.find('?'), source.url.size()));
  const size_t host = path.find("://") + 3;
  if (path.ends_with('/') || path.find('/', host) == path.npos)
    throw Error(Errc::invalid, "'{}' is a directory of a web server, which has no listing: name a file in it",
                speakable(source.url));
  FetchPlace place;
  place.http = client_for(source, source.url, variable);
  place.remote = with_retries(open_http_remote({.url = source.url,
                                                .token = value_of(source.values, "token"),
                                                .user = value_of(source.values, "user"),
                                                .password = value_of(source.values, "password"),
                                                .unknown_size = UnknownSize::zero},
                                               *place.http));
  place.key = percent_decode(last_part(path));
  place.name = place.key;
  return place;
}

FetchPlace open_object(const FetchSource& source, const Variable& variable) {
  refuse_options(source, {{source.revision.has_value(), "--revision"}});
  const bool is_google = source.url.starts_with("gs://");
  const std::string rest = source.url.substr(5);
  const size_t slash = rest.find('/');
  if (slash == 0 || slash == rest.npos || slash + 1 == rest.size() || rest.ends_with('/'))
    throw Error(Errc::invalid, "'{}' names no object: expected {}://BUCKET/KEY; 'volary bucket object download' brings "
                "many", printable(source.url), is_google ? "gs" : "s3");
  const StoreEnvironment environment = environment_of(source, variable, s3_environment);
  S3Options options;
  options.region = source.region.value_or(environment.region.value_or(is_google ? "auto" : "us-east-1"));
  options.endpoint = source.endpoint.value_or(
      is_google ? std::string(google)
                : environment.endpoint.value_or(fmt::format("https://s3.{}.amazonaws.com", options.region)));
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  options.bucket = rest.substr(0, slash);
  options.access_key = value_of(environment.values, "access_key");
  options.secret_key = value_of(environment.values, "secret_key");
  options.session_token = value_of(environment.values, "session_token");
  FetchPlace place;
  place.http = client_for(source, options.endpoint, variable);
  place.remote = with_retries(open_s3_remote(options, *place.http, system_clock()));
  place.key = rest.substr(slash + 1);
  place.name = last_part(place.key);
  return place;
}

// "hf://datasets/org/name@v1/dir/file"
FetchPlace open_hub_file(const FetchSource& source, const Variable& variable) {
  refuse_options(source, {{source.region.has_value(), "--region"}});
  HuggingFaceOptions options;
  std::string rest = source.url.substr(5);
  for (const auto& [word, kind] : {std::pair("models/", HubRepository::model),
                                   std::pair("datasets/", HubRepository::dataset),
                                   std::pair("spaces/", HubRepository::space)})
    if (rest.starts_with(word)) {
      rest.erase(0, std::string_view(word).size());
      options.kind = kind;
      break;
    }
  const size_t first = rest.find('/');
  const size_t second = first == rest.npos ? rest.npos : rest.find('/', first + 1);
  const std::string repository = rest.substr(0, second);
  FetchPlace place;
  place.key = second == rest.npos ? "" : rest.substr(second + 1);
  const size_t at = repository.find('@');
  options.repository = repository.substr(0, at);
  if (first == rest.npos || options.repository.empty())
    throw Error(Errc::invalid, "'{}' is no repository of a hub: expected hf://ORG/NAME, hf://datasets/ORG/NAME or "
                "hf://spaces/ORG/NAME, with @REVISION and /PATH if wanted", printable(source.url));
  check_repository(options.repository);
  if (at != repository.npos) options.revision = percent_decode(repository.substr(at + 1));
  if (source.revision) options.revision = *source.revision;
  const StoreEnvironment environment = environment_of(source, variable, hub_environment);
  options.endpoint = source.endpoint.value_or(environment.endpoint.value_or(options.endpoint));
  options.token = value_of(environment.values, "token");
  place.http = client_for(source, options.endpoint, variable);
  place.remote = open_hugging_face_remote(options, *place.http);
  place.is_tree = place.key.empty() || place.key.ends_with('/');
  place.name = last_part(place.key.empty() ? options.repository : place.key);
  return place;
}

// Where the repository's URL ends: after ".git", before "@", "//" or the end.
std::optional<size_t> end_of_git_url(const std::string& url) {
  for (size_t at = url.find(".git"); at != url.npos; at = url.find(".git", at + 1)) {
    const std::string_view after = std::string_view(url).substr(at + 4);
    if (after.empty() || after.starts_with('@') || after.starts_with("//")) return at + 4;
  }
  return std::nullopt;
}

FetchPlace open_git_file(const FetchSource& source, size_t end, const Variable& variable,
                         const std::function<Path()>& scratch) {
  refuse_options(source, {{source.endpoint.has_value(), "--endpoint"}, {source.region.has_value(), "--region"}});
  GitOptions options;
  options.url = source.url.substr(0, end);
  options.protocols = GitProtocols::all;
  std::string rest = source.url.substr(end);
  FetchPlace place;
  if (const size_t path = rest.find("//"); path != rest.npos) {
    place.key = rest.substr(path + 2);
    rest.erase(path);
  }
  if (rest.starts_with('@')) options.revision = rest.substr(1);
  if (source.revision) options.revision = *source.revision;
  options.user = value_of(source.values, "user");
  options.token = value_of(source.values, "token");
  const ProxyEnvironment proxies = proxies_of(source, options.url, variable);
  options.proxy = proxies.proxy.value_or("");
  options.no_proxy = proxies.no_proxy.value_or("");
  check_address(source, options.url, proxies);
  if (!source.allow_private) options.made_for = AddressKind::open;
  options.scratch = scratch();
  place.remote = open_git_remote(options);
  place.is_tree = place.key.empty() || place.key.ends_with('/');
  const std::string repository = last_part(options.url);
  place.name = place.key.empty() ? repository.substr(0, repository.size() - 4) : last_part(place.key);
  return place;
}

}  // namespace

FetchPlace open_fetch_place(const FetchSource& source, const Variable& variable,
                            const std::function<Path()>& scratch) {
  const std::string& url = source.url;
  const bool is_web = url.starts_with("http://") || url.starts_with("https://");
  FetchPlace place;
  if (url.starts_with("hf://")) place = open_hub_file(source, variable);
  else if (url.starts_with("s3://") || url.starts_with("gs://")) place = open_object(source, variable);
  else if (const auto end = end_of_git_url(url)) place = open_git_file(source, *end, variable, scratch);
  else if (is_web) place = open_web_file(source, variable);
  else
    throw Error(Errc::invalid, "'{}' is no URL that can be fetched: expected one that begins with https://, http://, "
                "s3://, gs:// or hf://, or of a git repository, which ends in '.git'", printable(speakable(url)));
  const bool is_odd = place.name.empty() || place.name == "." || place.name == ".." ||
                      place.name.find('/') != std::string::npos || place.name.find('\0') != std::string::npos;
  if (is_odd) place.name.clear();
  return place;
}

}  // namespace volary
