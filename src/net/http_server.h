// net/http_server.h: an HTTP/1.1 server: connections by coroutines on a few threads, handlers on a bounded pool.
//
// A handler blocks as it likes on its pool thread and returns a whole Response, or one with a Stream that is polled
// without blocking. What is no HTTP, too large or too slow never reaches a handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/file.h"
#include "core/stream.h"

namespace volary {

struct Request {
  std::string method;
  std::string path;                  // Percent-decoded, without the query. Never contains NUL.
  std::vector<std::string> segments; // Of the path, each decoded on its own: "/a%2Fb/c" is {"a/b", "c"}, "/" is {}.
  std::multimap<std::string, std::string> query;  // In both, '+' and %20 are a space.
  std::map<std::string, std::string> headers;     // Names in lower case; what came twice is joined by ", ".
  std::string body;                  // At most body_bytes_max.
  Source* body_source = nullptr;     // Instead of `body`, where the server was told to stream it: as it comes. Read on
                                     // the handler's thread. Throws `unavailable` if the client goes.
  uint64_t body_bytes = 0;           // How many the source gives, or body has.
  std::optional<uint32_t> peer_uid;  // The user of the process at the other end of a Unix socket.
  std::string id;                    // Of this request, for logs and problems; answered as X-Request-Id.

  std::optional<std::string> header(const std::string& lower_case_name) const;
  std::optional<std::string> parameter(const std::string& name) const;  // The first of that name.
};

// Bytes that come over time: server-sent events, a log that grows, a large file.
class Stream {
 public:
  virtual ~Stream() = default;
  // What has come since the last call ("" if nothing has), or nothing at the end. Called on a pool thread, never twice
  // at once: again about 100 ms after "", at once after bytes. Must not wait. If it throws, the connection is broken
  // off, so that the client sees that the end is missing.
  virtual std::optional<std::string> poll() = 0;
  // Called once, before the first poll(). `ready` may be called from any thread: asks at once after a "".
  virtual void call_when_ready(std::function<void()> ready) { (void)ready; }
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::unique_ptr<Stream> stream;  // Instead of body: sent chunked, until the stream ends or the client goes.
  // Instead of all that: gets the connection after a 101 with this protocol in its header Upgrade. On a pool thread;
  // must not throw, nor keep it for long.
  std::function<void(Fd connection)> take_over;
  std::string protocol;
  std::optional<uint64_t> stream_bytes;  // How many bytes it gives, if that is known: sent as they are.
};

// Called on a pool thread, several at once. Must not throw: the dispatcher above it answers errors.
// HEAD arrives as such; the body of its answer is not sent, only how long it is.
using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
  std::string unix_socket;      // "" for none. Made with mode 0600; a stale one is replaced.
  std::string host;             // "" for no TCP. A name or an address.
  uint16_t port = 0;            // 0: any free one.
  size_t threads = 2;           // For connections.
  size_t handler_threads = 32;
  size_t queue_max = 1024;      // Requests that wait for a handler thread; one more is answered 503.
  // How long a client may take to send a head, and to take or give anything at all. A connection without a request
  // may stay as long.
  std::chrono::milliseconds patience{30'000};
  // Whether this request's body is to be streamed, as far as its head tells. Bodies without a content-length and small
  // ones never are. At most half of the handler threads take streams at once; one more is answered 503.
  std::function<bool(const Request&)> streams{};
};

constexpr size_t body_bytes_max = 8 << 20;            // Of one that is not streamed.
constexpr size_t streamed_bytes_min = 256 << 10;      // Smaller ones come whole: that is faster.
constexpr size_t head_bytes_max = 16 << 10;

class HttpServer {
 public:
  virtual ~HttpServer() = default;  // Stops.
  virtual uint16_t port() const = 0;  // 0 without TCP.
  // Stops accepting, lets running handlers end and answers them, breaks streams off, closes connections; returns when
  // all that is done. Any thread; from a handler it only begins this.
  virtual void stop() = 0;
};

// Listens and serves until stopped. Throws `exists` if the address is taken, `invalid` if it is none.
std::unique_ptr<HttpServer> start_http_server(const ServerOptions& options, Handler handler);

}  // namespace volary
