// net/unix_client.h: HTTP over Unix sockets, for net/http_client.h; for this folder only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/synced.h"
#include "net/http_client.h"

namespace volary {

// To the request's unix_socket; waits for its turn where too many do. Throws `unavailable`.
Fd connect_to_socket(const HttpRequest& request);

class UnixClient final : public HttpClient {
 public:
  // As HttpClient::send(); no redirect is followed.
  HttpResponse send(const HttpRequest& request, Sink* sink) override;

 private:
  std::optional<Fd> take_kept(const std::string& socket);
  void keep(const std::string& socket, Fd connection);

  Synced<std::map<std::string, std::vector<Fd>>> idle_;  // By the path of the socket.
};

}  // namespace volary
