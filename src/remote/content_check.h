// remote/content_check.h: the bytes of an object, as they come, and the checksum that its store keeps for the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/describe/enum.hpp>

#include "remote/crc.h"
#include "remote/fingerprint.h"

namespace volary {

enum class ChecksumKind { crc32c, crc64nvme, crc32, sha256, sha1, md5 };
BOOST_DESCRIBE_ENUM(ChecksumKind, crc32c, crc64nvme, crc32, sha256, sha1, md5)

struct StoredChecksum {
  ChecksumKind kind{};
  std::string bytes;  // Raw.

  // "crc32c 4waSgw==", "md5 d41d8cd9…": as its store writes it.
  std::string text() const;
  bool operator==(const StoredChecksum&) const = default;
};

// Nothing for a hash.
std::optional<CrcKind> crc_kind_of(ChecksumKind kind);
size_t checksum_bytes(ChecksumKind kind);

// Of one read of an object, by however many requests. One thread.
class ContentCheck {
 public:
  // Before the first byte.
  void expect(StoredChecksum expected);
  void update(std::string_view bytes);
  const std::optional<StoredChecksum>& expected() const { return expected_; }
  uint64_t bytes() const { return bytes_; }
  // What the bytes have, of the kind that is expected. Once.
  StoredChecksum finish();

 private:
  std::optional<StoredChecksum> expected_;
  std::optional<CrcKind> crc_kind_;
  uint64_t crc_ = 0;
  std::optional<Hash> hash_;
  uint64_t bytes_ = 0;
};

}  // namespace volary
