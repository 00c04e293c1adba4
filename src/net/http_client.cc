// net/http_client.cc: which of the two ways a request of net/http_client.h takes. Who only speaks over Unix sockets, as
// most commands do, never pays for the libraries of the other.
#include "net/http_client.h"

#include <mutex>

#include "net/curl_client.h"
#include "net/unix_client.h"

namespace volary {
namespace {

class EitherClient final : public HttpClient {
 public:
  explicit EitherClient(const HttpClientOptions& options) : options_(options) {}

  HttpResponse send(const HttpRequest& request, Sink* sink) override {
    if (!request.unix_socket.empty()) return unix_.send(request, sink);
    return curl_client().send(request, sink);
  }

 private:
  HttpClient& curl_client() {
    const std::lock_guard guard(lock_);
    if (!curl_) curl_ = make_curl_client(options_);
    return *curl_;
  }

  const HttpClientOptions options_;
  UnixClient unix_;
  std::mutex lock_;  // Of the next: it is made once, and then stays.
  std::unique_ptr<HttpClient> curl_;
};

}  // namespace

std::optional<std::string> HttpResponse::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

std::unique_ptr<HttpClient> make_http_client(const HttpClientOptions& options) {
  return std::make_unique<EitherClient>(options);
}

}  // namespace volary
