// net/curl_client.h: HTTP over TCP and TLS by libcurl, for net/http_client.h; for this folder only.
#pragma once

#include <memory>

#include "net/http_client.h"

namespace volary {

// Loads libcurl; throws what curl() of net/curl_library.h throws.
std::unique_ptr<HttpClient> make_curl_client(const HttpClientOptions& options);

}  // namespace volary
