// net/http_client.cc: which of the two ways a request of net/http_client.h takes. Who only speaks over Unix sockets, as
// most commands do, never pays for the libraries of the other. TLS, proxies, redirects and whatever else a URL may hold
// are libcurl's.
#include "net/http_client.h"

#include <algorithm>
#include <cctype>
#include <mutex>

#include "net/curl_client.h"
#include "net/plain_client.h"

namespace volary {
namespace {

// http://HOST[:PORT]/…, HOST a name or an address and nothing else.
bool is_plain(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme) || url.find('#') != url.npos) return false;
  const std::string_view host = url.substr(scheme.size(), url.find_first_of("/?", scheme.size()) - scheme.size());
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || c == '.' || c == '-' || c == ':' || c == '[' || c == ']');
  });
}

class EitherClient final : public HttpClient {
 public:
  explicit EitherClient(const HttpClientOptions& options) : options_(options) {}

  HttpResponse send(const HttpRequest& request, Sink* sink) override {
    if (!request.unix_socket.empty() || (is_plain(request.url) && !needs_curl(request)))
      return plain_.send(request, sink);
    return curl_client().send(request, sink);
  }

 private:
  bool needs_curl(const HttpRequest& request) const {
    return request.follow_redirects ||
           (!options_.proxy.empty() && !is_without_proxy(host_of_url(request.url), options_.no_proxy));
  }

  HttpClient& curl_client() {
    const std::lock_guard guard(lock_);
    if (!curl_) curl_ = make_curl_client(options_);
    return *curl_;
  }

  const HttpClientOptions options_;
  PlainClient plain_{[this](const HttpRequest& request) { return socket_by_curl(request, options_); }};
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
