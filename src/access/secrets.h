// access/secrets.h: credentials, sealed, written once and never shown again.
//
// The values of one secret are one JSON object, sealed with XChaCha20-Poly1305 under a key that lies in a file outside
// the database; the sealed text is bound to the secret's id and project, so a row's text opens in no other row.
//
//   sealed = base64( nonce[24] ciphertext tag[16] )      bound = id NUL project      key file = 64( hex digit ) LF
//
// No value is ever part of an error.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/random.h"
#include "db/database.h"
#include "record/datastore.h"

namespace volary {

constexpr size_t secret_values_max = 32;
constexpr size_t secret_value_bytes_max = 64 << 10;

// Any thread may call.
class Secrets {
 public:
  // The key file is made when the first secret is, with mode 0600; its directory must be there.
  Secrets(Database& database, Path key_file, Clock& clock = system_clock(), Random& random = system_random())
      : database_(database), key_file_(std::move(key_file)), clock_(clock), random_(random) {}

  // Throws `exists`, `invalid`; as open() for a key file that is lost.
  Secret create(const Caller& caller, const NewSecret& wanted);
  // By name; the names of their values only.
  std::vector<Secret> list(const Caller& caller);
  // Throws `conflict` naming the datastores that use it, `not_found`.
  void remove(const Caller& caller, const std::string& name);

  // The values, for the server's own use. Throws `not_found`; `corrupt` if the key file holds another key or the row
  // was altered; `unavailable` if the key file is gone; `denied` if others may read it.
  std::map<std::string, std::string> open(const std::string& project, const std::string& name);

  // The same for one text that a row of another table keeps: sealed for that row's id and project only.
  std::string seal(const std::string& id, const std::string& project, std::string_view text);
  std::string unseal(const std::string& id, const std::string& project, std::string_view sealed);

 private:
  class Key;
  Key make_key();
  Key read_key();

  Database& database_;
  const Path key_file_;
  Clock& clock_;
  Random& random_;
  std::mutex making_key_;
};

}  // namespace volary
