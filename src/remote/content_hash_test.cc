// remote/content_hash_test.cc: hashes of known bytes, and what is none.
#include "remote/content_hash.h"

#include <gtest/gtest.h>

#include "remote/remote_words.h"

namespace volary {
namespace {

std::string hash_of(HashKind kind, std::string_view bytes) {
  ContentHash hash(kind, bytes.size());
  for (const char& byte : bytes) hash.update({&byte, 1});
  return hash.hex();
}

TEST(ContentHash, IsTheOneThatOthersCompute) {
  EXPECT_EQ(hash_of(HashKind::md5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hash_of(HashKind::sha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hash_of(HashKind::sha256, "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of(HashKind::sha512, "abc").substr(0, 16), "ddaf35a193617aba");
  EXPECT_EQ(hash_of(HashKind::blake3, "abc"), Digest::of("abc").hex());
  EXPECT_EQ(hash_of(HashKind::git, "what is up, doc?"), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
}

TEST(ContentHash, IsReadByNameOrByLength) {
  const std::string zeros(64, '0');
  EXPECT_EQ(parse_expected_hash("sha256:" + zeros), (ExpectedHash{HashKind::sha256, zeros}));
  EXPECT_EQ(parse_expected_hash("blake3:" + zeros), (ExpectedHash{HashKind::blake3, zeros}));
  EXPECT_EQ(parse_expected_hash(zeros).kind, HashKind::sha256);
  EXPECT_EQ(parse_expected_hash(zeros.substr(32)).kind, HashKind::md5);
  EXPECT_EQ(parse_expected_hash("SHA256:" + std::string(64, 'A')).hex, std::string(64, 'a'));
  for (const std::string text : {"", "abc", "sha256:abc", "crc32:00000000", "sha256:"})
    EXPECT_EQ(error_text([&] { parse_expected_hash(text); }).substr(0, 9), "invalid: ") << text;
  EXPECT_NE(error_text([&] { parse_expected_hash(std::string(64, 'g')); }).find("is no hash of a file"),
            std::string::npos);
}

}  // namespace
}  // namespace volary
