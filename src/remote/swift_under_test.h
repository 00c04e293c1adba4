// remote/swift_under_test.h: the real Swift that tests run against, if there is one.
//
// test/servers/start-swift.sh starts one and prints the environment variables that are read here. Only tests include
// it.
#pragma once

#include "remote/s3_under_test.h"
#include "remote/swift_remote.h"

namespace volary {

inline bool has_swift_server() { return !environment("VOLARY_TEST_SWIFT_AUTH").empty(); }
constexpr const char* no_swift_server =
    "no VOLARY_TEST_SWIFT_AUTH: test/servers/start-swift.sh --install starts a server";

inline SwiftOptions swift_options() {
  SwiftOptions options;
  options.auth_url = environment("VOLARY_TEST_SWIFT_AUTH");
  options.user = environment("VOLARY_TEST_SWIFT_USER");
  options.key = environment("VOLARY_TEST_SWIFT_KEY");
  options.page_items = 100;
  return options;
}

}  // namespace volary
