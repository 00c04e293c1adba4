// remote/content_hash.cc: OpenSSL's hashes and BLAKE3 behind one name.
#include "remote/content_hash.h"

#include <algorithm>

#include "core/error.h"
#include "core/json.h"
#include "core/tree_path.h"

namespace volary {
namespace {

size_t digits_of(HashKind kind) {
  switch (kind) {
    case HashKind::md5: return 32;
    case HashKind::sha1:
    case HashKind::git: return 40;
    case HashKind::blake3:
    case HashKind::sha256: return 64;
    case HashKind::sha512: return 128;
  }
  return 0;
}

Hash::Kind function_of(HashKind kind) {
  switch (kind) {
    case HashKind::md5: return Hash::Kind::md5;
    case HashKind::sha1:
    case HashKind::git: return Hash::Kind::sha1;
    case HashKind::sha512: return Hash::Kind::sha512;
    case HashKind::sha256:
    case HashKind::blake3: break;
  }
  return Hash::Kind::sha256;
}

std::optional<HashKind> kind_by_length(size_t digits) {
  for (const HashKind kind : {HashKind::md5, HashKind::sha1, HashKind::sha256, HashKind::sha512})
    if (digits == digits_of(kind)) return kind;
  return std::nullopt;
}

}  // namespace

ExpectedHash parse_expected_hash(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const size_t colon = lower.find(':');
  std::string hex = colon == lower.npos ? lower : lower.substr(colon + 1);
  const auto kind = colon == lower.npos ? kind_by_length(hex.size())
                                        : value_named<HashKind>(lower.substr(0, colon), "hash");
  if (!kind || hex.size() != digits_of(*kind) || hex.find_first_not_of("0123456789abcdef") != hex.npos)
    throw Error(Errc::invalid, "'{}' is no hash of a file: expected sha256: and 64 digits and letters, or the same "
                "of md5 (32), sha1 (40), sha512 (128) or blake3 (64)", printable(text));
  return {*kind, std::move(hex)};
}

ContentHash::ContentHash(HashKind kind, uint64_t size) {
  if (kind != HashKind::blake3) hash_.emplace<Hash>(function_of(kind));
  const std::string head = fmt::format("blob {}", size);
  if (kind == HashKind::git) update({head.c_str(), head.size() + 1});
}

void ContentHash::update(std::string_view bytes) {
  std::visit([&](auto& hash) { hash.update(bytes); }, hash_);
}

std::string ContentHash::hex() {
  if (Hash* const hash = std::get_if<Hash>(&hash_)) return hex_text(hash->finish());
  return std::get<Hasher>(hash_).finish().hex();
}

}  // namespace volary
