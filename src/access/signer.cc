// access/signer.cc: signing with libsodium, and the seed's file.
#include "access/signer.h"

#include <sodium.h>

#include <array>

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t seed_bytes = crypto_sign_ed25519_SEEDBYTES;
static_assert(seed_bytes == 32 && crypto_sign_ed25519_BYTES == 64, "the formats in signer.h and record/receipt.h");

std::string hex_of(const uint8_t* bytes, size_t count) {
  std::string text(count * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes, count);
  text.pop_back();  // Its final NUL.
  return text;
}

// Both halves of the key, wiped in the end.
struct KeyPair {
  explicit KeyPair(std::string seed_text) {
    std::array<uint8_t, seed_bytes> seed{};
    sodium_hex2bin(seed.data(), seed.size(), seed_text.data(), seed_text.size(), nullptr, nullptr, nullptr);
    crypto_sign_ed25519_seed_keypair(open.data(), secret.data(), seed.data());
    sodium_memzero(seed.data(), seed.size());
    sodium_memzero(seed_text.data(), seed_text.size());
  }
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair() { sodium_memzero(secret.data(), secret.size()); }

  std::array<uint8_t, crypto_sign_ed25519_PUBLICKEYBYTES> open{};
  std::array<uint8_t, crypto_sign_ed25519_SECRETKEYBYTES> secret{};
};

}  // namespace

// 64 hexadecimal digits.
std::string Signer::seed() {
  const std::lock_guard guard(making_);
  if (!is_present(seed_file_)) {
    std::string text = random_hex(seed_bytes, random_) + "\n";
    write_file_durably(seed_file_, text, 0600);
    sodium_memzero(text.data(), text.size());
  }
  if (const auto found = stat_of(seed_file_, Follow::yes); found && (found->st_mode & 077) != 0)
    throw Error(Errc::denied, "the key file {} has mode {:04o}, so others may use it: expected 0600",
                seed_file_.native(), found->st_mode & 07777);
  std::string text = read_file(seed_file_, 4096);
  if (text.ends_with('\n')) text.pop_back();
  if (text.size() != seed_bytes * 2 || text.find_first_not_of("0123456789abcdef") != text.npos)
    throw Error(Errc::corrupt, "the key file {} is no key: expected 64 hexadecimal digits", seed_file_.native());
  return text;
}

std::string Signer::public_key() {
  const KeyPair key(seed());
  return hex_of(key.open.data(), key.open.size());
}

std::string Signer::sign(std::string_view text) {
  const KeyPair key(seed());
  std::array<uint8_t, crypto_sign_ed25519_BYTES> signature{};
  crypto_sign_ed25519_detached(signature.data(), nullptr, reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                               key.secret.data());
  return hex_of(signature.data(), signature.size());
}

}  // namespace volary
