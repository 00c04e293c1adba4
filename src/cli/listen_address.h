// cli/listen_address.h: HOST:PORT as given to `volary server --listen`.
#pragma once

#include <cstdint>
#include <string>

namespace volary {

struct ListenAddress {
  std::string host;
  uint16_t port = 0;
};

// "127.0.0.1:8080", "[::1]:0". Throws `invalid`.
ListenAddress parse_listen_address(const std::string& text);

}  // namespace volary
