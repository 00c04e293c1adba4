// core/digest.h: BLAKE3-256, the name of every content in Volary.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace volary {

// 32 bytes. A default-made Digest is all zero and names nothing.
class Digest {
 public:
  static constexpr size_t size = 32;

  Digest() = default;
  explicit Digest(const std::array<uint8_t, size>& bytes) : bytes_(bytes) {}
  // The digest of `bytes`, in one call.
  static Digest of(std::string_view bytes);
  // From 64 hexadecimal digits, either case. Throws `invalid` naming the text.
  static Digest parse(std::string_view hex);
  static std::optional<Digest> try_parse(std::string_view hex);
  // From exactly 32 raw bytes.
  static Digest from_raw(std::string_view raw);

  // 64 lower-case hexadecimal digits.
  std::string hex() const;
  // "ab/cdef…": where an object of this name lives below objects/ or trees/.
  std::string path() const;
  const std::array<uint8_t, size>& bytes() const { return bytes_; }
  std::string_view raw() const { return {reinterpret_cast<const char*>(bytes_.data()), size}; }

  auto operator<=>(const Digest&) const = default;

 private:
  std::array<uint8_t, size> bytes_{};
};

// Raw bytes as lower-case hexadecimal digits, behind `text`.
void append_hex(std::string& text, std::string_view raw);
void write_hex(char* to, std::string_view raw);  // Where there is room for two digits a byte.

// BLAKE3 of a content that arrives in pieces. Give 16 KiB or more at a time: 4 KiB pieces halve the speed.
class Hasher {
 public:
  Hasher();
  void update(std::string_view bytes);
  // The digest of everything so far. May be called again after more updates.
  Digest finish() const;
  void reset();

 private:
  alignas(16) std::array<char, 1920> state_;
};

}  // namespace volary

template <>
struct std::hash<volary::Digest> {
  size_t operator()(const volary::Digest& digest) const noexcept {
    size_t value = 0;  // Any eight bytes of a digest are uniformly spread.
    for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | digest.bytes()[i];
    return value;
  }
};
