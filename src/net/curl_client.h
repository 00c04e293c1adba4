// net/curl_client.h: HTTP over TCP and TLS by libcurl, for net/http_client.h; for this folder only.
#pragma once

#include <memory>

#include "core/file.h"
#include "net/http_client.h"

namespace volary {

// Loads libcurl; throws what curl() of net/curl_library.h throws.
std::unique_ptr<HttpClient> make_curl_client(const HttpClientOptions& options);

// To where a request over plain TCP would go, through no proxy, and nothing is said yet. Waits as the request says, and
// throws what HttpClient::send() would.
Fd socket_by_curl(const HttpRequest& request, const HttpClientOptions& options);

}  // namespace volary
