// remote/s3_connection.cc: URLs, signatures and errors of S3.
#include "remote/s3_connection.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "remote/retry.h"
#include "remote/xml_reader.h"

namespace volary {
namespace {

constexpr size_t words_bytes_max = 300;     // Of a server's message that are passed on.
constexpr int64_t throttled_millis = 1000;  // The wait to begin with when a server asks to slow down.
constexpr int64_t retry_after_seconds_max = 60;

// What <Error> holds. Only these fields are read: others can hold the request's signature or the access key.
struct Words {
  std::string code;
  std::string message;
  std::string region;
  std::string endpoint;
};

// Empty where the body is not S3's: a HEAD has none, and a proxy answers in HTML.
Words words_of(const std::string& body) {
  Words words;
  (void)error_of([&] {
    XmlReader reader(body);
    for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
      if (event != XmlReader::Event::end) continue;
      if (reader.name() == "Code") words.code = reader.text();
      else if (reader.name() == "Message") words.message = reader.text().substr(0, words_bytes_max);
      else if (reader.name() == "Region") words.region = reader.text();
      else if (reader.name() == "Endpoint") words.endpoint = reader.text();
    }
  });
  return words;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Not of one object, as AccessDenied may be.
bool is_about_credentials(std::string_view code) {
  return is_one_of(code, {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
                          "TokenRefreshRequired", "RequestTimeTooSkewed", "AllAccessDisabled", "AccountProblem"});
}

bool is_throttling(std::string_view code, int status) {
  return is_one_of(code, {"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
                          "TooManyRequests", "RequestLimitExceeded", "BandwidthLimitExceeded"}) ||
         status == 429;
}

Errc errc_of_status(int status) {
  switch (status) {
    case 401: case 403: return Errc::denied;
    case 404: case 410: return Errc::not_found;
    case 409: case 412: return Errc::conflict;
    case 408: case 429: return Errc::unavailable;
    case 501: case 505: return Errc::invalid;
    case 507: return Errc::exhausted;
    default: return status >= 500 ? Errc::unavailable : Errc::invalid;
  }
}

Errc errc_of(std::string_view code, int status) {
  if (is_throttling(code, status)) return Errc::unavailable;
  // Bytes that changed on the way are sent again; so is what came too late for the server.
  if (is_one_of(code, {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout", "InternalError",
                       "ServiceUnavailable", "Busy"}))
    return Errc::unavailable;
  if (code == "AccessDenied" || is_about_credentials(code)) return Errc::denied;
  if (is_one_of(code, {"NoSuchBucket", "NoSuchKey"})) return Errc::not_found;
  if (is_one_of(code, {"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", "NoSuchUpload"}))
    return Errc::conflict;
  if (is_one_of(code, {"QuotaExceeded", "TooManyBuckets"})) return Errc::exhausted;
  if (is_one_of(code, {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"})) return Errc::exists;
  return errc_of_status(status);
}

int64_t backoff_of(std::string_view code, const HttpResponse& response) {
  int64_t seconds = 0;
  if (const auto text = response.header("retry-after"))
    std::from_chars(text->data(), text->data() + text->size(), seconds);
  // Twice, because the wait is random between 0 and this: on average it is what was asked for.
  if (seconds > 0) return 2000 * std::min(seconds, retry_after_seconds_max);
  return is_throttling(code, response.status) || response.status == 503 ? throttled_millis : 0;
}

const std::string& sha256_of_nothing() {
  static const std::string hex = sha256_hex("");
  return hex;
}

std::string without_trailing_slashes(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

S3Connection::S3Connection(const S3Options& options, HttpClient& http, Clock& clock)
    : options_(options),
      http_(http),
      clock_(clock),
      signer_({options.access_key, options.secret_key, options.session_token}, options.region) {
  const std::string endpoint = without_trailing_slashes(options.endpoint);
  const size_t scheme_end = endpoint.find("://");
  const std::string scheme = endpoint.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https") ||
      endpoint.size() == scheme_end + 3 || endpoint.find_first_of("?#@ ") != std::string::npos)
    throw Error(Errc::invalid, "'{}' is not an S3 endpoint: expected one such as https://s3.example.com or "
                "http://127.0.0.1:7480", options.endpoint);
  if (options.bucket.find('/') != std::string::npos)
    throw Error(Errc::invalid, "'{}' is not the name of an S3 bucket", options.bucket);
  if (options.region.empty()) throw Error(Errc::invalid, "the region of {} is empty", endpoint);

  const size_t host_end = std::min(endpoint.find('/', scheme_end + 3), endpoint.size());
  host_ = endpoint.substr(scheme_end + 3, host_end - scheme_end - 3);
  path_ = percent_encode(endpoint.substr(host_end), true);
  if (is_bucket_in_host()) host_ = options.bucket + "." + host_;
  else if (!options.bucket.empty()) path_ += "/" + percent_encode(options.bucket);
  origin_ = scheme + "://" + host_;
  is_clear_ = scheme == "http";
  description_ = options.bucket.empty() ? "s3 at " + endpoint
                                        : fmt::format("s3 bucket '{}' at {}", options.bucket, endpoint);
}

HttpResponse S3Connection::send(S3Call& call, Sink* sink) {
  HttpResponse response = exchange(call, sink);
  if (response.status < 200 || response.status >= 300) throw refusal(call, response);
  saw_bucket_ = true;
  return response;
}

// A clock that is off is corrected by the server's: only a wrong time is refused so, and the answer has the right one.
HttpResponse S3Connection::exchange(S3Call& call, Sink* sink) {
  HttpResponse response = exchange_once(call, sink);
  if (response.status != 403 || words_of(response.body).code != "RequestTimeTooSkewed") return response;
  const Time there = parse_http_date(response.header("date").value_or(""));
  if (!there) return response;
  skew_micros_ = there.micros - clock_.now().micros;
  return exchange_once(call, sink);
}

HttpResponse S3Connection::exchange_once(S3Call& call, Sink* sink) {
  SignableRequest signable{call.method, path_, call.query, call.headers, ""};
  const bool has_slash = !call.key.empty() || is_bucket_in_host() || options_.bucket.empty();
  if (has_slash) signable.path += "/" + percent_encode(call.key, true);
  signable.headers["host"] = host_;
  if (!options_.access_key.empty()) {
    const bool is_hashed = is_clear_ || (call.body.empty() && !call.content);
    if (!is_hashed) signable.payload = unsigned_payload;
    else if (!call.body_sha256.empty()) signable.payload = call.body_sha256;
    else signable.payload = call.body.empty() ? sha256_of_nothing() : sha256_hex(call.body);
    signer_.sign(signable, Time{clock_.now().micros + skew_micros_});
  }

  HttpRequest request;
  request.method = call.method;
  const std::string query = signable.query_text();
  request.url = origin_ + signable.path + (query.empty() ? "" : "?" + query);
  request.headers.assign(signable.headers.begin(), signable.headers.end());
  request.connect_to = options_.connect_to;
  request.on_headers = call.on_headers;
  request.stall_seconds = call.stall_seconds;
  request.stop = call.stop;
  request.takes_back = call.takes_back;
  const std::unique_ptr<Source> content = call.content ? call.content() : nullptr;
  request.source = content.get();
  request.source_bytes = call.content_bytes;
  // Lent, not copied: a part can be large.
  struct Lent {
    explicit Lent(std::string& from, std::string& into) : mine(from), theirs(into) { mine.swap(theirs); }
    ~Lent() { mine.swap(theirs); }
    std::string& mine;
    std::string& theirs;
  };
  const Lent lent(call.body, request.body);
  return http_.send(request, sink);
}

std::optional<HttpResponse> S3Connection::head(const std::string& key, std::map<std::string, std::string> headers) {
  S3Call call{.method = "HEAD", .key = key, .headers = std::move(headers)};
  HttpResponse response = exchange(call, nullptr);
  if (response.status >= 200 && response.status < 300) return response;
  // The answer to a HEAD has no words, so the same is asked in a way that has some.
  if (response.status == 404 && !saw_bucket_) {
    send({.query = {{"list-type", "2"}, {"max-keys", "1"}}});
  } else if (response.status != 404 && response.status < 500) {
    StringSink first_byte;
    send({.key = key, .headers = {{"range", "bytes=0-0"}}}, &first_byte);
  }
  if (response.status != 404) throw refusal(call, response);
  return std::nullopt;
}

void S3Connection::remove(const std::string& key) {
  S3Call call{.method = "DELETE", .key = key};
  const HttpResponse response = exchange(call, nullptr);
  // Most servers say 204 of what is absent, some this.
  const bool is_absent = response.status == 404 && words_of(response.body).code == "NoSuchKey";
  if ((response.status < 200 || response.status >= 300) && !is_absent) throw refusal(call, response);
}

Error S3Connection::refusal(const S3Call& call, const HttpResponse& response) const {
  const Words words = words_of(response.body);
  const bool is_redirect = response.status == 301 || response.status == 302 || response.status == 307 ||
                           response.status == 308 || words.code == "PermanentRedirect";
  if (is_redirect || (words.code == "AuthorizationHeaderMalformed" && !words.region.empty()))
    return redirection(response, words.region, words.endpoint);
  if (words.code == "NoSuchBucket") {
    Error error(Errc::not_found, "there is no {} (NoSuchBucket)", description_);
    error.set_concerns_all();
    return error;
  }
  if (words.code == "NoSuchKey")
    return Error(Errc::not_found, "there is no '{}' in {} (NoSuchKey)", call.key, description_);
  const std::string what = call.key.empty() ? call.method : fmt::format("{} '{}'", call.method, call.key);
  const bool is_expired = is_one_of(words.code, {"ExpiredToken", "TokenRefreshRequired"});
  Error error(errc_of(words.code, response.status), "{} answers {} with {} {}{}{}{}", description_, what,
              response.status, words.code.empty() ? "and no reason" : words.code, words.message.empty() ? "" : ": ",
              words.message, is_expired ? "; the credentials have expired: expected a secret with new ones" : "");
  error.set_backoff_millis(backoff_of(words.code, response));
  if (is_about_credentials(words.code) || words.code == "QuotaExceeded") error.set_concerns_all();
  return error;
}

Error S3Connection::redirection(const HttpResponse& response, const std::string& region,
                                const std::string& endpoint) const {
  std::string where;
  const std::string there = region.empty() ? response.header("x-amz-bucket-region").value_or("") : region;
  if (!there.empty()) where += fmt::format(" in region '{}'", there);
  if (!endpoint.empty()) where += fmt::format(" at host '{}'", endpoint);
  if (where.empty()) where = " elsewhere and does not say where";
  Error error(Errc::invalid, "{} was asked in region '{}', but the server says the bucket is{}", description_,
              options_.region, where);
  error.set_concerns_all();
  return error;
}

RemoteObject object_of(const std::string& key, const HttpResponse& response, uint64_t size) {
  const auto modified = response.header("last-modified");
  return {key, size, bare_etag(response.header("etag").value_or("")),
          parse_http_date(modified ? *modified : response.header("date").value_or(""))};
}

std::string bare_etag(std::string_view quoted) {
  if (quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"') quoted = quoted.substr(1, quoted.size() - 2);
  return std::string(quoted);
}

std::string quoted_etag(const std::string& bare) {
  return bare.starts_with("W/") || bare.starts_with('"') ? bare : "\"" + bare + "\"";
}

Time parse_http_date(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::string_view rest = text.substr(std::min(text.find(',') + 1, text.size()));
  bool is_date = rest.size() != text.size();
  const auto take = [&](char before) {
    is_date = is_date && rest.starts_with(before);
    while (rest.starts_with(before)) rest.remove_prefix(1);
    int number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    is_date = is_date && error == std::errc() && number >= 0;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    return number;
  };
  const int day_number = take(' ');
  const size_t month_at = rest.size() < 4 ? months.npos : months.find(rest.substr(1, 3));
  if (!is_date || month_at == months.npos || month_at % 3 != 0) return {};
  rest.remove_prefix(4);
  const year_month_day date(year(take(' ')), month(static_cast<unsigned>(month_at / 3 + 1)),
                            day(static_cast<unsigned>(day_number)));
  const hours hour(take(' '));
  const minutes minute(take(':'));
  const seconds second(take(':'));
  if (!is_date || !date.ok()) return {};
  return Time{microseconds(sys_days(date).time_since_epoch() + hour + minute + second).count()};
}

}  // namespace volary
