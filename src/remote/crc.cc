// remote/crc.cc: eight bytes at a time, by tables.
#include "remote/crc.h"

#include <array>
#include <cstring>

#include "remote/fingerprint.h"

namespace volary {
namespace {

constexpr size_t slices = 8;
using Tables = std::array<std::array<uint64_t, 256>, slices>;

// Their bits reversed.
constexpr uint64_t polynomial_of(CrcKind kind) {
  switch (kind) {
    case CrcKind::crc32: return 0xedb88320;
    case CrcKind::crc32c: return 0x82f63b78;
    case CrcKind::crc64nvme: return 0x9a6c9329ac4bc9b5;
  }
  return 0;
}

constexpr unsigned bits_of(CrcKind kind) { return kind == CrcKind::crc64nvme ? 64 : 32; }

// tables[n][byte]: of a byte with n zero bytes behind it.
constexpr Tables make_tables(uint64_t polynomial) {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ polynomial : value >> 1;
    tables[0][byte] = value;
  }
  for (size_t slice = 1; slice < slices; ++slice)
    for (size_t byte = 0; byte < 256; ++byte)
      tables[slice][byte] = tables[0][tables[slice - 1][byte] & 255] ^ tables[slice - 1][byte] >> 8;
  return tables;
}

uint64_t crc_by_tables(const Tables& tables, std::string_view bytes, uint64_t value) {
  while (bytes.size() >= slices) {
    uint64_t word = 0;
    for (size_t i = 0; i < slices; ++i) word |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << 8 * i;
    word ^= value;
    value = 0;
    for (size_t i = 0; i < slices; ++i) value ^= tables[slices - 1 - i][word >> 8 * i & 255];
    bytes.remove_prefix(slices);
  }
  for (const char byte : bytes) value = tables[0][(value ^ static_cast<uint8_t>(byte)) & 255] ^ value >> 8;
  return value;
}

uint64_t all_ones(CrcKind kind) { return ~uint64_t{0} >> (64 - bits_of(kind)); }

}  // namespace

uint64_t crc_of(CrcKind kind, std::string_view bytes, uint64_t before) {
  static const Tables tables32 = make_tables(polynomial_of(CrcKind::crc32));
  static const Tables tables64 = make_tables(polynomial_of(CrcKind::crc64nvme));
  if (kind == CrcKind::crc32c) return crc32c(bytes, static_cast<uint32_t>(before));
  const uint64_t ones = all_ones(kind);
  return crc_by_tables(kind == CrcKind::crc32 ? tables32 : tables64, bytes, before ^ ones) ^ ones;
}

std::string crc_bytes(CrcKind kind, uint64_t crc) {
  std::string bytes;
  for (unsigned shift = bits_of(kind); shift > 0; shift -= 8) bytes += static_cast<char>(crc >> (shift - 8) & 255);
  return bytes;
}

}  // namespace volary
