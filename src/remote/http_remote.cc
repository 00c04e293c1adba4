// remote/http_remote.cc: HEAD and GET, of servers that know little.
//
// Some refuse HEAD, or answer it without a length (and a signed URL is signed for GET only): then one byte is asked
// for, whose answer says how many there are.
#include "remote/http_remote.h"

#include <algorithm>
#include <atomic>

#include "core/tree_path.h"
#include "net/request_words.h"
#include "remote/base64.h"
#include "remote/download.h"
#include "remote/key.h"
#include "remote/retry.h"
#include "remote/s3_connection.h"

namespace volary {
namespace {

constexpr std::string_view modified_mark = "modified ";

bool is_strong(const std::string& etag) { return !etag.empty() && !etag.starts_with("W/"); }

class HttpRemote final : public Remote {
 public:
  HttpRemote(const HttpOptions& options, HttpClient& http) : options_(options), http_(http) {
    check_http_url(options_.url);
    const size_t path = options_.url.find('/', options_.url.find("://") + 3);
    const bool has_query = options_.url.find('?') != std::string::npos;
    if (path == std::string::npos && !has_query) options_.url += '/';
    if (options_.url.ends_with('/') && !has_query) {
      description_ = "web directory " + speakable(options_.url);
    } else {
      const std::string shown = speakable(options_.url);
      file_ = percent_decode(shown.substr(shown.rfind('/') + 1));
      description_ = "web file " + shown;
    }
  }

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    if (file_.empty())
      throw Error(Errc::invalid, "{} has no listing: name a file in it", description_);
    if (!file_.starts_with(prefix)) return;
    const auto found = find(file_);
    if (!found) throw Error(Errc::not_found, "there is no {}", description_);
    visit(*found);
  }

  std::optional<RemoteObject> find(const std::string& key) override;
  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;

  RemoteObject put(const std::string&, Source&, uint64_t) override { refuse_to_write(); }
  void remove(const std::string&) override { refuse_to_write(); }
  bool reads_whole() const override { return !has_ranges_; }
  bool has_listing() const override { return !file_.empty(); }
  std::string description() const override { return description_; }

 private:
  [[noreturn]] void refuse_to_write() const {
    throw Error(Errc::invalid, "{} can only be read: Volary does not write to web servers", description_);
  }
  // Nothing for a key that cannot be the file's.
  std::optional<std::string> url_of(const std::string& key) const;
  HttpRequest request_of(std::string url) const;
  HttpResponse ask_one_byte(const std::string& url, const std::string& key, uint64_t& size);
  RemoteObject object_of(const std::string& key, const HttpResponse& response) const;
  Error refusal(const std::string& key, const HttpResponse& response) const;

  HttpOptions options_;
  HttpClient& http_;
  std::string description_;
  std::string file_;                      // "" for a directory.
  std::atomic<bool> has_ranges_{true};    // Until a server says no.
};

std::optional<std::string> HttpRemote::url_of(const std::string& key) const {
  check_key(key);
  if (!file_.empty()) return key == file_ ? std::optional(options_.url) : std::nullopt;
  for (size_t start = 0; start <= key.size();) {
    const size_t end = std::min(key.find('/', start), key.size());
    const std::string_view part = std::string_view(key).substr(start, end - start);
    if (part.empty() || part == "." || part == "..")
      throw Error(Errc::invalid, "'{}' is no file below {}: a part of it is empty, '.' or '..'", printable(key),
                  description_);
    start = end + 1;
  }
  return options_.url + percent_encode(key, true);
}

HttpRequest HttpRemote::request_of(std::string url) const {
  HttpRequest request{.url = std::move(url), .follow_redirects = true};
  request.headers.emplace_back("accept-encoding", "identity");
  if (!options_.token.empty()) request.headers.emplace_back("authorization", "Bearer " + options_.token);
  else if (!options_.user.empty())
    request.headers.emplace_back("authorization", "Basic " + base64_of(options_.user + ":" + options_.password));
  return request;
}

// Asks for the first byte alone; `size` is what the answer says of the whole.
HttpResponse HttpRemote::ask_one_byte(const std::string& url, const std::string& key, uint64_t& size) {
  HttpRequest request = request_of(url);
  request.headers.emplace_back("range", "bytes=0-0");
  std::optional<HttpResponse> seen;
  request.on_headers = [&](const HttpResponse& response) {
    seen = response;
    // All of it comes: that was not what was wanted to know.
    if (response.status == 200) throw Error(Errc::conflict, "the headers are enough");
  };
  StringSink byte(1);
  const auto error = error_of([&] { http_.send(request, &byte); });
  if (!seen) throw Error(*error);
  if (seen->status == 416 && seen->header("content-range").value_or("") == "bytes */0") {
    size = 0;  // Nothing has no first byte.
    seen->status = 206;
  } else if (seen->status == 206) {
    const std::string range = seen->header("content-range").value_or("");
    const auto total = parse_number(range.substr(std::min(range.rfind('/') + 1, range.size())));
    if (!total)
      throw Error(Errc::corrupt, "{} was asked for a byte of '{}' and answers '{}'", description_, printable(key),
                  printable(range));
    size = *total;
  } else {
    has_ranges_ = has_ranges_ && seen->status != 200;
    const auto length = content_length(*seen);
    if (seen->status == 200 && !length && options_.unknown_size == UnknownSize::refuse)
      throw Error(Errc::invalid, "{} does not say how long '{}' is: it can be had by 'volary fetch', and not imported",
                  description_, printable(key));
    if (!length) seen->headers.erase("etag"), seen->headers.erase("last-modified");
    size = length.value_or(0);
  }
  return *seen;
}

std::optional<RemoteObject> HttpRemote::find(const std::string& key) {
  const auto url = url_of(key);
  if (!url) return std::nullopt;
  HttpRequest request = request_of(*url);
  request.method = "HEAD";
  HttpResponse response = http_.send(request);
  if (response.status == 404 || response.status == 410) return std::nullopt;
  auto size = content_length(response);
  const bool is_good = response.status == 200 && size;
  if (is_good && response.header("accept-ranges").value_or("") != "bytes") has_ranges_ = false;
  if (!is_good && response.status < 500 && response.status != 429 && response.status != 401)
    response = ask_one_byte(*url, key, size.emplace());
  if (response.status == 404 || response.status == 410) return std::nullopt;
  if (response.status < 200 || response.status >= 300) throw refusal(key, response);
  RemoteObject object = object_of(key, response);
  object.size = *size;
  return object;
}

RemoteObject HttpRemote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  const auto url = url_of(key);
  if (!url) throw Error(Errc::not_found, "there is no '{}' in {}", printable(key), description_);
  if (options.range && options.range->size == 0) {
    const auto object = find(key);
    if (!object) throw Error(Errc::not_found, "there is no '{}' in {}", printable(key), description_);
    check_match(*object, options, description_);
    range_of(*object, options);
    return *object;
  }
  HttpRequest request = request_of(*url);
  if (options.if_match.starts_with(modified_mark))
    request.headers.emplace_back("if-unmodified-since", options.if_match.substr(modified_mark.size()));
  else if (is_strong(options.if_match))
    request.headers.emplace_back("if-match", quoted_etag(options.if_match));
  return download(http_,
                  {.key = key,
                   .options = options,
                   .request = std::move(request),
                   .description = description_,
                   .object_of = [&](const HttpResponse& response) { return object_of(key, response); },
                   .refusal = [&](const HttpResponse& response) { return refusal(key, response); }},
                  sink);
}

RemoteObject HttpRemote::object_of(const std::string& key, const HttpResponse& response) const {
  const std::string modified = response.header("last-modified").value_or("");
  std::string etag = bare_etag(response.header("etag").value_or(""));
  if (etag.empty() && !modified.empty()) etag = std::string(modified_mark) + modified;
  return {.key = key, .size = 0, .etag = std::move(etag), .modified = parse_http_date(modified)};
}

Error HttpRemote::refusal(const std::string& key, const HttpResponse& response) const {
  if (response.status == 404 || response.status == 410)
    return Error(Errc::not_found, "there is no '{}' in {}", printable(key), description_);
  if (response.status == 412)
    return Error(Errc::conflict, "'{}' in {} is another one by now", printable(key), description_);
  const bool is_anonymous = options_.token.empty() && options_.user.empty();
  const std::string_view hint = response.status == 401 && is_anonymous ? ": it wants a token or a password" : "";
  Error error(errc_of_remote_status(response.status), "{} answers {} when asked for '{}'{}", description_,
              response.status, printable(key), hint);
  error.set_backoff_millis(asked_backoff_millis(response));
  return error;
}

}  // namespace

void check_http_url(const std::string& url) {
  const size_t host = url.find("://") + 3;
  const bool is_known = url.starts_with("http://") || url.starts_with("https://");
  const auto is_odd = [](unsigned char c) { return c <= ' ' || c == 127; };
  if (!is_known || host_of_url(url).empty() || std::any_of(url.begin(), url.end(), is_odd))
    throw Error(Errc::invalid, "'{}' is no URL of a file or directory: expected https://HOST/PATH, with what is not "
                "plain in it as %XX", printable(speakable(url)));
  const size_t authority_end = std::min(url.find_first_of("/?#", host), url.size());
  if (url.substr(host, authority_end - host).find('@') != std::string::npos)
    throw Error(Errc::invalid, "'{}' has a name or password in it: expected them in a secret", speakable(url));
  if (url.find('#') != std::string::npos)
    throw Error(Errc::invalid, "'{}' has a '#': expected a URL without a fragment", speakable(url));
  const size_t query = url.find('?');
  if (query != std::string::npos && url[query - 1] == '/')
    throw Error(Errc::invalid, "'{}' is a directory with a query: expected none", speakable(url));
}

std::unique_ptr<Remote> open_http_remote(const HttpOptions& options, HttpClient& http) {
  return std::make_unique<HttpRemote>(options, http);
}

}  // namespace volary
