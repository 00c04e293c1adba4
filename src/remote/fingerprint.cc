// remote/fingerprint.cc: OpenSSL's hashes, fetched once, and CRC-32C by the processor's own instruction if it has one.
#include "remote/fingerprint.h"

#include <algorithm>
#include <cstring>

#include <utility>

#include "core/error.h"
#include "remote/base64.h"
#include "remote/crypto_library.h"

namespace volary {
namespace {

constexpr uint32_t castagnoli = 0x82f63b78;  // The polynomial, its bits reversed.

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ castagnoli : value >> 1;
    table[i] = value;
  }
  return table;
}

uint32_t crc_by_table(std::string_view bytes, uint32_t value) {
  static constexpr auto table = make_table();
  for (const char byte : bytes) value = table[(value ^ static_cast<uint8_t>(byte)) & 255] ^ value >> 8;
  return value;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) uint32_t crc_by_instruction(std::string_view bytes, uint32_t value) {
  uint64_t wide = value;
  while (bytes.size() >= sizeof wide) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
    bytes.remove_prefix(sizeof word);
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (const char byte : bytes) narrow = __builtin_ia32_crc32qi(narrow, static_cast<uint8_t>(byte));
  return narrow;
}
#endif

// Looking an algorithm up by name costs more than hashing a small object, so it is done once.
const EVP_MD* algorithm(Hash::Kind kind) {
  struct Named {
    const char* name;
    const EVP_MD* found;
  };
  static const auto known = [] {
    std::array<Named, 4> all{{{"SHA512", {}}, {"SHA256", {}}, {"SHA1", {}}, {"MD5", {}}}};  // As Kind has them.
    for (Named& one : all) one.found = crypto().fetch(nullptr, one.name, nullptr);
    return all;
  }();
  const Named& wanted = known[static_cast<size_t>(kind)];
  if (!wanted.found) throw Error(Errc::internal, "OpenSSL does not know {}", wanted.name);
  return wanted.found;
}

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t before) {
#ifdef __x86_64__
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~crc_by_instruction(bytes, ~before);
#endif
  return ~crc_by_table(bytes, ~before);
}

std::string crc32c_bytes(uint32_t checksum) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(checksum >> shift & 255);
  return bytes;
}

std::string crc32c_text(uint32_t checksum) { return base64_of(crc32c_bytes(checksum)); }

Hash::Hash(Kind kind) : context_(crypto().new_context()) {
  if (!context_ || !crypto().digest_init(as_context(context_), algorithm(kind), nullptr))
    throw Error(Errc::internal, "OpenSSL does not begin a hash");
}

void Hash::restart() {
  if (!crypto().digest_init(as_context(context_), nullptr, nullptr))
    throw Error(Errc::internal, "OpenSSL does not begin a hash anew");
}

Hash::Hash(Hash&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

Hash::~Hash() {
  if (context_) crypto().free_context(as_context(context_));
}

void Hash::update(std::string_view bytes) {
  if (!crypto().digest_update(as_context(context_), bytes.data(), bytes.size()))
    throw Error(Errc::internal, "OpenSSL does not go on with a hash");
}

std::string Hash::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (!crypto().digest_final(as_context(context_), out.data(), &size))
    throw Error(Errc::internal, "OpenSSL does not end a hash");
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string hex_text(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    text += digits[static_cast<uint8_t>(c) >> 4];
    text += digits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

std::string md5_raw(std::string_view bytes) {
  Hash hash(Hash::Kind::md5);
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_raw(std::string_view first, std::string_view second) {
  thread_local Hash hash(Hash::Kind::sha256);  // Making one takes longer than hashing some hundred bytes.
  hash.restart();
  hash.update(first);
  hash.update(second);
  return hash.finish();
}

bool looks_like_md5(std::string_view etag) {
  return etag.size() == 32 && std::all_of(etag.begin(), etag.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace volary
