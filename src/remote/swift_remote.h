// remote/swift_remote.h: containers of OpenStack Swift, spoken to in its own words.
#pragma once

#include <memory>
#include <string>

#include "remote/account.h"
#include "remote/remote.h"

namespace volary {

// Who asks is said in one of three ways, by which of these is set: TempAuth (`user` and `key`), Keystone v3 with a
// password (`username`, `password`, `project`, …) or with an application credential. With none `auth_url` is the
// account's own URL, and the one who asks is anonymous.
struct SwiftOptions {
  std::string auth_url{};   // "http://host:8080/auth/v1.0", "https://keystone.example.org/v3"
  std::string container{};
  std::string region{};     // Keystone: the object store of this region; "" is the first.
  std::string user{};       // "account:user"
  std::string key{};
  std::string username{};
  std::string password{};
  std::string user_domain = "Default";
  std::string project{};
  std::string project_domain = "Default";
  std::string application_credential_id{};
  std::string application_credential_secret{};
  // From here on an object is kept in segments, in the container NAME_segments, and read as one (a static large
  // object). Swift itself refuses single ones above 5 GiB.
  uint64_t segmented_bytes_min = 1ull << 30;
  uint64_t page_items = 10'000;  // Of a listing: the most that Swift gives unless told otherwise.
};

// Errors are by status: 401 and 403 `denied`, 404 `not_found`, 5xx `unavailable`. A token that has expired is renewed.
// Bytes that are stored are held against their MD5 by the server. `http` must outlive the remote.
std::unique_ptr<Remote> open_swift_remote(const SwiftOptions& options, HttpClient& http,
                                          const RetryOptions& retries = {});
// `options` without a container. Removing a container removes that of its segments too, if it is empty.
std::unique_ptr<Account> open_swift_account(const SwiftOptions& options, HttpClient& http,
                                            const RetryOptions& retries = {});

}  // namespace volary
