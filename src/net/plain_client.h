// net/plain_client.h: HTTP over Unix sockets and over TCP without TLS, for net/http_client.h; for this folder only.
//
// A request of libcurl's takes longer by itself than all else that is done for a small object, so libcurl only makes
// the connections that this then uses.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/synced.h"
#include "net/http_client.h"

namespace volary {

// To the request's unix_socket; waits for its turn where too many do. Throws `unavailable`.
Fd connect_to_socket(const HttpRequest& request);

struct PlainConnection {
  Fd socket;
  std::unique_ptr<char[]> room;  // For what is received.
  std::chrono::steady_clock::time_point idle_since;
};

class PlainClient final : public HttpClient {
 public:
  // To the host of the request's URL, which is http://HOST[:PORT] and what follows.
  using ConnectOverTcp = std::function<Fd(const HttpRequest& request)>;
  explicit PlainClient(ConnectOverTcp connect) : connect_over_tcp_(std::move(connect)) {}

  // As HttpClient::send(); no redirect is followed.
  HttpResponse send(const HttpRequest& request, Sink* sink) override;

 private:
  static std::string server_of(const HttpRequest& request);
  PlainConnection connect(const HttpRequest& request) const;
  std::optional<PlainConnection> take_kept(const std::string& server);
  void keep(const std::string& server, PlainConnection connection);

  const ConnectOverTcp connect_over_tcp_;
  Synced<std::map<std::string, std::vector<PlainConnection>>> idle_;  // By server_of().
};

}  // namespace volary
