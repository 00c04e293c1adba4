// remote/s3_connection.h: one signed S3 request at a time, and what a refusal means.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "remote/remote.h"
#include "remote/sigv4.h"

namespace volary {

struct S3Call {
  std::string method = "GET";
  std::string key{};  // "" is the bucket itself.
  std::vector<std::pair<std::string, std::string>> query{};
  std::map<std::string, std::string> headers{};  // Names in lower case.
  std::string body{};
  std::string body_sha256{};  // In hexadecimal digits, where it is known already.
  // Instead of a body: gives its content_bytes from the beginning, whenever it is asked for them. Needs body_sha256.
  std::function<std::unique_ptr<Source>()> content{};
  uint64_t content_bytes = 0;
  std::stop_token stop{};                      // As in HttpRequest.
  bool takes_back = false;                     // As in HttpRequest.
  uint64_t stall_seconds = 60;                 // As in HttpRequest.
  std::function<void(const HttpResponse&)> on_headers{};  // As in HttpRequest.
};

// To one bucket, or to the endpoint itself if the bucket is "". Any thread.
class S3Connection {
 public:
  S3Connection(const S3Options& options, HttpClient& http, Clock& clock);

  // Signs, sends and returns a 2xx. Throws what else the server answers, as remote/remote.h says.
  // The call's body is there again afterwards, so it may be sent once more.
  HttpResponse send(S3Call& call, Sink* sink = nullptr);
  HttpResponse send(S3Call&& call, Sink* sink = nullptr) { return send(call, sink); }
  // HEAD: nothing if there is no such object; a missing bucket is an error.
  std::optional<HttpResponse> head(const std::string& key, std::map<std::string, std::string> headers = {});
  // DELETE: absent is success.
  void remove(const std::string& key);
  // What the server says in `response`, which is not a 2xx or has an <Error> in a 200.
  Error refusal(const S3Call& call, const HttpResponse& response) const;

  const std::string& bucket() const { return options_.bucket; }
  // Whether the bytes that are sent are hashed for the signature, because nothing else protects them on the way.
  bool signs_bodies() const { return is_clear_ && !options_.access_key.empty(); }
  // Whether answers could change on the way to this machine, since no TLS protects them.
  bool is_exposed() const { return is_clear_ && !options_.is_near; }
  const std::string& description() const { return description_; }

 private:
  bool is_bucket_in_host() const { return options_.virtual_host && !options_.bucket.empty(); }
  HttpResponse exchange(S3Call& call, Sink* sink);
  HttpResponse exchange_once(S3Call& call, Sink* sink);
  Error redirection(const HttpResponse& response, const std::string& region, const std::string& endpoint) const;

  const S3Options options_;
  HttpClient& http_;
  Clock& clock_;
  const Signer signer_;
  std::string origin_;       // "https://bucket.host:port"
  std::string host_;         // "bucket.host:port"
  std::string path_;         // "/bucket", or what the endpoint has as its own path
  std::string description_;
  bool is_clear_ = false;    // Without TLS: payloads are hashed and signed.
  std::atomic<int64_t> skew_micros_{0};   // What this machine's clock is behind the server's.
  std::atomic<bool> saw_bucket_{false};
};

// The object that a HEAD, GET or PUT answer describes. `size` is the whole object's.
RemoteObject object_of(const std::string& key, const HttpResponse& response, uint64_t size);
// Without its quotes: listings, headers and If-Match then speak of the same.
std::string bare_etag(std::string_view quoted);
std::string quoted_etag(const std::string& bare);
// "Wed, 21 Oct 2015 07:28:00 GMT"; never if it is not such a text.
Time parse_http_date(std::string_view text);

}  // namespace volary
