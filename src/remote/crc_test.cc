// remote/crc_test.cc: the published check values, and pieces against the whole.
#include "remote/crc.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace volary {
namespace {

TEST(Crc, HasThePublishedCheckValues) {
  EXPECT_EQ(crc_of(CrcKind::crc32, "123456789"), 0xcbf43926u);
  EXPECT_EQ(crc_of(CrcKind::crc32c, "123456789"), 0xe3069283u);
  EXPECT_EQ(crc_of(CrcKind::crc64nvme, "123456789"), 0xae8b14860a799888u);
  EXPECT_EQ(crc_bytes(CrcKind::crc32, 0x01020304), "\x01\x02\x03\x04");
  EXPECT_EQ(crc_bytes(CrcKind::crc64nvme, 0x4142434445464748), "ABCDEFGH");
}

TEST(Crc, OfPiecesIsThatOfTheWhole) {
  const std::string bytes = SeededRandom(7).bytes(100'003);
  for (const CrcKind kind : {CrcKind::crc32, CrcKind::crc32c, CrcKind::crc64nvme}) {
    const uint64_t whole = crc_of(kind, bytes);
    for (const size_t cut : {size_t{0}, size_t{1}, size_t{13}, size_t{65'536}, bytes.size() - 1, bytes.size()}) {
      const std::string_view first = std::string_view(bytes).substr(0, cut);
      const std::string_view second = std::string_view(bytes).substr(cut);
      EXPECT_EQ(crc_of(kind, second, crc_of(kind, first)), whole);
    }
  }
}

}  // namespace
}  // namespace volary
