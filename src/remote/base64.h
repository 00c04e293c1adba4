// remote/base64.h: RFC 4648, with padding, as `authorization: Basic` wants it.
#pragma once

#include <string>
#include <string_view>

#include <openssl/evp.h>

namespace volary {

inline std::string base64_of(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

}  // namespace volary
