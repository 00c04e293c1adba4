// remote/s3_checksum.cc: for remote/s3_checksum.h.
#include "remote/s3_checksum.h"

#include "remote/base64.h"
#include "remote/s3_connection.h"

namespace volary {
namespace {

constexpr std::pair<const char*, ChecksumKind> checksum_headers[] = {
    {"x-amz-checksum-crc32c", ChecksumKind::crc32c}, {"x-amz-checksum-crc64nvme", ChecksumKind::crc64nvme},
    {"x-amz-checksum-crc32", ChecksumKind::crc32},   {"x-amz-checksum-sha256", ChecksumKind::sha256},
    {"x-amz-checksum-sha1", ChecksumKind::sha1}};

uint8_t digit_of(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

}  // namespace

std::optional<StoredChecksum> checksum_of(const HttpResponse& response) {
  if (response.header("x-amz-checksum-type").value_or("") == "COMPOSITE") return std::nullopt;
  for (const auto& [name, kind] : checksum_headers) {
    const auto text = response.header(name);
    if (!text) continue;
    auto bytes = bytes_of_base64(*text);
    if (bytes && bytes->size() == checksum_bytes(kind)) return StoredChecksum{kind, std::move(*bytes)};
  }
  return std::nullopt;
}

std::optional<StoredChecksum> md5_of_etag(const HttpResponse& response) {
  const std::string etag = bare_etag(response.header("etag").value_or(""));
  if (!looks_like_md5(etag) || response.header("x-amz-server-side-encryption-customer-algorithm") ||
      response.header("x-amz-server-side-encryption").value_or("").starts_with("aws:"))
    return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < etag.size(); i += 2)
    bytes += static_cast<char>(digit_of(etag[i]) << 4 | digit_of(etag[i + 1]));
  return StoredChecksum{ChecksumKind::md5, std::move(bytes)};
}

}  // namespace volary
