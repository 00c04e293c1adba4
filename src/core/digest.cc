// core/digest.cc: BLAKE3's C sources behind core/digest.h.
#include "core/digest.h"

#include <blake3.h>

#include <cstring>
#include <new>

#include "core/error.h"

namespace volary {
namespace {

constexpr uint8_t no_digit = 0xff;

// Of every byte, its value as a hexadecimal digit: digests are parsed by the million.
constexpr std::array<uint8_t, 256> hex_values = [] {
  std::array<uint8_t, 256> values{};
  values.fill(no_digit);
  for (uint8_t i = 0; i < 16; ++i) {
    values[static_cast<uint8_t>("0123456789abcdef"[i])] = i;
    values[static_cast<uint8_t>("0123456789ABCDEF"[i])] = i;
  }
  return values;
}();

// The state is plain C data; it lives in the Hasher's own bytes so that no header but this file needs blake3.h.
blake3_hasher* in(std::array<char, 1920>& state) { return reinterpret_cast<blake3_hasher*>(state.data()); }
const blake3_hasher* in(const std::array<char, 1920>& state) {
  return reinterpret_cast<const blake3_hasher*>(state.data());
}
static_assert(sizeof(blake3_hasher) <= 1920 && alignof(blake3_hasher) <= 16);

}  // namespace

// Without a table or a branch, so that the compiler can do many bytes at once: digits are written by the million.
void append_hex(std::string& text, std::string_view raw) {
  const auto digit = [](uint8_t value) { return static_cast<char>(value + (value > 9 ? 'a' - 10 : '0')); };
  const size_t end = text.size();
  text.resize(end + 2 * raw.size());
  char* out = text.data() + end;
  for (size_t i = 0; i < raw.size(); ++i) {
    const auto byte = static_cast<uint8_t>(raw[i]);
    out[2 * i] = digit(byte >> 4);
    out[2 * i + 1] = digit(byte & 15);
  }
}

Digest Digest::of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

std::optional<Digest> Digest::try_parse(std::string_view hex) {
  if (hex.size() != 2 * size) return std::nullopt;
  Digest digest;
  uint8_t flaws = 0;  // A value has four bits: any other marks what is no digit.
  for (size_t i = 0; i < size; ++i) {
    const uint8_t high = hex_values[static_cast<uint8_t>(hex[2 * i])];
    const uint8_t low = hex_values[static_cast<uint8_t>(hex[2 * i + 1])];
    flaws |= high | low;
    digest.bytes_[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (flaws > 0x0f) return std::nullopt;
  return digest;
}

Digest Digest::parse(std::string_view hex) {
  if (auto digest = try_parse(hex)) return *digest;
  throw Error(Errc::invalid, "'{}' is not a digest: expected 64 hexadecimal digits", hex);
}

Digest Digest::from_raw(std::string_view raw) {
  if (raw.size() != size) throw Error(Errc::corrupt, "a raw digest has {} bytes: expected {}", raw.size(), size);
  Digest digest;
  std::memcpy(digest.bytes_.data(), raw.data(), size);
  return digest;
}

std::string Digest::hex() const {
  std::string text;
  append_hex(text, raw());
  return text;
}

std::string Digest::path() const {
  std::string text = hex();
  text.insert(2, 1, '/');
  return text;
}

Hasher::Hasher() { reset(); }
void Hasher::reset() { blake3_hasher_init(new (state_.data()) blake3_hasher); }
void Hasher::update(std::string_view bytes) { blake3_hasher_update(in(state_), bytes.data(), bytes.size()); }

Digest Hasher::finish() const {
  std::array<uint8_t, Digest::size> bytes;
  blake3_hasher_finalize(in(state_), bytes.data(), bytes.size());
  return Digest(bytes);
}

}  // namespace volary
