// net/curl_setup.cc: for net/curl_setup.h.
#include "net/curl_setup.h"

#include <algorithm>
#include <cstdlib>

namespace volary {
namespace {

constexpr long connect_seconds_max = 30;

}  // namespace

Error curl_failure(const HttpRequest& request, CURLcode code, const std::string& words) {
  const std::string what = words.empty() ? curl().easy_strerror(code) : words;
  const std::string where = speakable(request.url);
  switch (code) {
    case CURLE_URL_MALFORMAT: case CURLE_UNSUPPORTED_PROTOCOL:
      return {Errc::invalid, "'{}' is not a URL that can be asked: {}", where, what};
    case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_ISSUER_ERROR:
      return {Errc::invalid, "the certificate of {} cannot be trusted: {}", where, what};
    case CURLE_OUT_OF_MEMORY: return {Errc::exhausted, "no memory for the request to {}", where};
    case CURLE_OPERATION_TIMEDOUT:
      if (request.seconds_max > 0)
        return {Errc::unavailable, "{} has not answered within {} s: {}", where, request.seconds_max, what};
      return {Errc::unavailable, "{} does not answer, or nothing moved for {} s: {}", where, request.stall_seconds,
              what};
    default: return {Errc::unavailable, "the request to {} failed: {}", where, what};
  }
}

void set_up_curl(CURL* easy, const HttpRequest& request, const std::string& ca_file) {
  const auto set = [&](CURLoption option, auto value) { set_curl(easy, request, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  const auto stall = static_cast<long>(std::min<uint64_t>(request.stall_seconds, connect_seconds_max));
  set(CURLOPT_CONNECTTIMEOUT, stall > 0 ? stall : connect_seconds_max);
  set(CURLOPT_PROXY, "");  // This also keeps libcurl from reading http_proxy.
  set(CURLOPT_NOPROXY, "*");
  const char* const trusted = ca_file.empty() ? std::getenv("SSL_CERT_FILE") : ca_file.c_str();
  if (trusted && *trusted) set(CURLOPT_CAINFO, trusted);
}

}  // namespace volary
