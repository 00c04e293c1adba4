// remote/swift_connection.cc: URLs, tokens and errors of Swift.
#include "remote/swift_connection.h"

#include "core/json.h"
#include "core/tree_path.h"
#include "net/request_words.h"
#include "remote/download.h"
#include "remote/s3_connection.h"

namespace volary {
namespace {

constexpr size_t words_bytes_max = 200;

struct CatalogEndpoint {
  std::string interface;
  std::optional<std::string> region;
  std::string url;
};
BOOST_DESCRIBE_STRUCT(CatalogEndpoint, (), (interface, region, url))
struct CatalogService {
  std::string type;
  std::vector<CatalogEndpoint> endpoints;
};
BOOST_DESCRIBE_STRUCT(CatalogService, (), (type, endpoints))
struct KeystoneToken {
  std::vector<CatalogService> catalog;
};
BOOST_DESCRIBE_STRUCT(KeystoneToken, (), (catalog))
struct KeystoneAnswer {
  KeystoneToken token;
};
BOOST_DESCRIBE_STRUCT(KeystoneAnswer, (), (token))

void check_no_slash_at_end(std::string& url) {
  while (url.ends_with('/')) url.pop_back();
}

// Without markup; Swift says everything in a paragraph of HTML.
std::string words_of(const std::string& body) {
  std::string text;
  bool inside = false;
  for (const char c : body) {
    if (c == '<') inside = true;
    if (!inside) text += c == '\n' ? ' ' : c;
    if (c == '>') inside = false, text += text.empty() || text.back() == ' ' ? "" : " ";
    if (text.size() >= words_bytes_max) break;
  }
  while (text.ends_with(' ')) text.pop_back();
  return printable(text);
}

}  // namespace

SwiftConnection::SwiftConnection(const SwiftOptions& options, HttpClient& http) : options_(options), http_(http) {
  std::string& url = options_.auth_url;
  check_no_slash_at_end(url);
  const bool is_known = url.starts_with("http://") || url.starts_with("https://");
  if (!is_known || host_of_url(url).empty() || url.find_first_of("?#@ ") != std::string::npos)
    throw Error(Errc::invalid, "'{}' is no entrance to Swift: expected https://HOST/v3 of Keystone or "
                "https://HOST/auth/v1.0", printable(speakable(url)));
  const bool is_keystone = !options_.username.empty() || !options_.application_credential_id.empty();
  is_anonymous_ = !is_keystone && options_.user.empty();
  if (is_keystone && !url.ends_with("/v3")) url += "/v3";
  if (is_anonymous_) entrance_.lock()->storage_url = url;
}

std::string SwiftConnection::description(const std::string& container) const {
  if (container.empty()) return "swift at " + options_.auth_url;
  return fmt::format("swift container '{}' at {}", printable(container), options_.auth_url);
}

SwiftConnection::Entrance SwiftConnection::entrance() {
  auto known = entrance_.lock();  // Others wait meanwhile: one token is enough.
  if (!known->storage_url.empty()) return *known;
  Entrance fresh = options_.user.empty() ? ask_keystone() : ask_version1();
  check_no_slash_at_end(fresh.storage_url);
  if (host_of_url(fresh.storage_url).empty() || fresh.token.empty())
    throw Error(Errc::corrupt, "{} gives no token and storage URL", description(""));
  if (options_.auth_url.starts_with("https://") && !fresh.storage_url.starts_with("https://"))
    throw Error(Errc::invalid, "{} says that the objects are at {}: expected https there too", description(""),
                speakable(fresh.storage_url));
  *known = fresh;
  return fresh;
}

SwiftConnection::Entrance SwiftConnection::ask_version1() const {
  const HttpResponse response = http_.send(
      {.url = options_.auth_url, .headers = {{"x-auth-user", options_.user}, {"x-auth-key", options_.key}}});
  if (response.status < 200 || response.status >= 300) throw refusal({}, response);
  return {response.header("x-storage-url").value_or(""), response.header("x-auth-token").value_or("")};
}

std::string SwiftConnection::keystone_request() const {
  const auto domain = [](const std::string& name) { return json::object{{"name", name}}; };
  if (!options_.application_credential_id.empty())
    return print_json(json::object{
        {"auth",
         {{"identity",
           {{"methods", {"application_credential"}},
            {"application_credential",
             {{"id", options_.application_credential_id}, {"secret", options_.application_credential_secret}}}}}}}});
  json::object user{{"name", options_.username},
                    {"domain", domain(options_.user_domain)},
                    {"password", options_.password}};
  json::object auth{{"identity", {{"methods", json::array{"password"}}, {"password", {{"user", user}}}}}};
  if (!options_.project.empty())
    auth["scope"] = {{"project", {{"name", options_.project}, {"domain", domain(options_.project_domain)}}}};
  return print_json(json::object{{"auth", auth}});
}

SwiftConnection::Entrance SwiftConnection::ask_keystone() const {
  const HttpResponse response = http_.send({.method = "POST",
                                            .url = options_.auth_url + "/auth/tokens",
                                            .headers = {{"content-type", "application/json"}},
                                            .body = keystone_request()});
  if (response.status < 200 || response.status >= 300) throw refusal({}, response);
  const auto answer =
      from_json<KeystoneAnswer>(parse_json(response.body, "Keystone's answer"), "", Unknown::ignore);
  std::string regions;
  for (const CatalogService& service : answer.token.catalog) {
    if (service.type != "object-store") continue;
    for (const CatalogEndpoint& endpoint : service.endpoints) {
      if (endpoint.interface != "public") continue;
      const std::string region = endpoint.region.value_or("");
      if (options_.region.empty() || region == options_.region)
        return {endpoint.url, response.header("x-subject-token").value_or("")};
      regions += (regions.empty() ? "" : ", ") + region;
    }
  }
  throw Error(Errc::not_found, "{} knows no object store{}: expected one of {}", description(""),
              options_.region.empty() ? "" : fmt::format(" in region '{}'", options_.region),
              regions.empty() ? "none at all" : printable(regions));
}

HttpRequest SwiftConnection::request_of(const SwiftCall& call) {
  const Entrance entrance = this->entrance();
  HttpRequest request{.method = call.method, .url = entrance.storage_url, .headers = call.headers};
  if (!call.container.empty()) request.url += "/" + percent_encode(call.container);
  if (!call.key.empty()) request.url += "/" + percent_encode(call.key, true);
  for (char separator = '?'; const auto& [name, value] : call.query) {
    request.url += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  if (!entrance.token.empty()) request.headers.emplace_back("x-auth-token", entrance.token);
  request.source = call.source;
  request.source_bytes = call.source_bytes;
  request.stall_seconds = call.stall_seconds;
  request.takes_back = call.takes_back;
  return request;
}

void SwiftConnection::renew(const HttpRequest& request) {
  auto known = entrance_.lock();
  for (const auto& [name, value] : request.headers)
    if (name == "x-auth-token" && value == known->token && !is_anonymous_) *known = {};
}

HttpResponse SwiftConnection::send(SwiftCall& call) {
  for (int attempt = 1;; ++attempt) {
    HttpRequest request = request_of(call);
    const std::unique_ptr<Source> content = call.content ? call.content() : nullptr;
    if (content) request.source = content.get();
    request.body.swap(call.body);  // Lent, not copied: a segment can be large.
    const struct Return {
      std::string& mine;
      std::string& theirs;
      ~Return() { mine.swap(theirs); }
    } back{call.body, request.body};
    HttpResponse response = http_.send(request);
    if (response.status >= 200 && response.status < 300) return response;
    const bool is_expired = response.status == 401 && attempt == 1 && !is_anonymous_;
    if (is_expired) renew(request);
    if (!is_expired || call.source) throw refusal(call, response);  // A source was read: it cannot be sent again.
  }
}

std::optional<HttpResponse> SwiftConnection::head(const std::string& container, const std::string& key) {
  SwiftCall call{.method = "HEAD", .container = container, .key = key};
  for (int attempt = 1;; ++attempt) {
    const HttpRequest request = request_of(call);
    HttpResponse response = http_.send(request);
    if (response.status >= 200 && response.status < 300) return response;
    if (response.status == 401 && attempt == 1 && !is_anonymous_) {
      renew(request);
      continue;
    }
    if (response.status != 404) throw refusal(call, response);
    if (!key.empty()) send({.method = "HEAD", .container = container});  // Throws if that is what is not there.
    return std::nullopt;
  }
}

Error SwiftConnection::refusal(const SwiftCall& call, const HttpResponse& response) const {
  const std::string where = description(call.container);
  if (response.status == 404 && call.key.empty()) return Error(Errc::not_found, "there is no {}", where);
  if (response.status == 404)
    return Error(Errc::not_found, "there is no '{}' in {}", printable(call.key), where);
  const std::string words = words_of(response.body);
  Errc code = errc_of_remote_status(response.status);
  if (response.status == 409) code = Errc::conflict;
  if (response.status == 422) code = Errc::unavailable;  // Its MD5 is another: bytes changed on the way.
  const std::string what = call.key.empty() ? call.method : fmt::format("{} '{}'", call.method, printable(call.key));
  Error error(code, "{} answers {} with {}{}{}", where, what, response.status, words.empty() ? "" : ": ", words);
  error.set_backoff_millis(asked_backoff_millis(response));
  return error;
}

RemoteObject swift_object_of(const std::string& key, const HttpResponse& response) {
  return {.key = key,
          .size = 0,
          .etag = bare_etag(response.header("etag").value_or("")),
          .modified = parse_http_date(response.header("last-modified").value_or(response.header("date").value_or("")))};
}

bool is_segmented(const HttpResponse& response) {
  const std::string value = response.header("x-static-large-object").value_or("");
  return value == "True" || value == "true" || value == "1";
}

Time parse_swift_time(std::string_view text) {
  return parse_time(std::string(text) + (text.ends_with('Z') ? "" : "Z"));
}

}  // namespace volary
