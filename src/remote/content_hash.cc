// remote/content_hash.cc: OpenSSL's hashes and BLAKE3 behind one name.
#include "remote/content_hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

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

const EVP_MD* function_of(HashKind kind) {
  switch (kind) {
    case HashKind::md5: return EVP_md5();
    case HashKind::sha1:
    case HashKind::git: return EVP_sha1();
    case HashKind::sha256: return EVP_sha256();
    case HashKind::sha512: return EVP_sha512();
    case HashKind::blake3: break;
  }
  return nullptr;
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

ContentHash::ContentHash(HashKind kind, uint64_t size) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  if (kind == HashKind::blake3) {
    blake3_.emplace();
    return;
  }
  if (!context_ || EVP_DigestInit_ex(context_.get(), function_of(kind), nullptr) != 1)
    throw Error(Errc::internal, "OpenSSL has no {}", name_of_value(kind));
  const std::string head = fmt::format("blob {}", size);
  if (kind == HashKind::git) update({head.c_str(), head.size() + 1});
}

void ContentHash::update(std::string_view bytes) {
  if (blake3_) return blake3_->update(bytes);
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
    throw Error(Errc::internal, "OpenSSL cannot hash");
}

std::string ContentHash::hex() {
  if (blake3_) return blake3_->finish().hex();
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) != 1) throw Error(Errc::internal, "OpenSSL cannot hash");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

}  // namespace volary
