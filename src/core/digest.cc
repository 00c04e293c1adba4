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

// Many bytes at once, without a table or a branch: digits are written by the million. (Clang and GCC know such vectors
// on every processor.)
using Bytes [[gnu::vector_size(16)]] = uint8_t;

Bytes digits_of(Bytes values) {
  const Bytes is_letter = reinterpret_cast<Bytes>(values > 9);  // All bits where it is so.
  return values + '0' + (is_letter & ('a' - '9' - 1));
}

void write_hex_of(Bytes bytes, char* to) {
  const Bytes high = digits_of(bytes >> 4);
  const Bytes low = digits_of(bytes & 15);
  const Bytes first = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Bytes rest = __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + sizeof first, &rest, sizeof rest);
}

}  // namespace

void write_hex(char* to, std::string_view raw) {
  Bytes bytes{};
  for (; raw.size() >= sizeof bytes; raw.remove_prefix(sizeof bytes), to += 2 * sizeof bytes) {
    std::memcpy(&bytes, raw.data(), sizeof bytes);
    write_hex_of(bytes, to);
  }
  if (raw.empty()) return;
  std::array<char, 2 * sizeof bytes> digits;
  std::memcpy(&bytes, raw.data(), raw.size());
  write_hex_of(bytes, digits.data());
  std::memcpy(to, digits.data(), 2 * raw.size());
}

void append_hex(std::string& text, std::string_view raw) {
  const size_t end = text.size();
  text.resize(end + 2 * raw.size());
  write_hex(text.data() + end, raw);
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
