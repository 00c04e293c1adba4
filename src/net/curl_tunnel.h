// net/curl_tunnel.h: a connection of one's own over TCP or TLS, for net/tunnel.h; for this folder only.
#pragma once

#include "net/tunnel.h"

namespace volary {

// To the request's URL, where nothing is said yet. What a TLS library holds back, or wants to be asked with again, is
// the relay's to know. Either side's end is the other's; the relay ends with them, or when it is asked to.
Tunnel connect_by_curl(const HttpRequest& request);

}  // namespace volary
