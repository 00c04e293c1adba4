// net/http_client.h: HTTP requests, blocking, over TCP, TLS and Unix sockets.
//
// Connections are kept and reused. Redirects are followed only if asked for. To another origin (scheme, host or port)
// they carry no header but what tells which bytes are wanted, and they lead nowhere that is nearer to this machine than
// where the request began (net/address.h): that is `denied`. It is held against the address really connected to.
// Certificates are always verified. No retry here: remote/retry.h wraps what may be retried. TCP connections and TLS
// are libcurl's, which the first such request loads; if it cannot be loaded, all of them are `unavailable`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/stream.h"
#include "net/address.h"

namespace volary {

struct HttpResponse {
  int status = 0;
  std::multimap<std::string, std::string> headers;  // Names in lower case.
  std::string body;                                 // Empty if it went to a sink; at most response_body_bytes_max.
  std::optional<std::string> header(const std::string& lower_case_name) const;
};

constexpr uint64_t response_body_bytes_max = 64 << 20;

struct HttpRequest {
  std::string method = "GET";
  std::string url{};        // Sent exactly as given: no dot segments removed, nothing re-encoded.
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};               // Sent if not empty or if the method is POST, PUT or PATCH, unless `source` is set.
  Source* source = nullptr;         // The body as a stream of source_bytes.
  uint64_t source_bytes = 0;
  std::string unix_socket{};        // Connect there instead of to the URL's host.
  std::string connect_to{};         // "host:port" to connect to instead of the URL's; the certificate stays the URL's.
  // Of GET and HEAD, at most 10, never from https to http; over a Unix socket none. Others get the 3xx.
  bool follow_redirects = false;
  // Gives up (`unavailable`) when less than 1 byte a second moves for so long. 0: never. Not a limit on the whole.
  uint64_t stall_seconds = 60;
  uint64_t seconds_max = 0;         // Gives up (`unavailable`) when it has taken so long in all. 0: never.
  std::stop_token stop{};           // Ends the request with `unavailable`, soon.
  // It takes back what was begun: sent even by who was asked to stop, and not waited for long.
  bool takes_back = false;
  // Called once, when status and headers of the last response have come, before a byte of its body is given to the
  // sink: the place to refuse a response that is not the one asked for. What it throws ends the request and passes on.
  std::function<void(const HttpResponse&)> on_headers{};
};

// The seam for HTTP: tests put a faulty or recording one in.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Sends and waits. Any status is a response, not an error; no response is `unavailable` (could not connect, broke
  // off, body shorter than said), a bad URL or certificate is `invalid`. With a sink, the body of a 2xx goes there as
  // it comes (the sink may throw: that ends the request and passes on). Bodies are given as sent: no decompression.
  // Any thread, many at once: each call has its own connection.
  virtual HttpResponse send(const HttpRequest& request, Sink* sink = nullptr) = 0;
};

enum class Redirects {
  guarded,   // As said above.
  anywhere,  // Also to nearer addresses.
};

struct HttpClientOptions {
  std::string proxy{};     // "http://host:port" to go through. "" is none: *_proxy in the environment is never read.
  std::string no_proxy{};  // Hosts to go to without it: see is_without_proxy().
  // PEM certificates to trust. "": those that SSL_CERT_FILE in the environment names, as OpenSSL's own programs have
  // it, or the system's.
  std::string ca_file{};
  // What every request is for: a name that leads nearer to this machine by now is `denied`. Nothing: anywhere.
  std::optional<AddressKind> made_for{};
  Redirects redirects = Redirects::guarded;
};

std::unique_ptr<HttpClient> make_http_client(const HttpClientOptions& options = {});

// RFC 3986: everything but unreserved characters (and '/', if kept) becomes %XX.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// Throws `invalid` on a broken escape.
std::string percent_decode(std::string_view text);

}  // namespace volary
