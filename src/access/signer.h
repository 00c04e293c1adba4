// access/signer.h: the server's own signature.
//
// Its Ed25519 key comes from a seed in a file outside the database, made when it is first needed and kept like the key
// of secrets: mode 0600, 64( hex digit ) LF. Who has the public key can prove what was signed, without the server.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "core/file.h"
#include "core/random.h"

namespace volary {

// Any thread may call.
class Signer {
 public:
  explicit Signer(Path seed_file, Random& random = system_random())
      : seed_file_(std::move(seed_file)), random_(random) {}

  // 64 hexadecimal digits. Throws `denied` if others may read the file, `corrupt` if it holds no key.
  std::string public_key();
  // The signature of `text`, 128 hexadecimal digits; the same text has always the same. Throws as public_key().
  std::string sign(std::string_view text);

 private:
  std::string seed();

  const Path seed_file_;
  Random& random_;
  std::mutex making_;
};

}  // namespace volary
