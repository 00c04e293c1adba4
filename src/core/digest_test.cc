// core/digest_test.cc: BLAKE3 against its published vectors, and the text of a digest.
#include "core/digest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

// The input of the official test vectors: 0, 1, … 250, 0, 1, …
std::string vector_input(size_t size) {
  std::string input(size, '\0');
  for (size_t i = 0; i < size; ++i) input[i] = static_cast<char>(i % 251);
  return input;
}

TEST(Digest, is_blake3_as_published) {
  const std::pair<size_t, const char*> vectors[] = {
      {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
      {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
      {1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"},
      {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
      {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
      {2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"},
      {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"}};
  for (const auto& [size, digest] : vectors) EXPECT_EQ(Digest::of(vector_input(size)).hex(), digest) << size;
}

TEST(Digest, of_pieces_is_that_of_the_whole) {
  const std::string input = vector_input(100'000);
  Hasher hasher;
  for (size_t at = 0, piece = 1; at < input.size(); at += piece, piece = piece * 3 + 1)
    hasher.update(std::string_view(input).substr(at, piece));
  EXPECT_EQ(hasher.finish(), Digest::of(input));
  hasher.reset();
  EXPECT_EQ(hasher.finish(), Digest::of(""));
}

TEST(Digest, reads_both_cases_and_writes_the_lower) {
  const Digest digest = Digest::of("a");
  std::string upper = digest.hex();
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Digest::parse(upper), digest);
  EXPECT_EQ(Digest::parse(upper).hex(), digest.hex());
  EXPECT_EQ(Digest::from_raw(digest.raw()), digest);
  EXPECT_EQ(digest.path(), digest.hex().substr(0, 2) + "/" + digest.hex().substr(2));
}

TEST(Hex, is_two_digits_a_byte_of_any_number_of_bytes) {
  std::string raw;
  std::string wanted;
  for (int byte = 0; byte < 256; ++byte) {
    std::string text = "before ";
    append_hex(text, raw);
    ASSERT_EQ(text, "before " + wanted);
    raw += static_cast<char>(byte);
    wanted += fmt::format("{:02x}", byte);
  }
}

TEST(Digest, refuses_what_is_none) {
  EXPECT_EQ(error_of([] { Digest::parse("abc"); }),
            "invalid: 'abc' is not a digest: expected 64 hexadecimal digits");
  EXPECT_FALSE(Digest::try_parse(std::string(63, 'a')));
  EXPECT_FALSE(Digest::try_parse(std::string(65, 'a')));
  EXPECT_FALSE(Digest::try_parse(std::string(63, 'a') + "g"));
  EXPECT_EQ(error_of([] { Digest::from_raw("short"); }), "corrupt: a raw digest has 5 bytes: expected 32");
}

}  // namespace
}  // namespace volary
