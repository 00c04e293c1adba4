// remote/content_check.cc: for remote/content_check.h.
#include "remote/content_check.h"

#include "core/json.h"
#include "remote/base64.h"

namespace volary {

std::string StoredChecksum::text() const {
  return fmt::format("{} {}", name_of_value(kind), kind == ChecksumKind::md5 ? hex_text(bytes) : base64_of(bytes));
}

std::optional<CrcKind> crc_kind_of(ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::crc32c: return CrcKind::crc32c;
    case ChecksumKind::crc64nvme: return CrcKind::crc64nvme;
    case ChecksumKind::crc32: return CrcKind::crc32;
    default: return std::nullopt;
  }
}

size_t checksum_bytes(ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::crc32:
    case ChecksumKind::crc32c: return 4;
    case ChecksumKind::crc64nvme: return 8;
    case ChecksumKind::md5: return 16;
    case ChecksumKind::sha1: return 20;
    case ChecksumKind::sha256: return 32;
  }
  return 0;
}

void ContentCheck::expect(StoredChecksum expected) {
  const ChecksumKind kind = expected.kind;
  expected_ = std::move(expected);
  crc_kind_ = crc_kind_of(kind);
  crc_ = 0;
  bytes_ = 0;
  hash_.reset();
  if (kind == ChecksumKind::md5) hash_.emplace(Hash::Kind::md5);
  else if (kind == ChecksumKind::sha1) hash_.emplace(Hash::Kind::sha1);
  else if (kind == ChecksumKind::sha256) hash_.emplace(Hash::Kind::sha256);
}

void ContentCheck::update(std::string_view bytes) {
  bytes_ += bytes.size();
  if (crc_kind_) crc_ = crc_of(*crc_kind_, bytes, crc_);
  else if (hash_) hash_->update(bytes);
}

StoredChecksum ContentCheck::finish() {
  return {expected_->kind, crc_kind_ ? crc_bytes(*crc_kind_, crc_) : hash_->finish()};
}

}  // namespace volary
