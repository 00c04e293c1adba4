// remote/content_hash.h: what bytes hash to, by the hashes that stores and people name for a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <boost/describe/enum.hpp>

#include "core/stream.h"
#include "remote/fingerprint.h"

namespace volary {

enum class HashKind {
  blake3,
  md5,
  sha1,
  sha256,
  sha512,
  git,  // Of a blob: SHA-1 over "blob SIZE", NUL and the bytes.
};
BOOST_DESCRIBE_ENUM(HashKind, blake3, md5, sha1, sha256, sha512, git)

struct ExpectedHash {
  HashKind kind{};
  std::string hex;  // In lower case.

  bool operator==(const ExpectedHash&) const = default;
};

// "sha256:HEX"; of HEX alone the length tells: md5, sha1, sha256, sha512. Throws `invalid` naming what was given.
ExpectedHash parse_expected_hash(std::string_view text);

// Of bytes that arrive in pieces.
class ContentHash {
 public:
  // `size` of all of them, which only git's hash begins with.
  ContentHash(HashKind kind, uint64_t size);
  void update(std::string_view bytes);
  // Once.
  std::string hex();

 private:
  std::variant<Hasher, Hash> hash_;
};

}  // namespace volary
