// remote/crc.h: the cyclic checksums that stores keep for whole objects.
//
// All are reflected, begin with ones and end inverted: CRC-32 (zlib's), CRC-32C (Castagnoli) and CRC-64/NVME.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace volary {

enum class CrcKind { crc32, crc32c, crc64nvme };

// Of what `before` is the checksum of, and `bytes` behind it.
uint64_t crc_of(CrcKind kind, std::string_view bytes, uint64_t before = 0);
// Its 4 or 8 bytes, the most significant first, as headers have them in base64.
std::string crc_bytes(CrcKind kind, uint64_t crc);

}  // namespace volary
