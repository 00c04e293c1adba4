// remote/crypto_library.cc: libcrypto by its name, as remote/crypto_library.h says.
#include "remote/crypto_library.h"

#include "core/late_library.h"

namespace volary {
namespace {

CryptoLibrary load() {
  const LateLibrary library("libcrypto.so.3", "libssl3");
  CryptoLibrary functions{};
  library.find(functions.digest_final, "EVP_DigestFinal_ex");
  library.find(functions.digest_init, "EVP_DigestInit_ex2");
  library.find(functions.digest_update, "EVP_DigestUpdate");
  library.find(functions.free_context, "EVP_MD_CTX_free");
  library.find(functions.new_context, "EVP_MD_CTX_new");
  library.find(functions.fetch, "EVP_MD_fetch");
  return functions;
}

}  // namespace

const CryptoLibrary& crypto() {
  static const CryptoLibrary loaded = load();
  return loaded;
}

}  // namespace volary
