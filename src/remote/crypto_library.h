// remote/crypto_library.h: the functions of OpenSSL's libcrypto that this folder calls, loaded by the first hash: few
// commands make one themselves, and its start is a third of theirs.
#pragma once

#include <openssl/evp.h>

namespace volary {

struct CryptoLibrary {
  decltype(&EVP_DigestFinal_ex) digest_final;
  decltype(&EVP_DigestInit_ex2) digest_init;
  decltype(&EVP_DigestUpdate) digest_update;
  decltype(&EVP_MD_CTX_free) free_context;
  decltype(&EVP_MD_CTX_new) new_context;
  decltype(&EVP_MD_fetch) fetch;
};

// Loads it, once; any thread. Throws `unavailable` if it cannot be loaded, naming what to install.
const CryptoLibrary& crypto();

}  // namespace volary
