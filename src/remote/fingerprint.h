// remote/fingerprint.h: what object stores call bytes: SHA-256 in signatures, CRC-32C as checksum, MD5 as etag.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace volary {

// CRC-32C (Castagnoli) of what `before` is the checksum of, and `bytes` behind it.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);
// As x-amz-checksum-crc32c has it: the four bytes, the most significant first, in base64.
std::string crc32c_text(uint32_t checksum);
// The four bytes alone: what the checksum of an object in parts is made of.
std::string crc32c_bytes(uint32_t checksum);

// Of bytes that come in pieces.
class Hash {
 public:
  enum class Kind { sha512, sha256, sha1, md5 };
  explicit Hash(Kind kind);
  Hash(Hash&&) noexcept;
  ~Hash();
  void update(std::string_view bytes);
  std::string finish();  // The raw bytes. Once, or once more after each restart().
  void restart();

 private:
  void* context_;  // EVP_MD_CTX
};

// In hexadecimal digits, lower case.
std::string hex_text(std::string_view bytes);
std::string md5_raw(std::string_view bytes);
// Of `first` and `second` behind it.
std::string sha256_raw(std::string_view first, std::string_view second = {});
// Whether an etag has the form of an MD5: 32 hexadecimal digits.
bool looks_like_md5(std::string_view etag);

}  // namespace volary
