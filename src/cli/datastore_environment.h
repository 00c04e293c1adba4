// cli/datastore_environment.h: what the variables that other tools read say of a datastore: keys, place, proxy.
//
//   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL,
//   AWS_REGION or AWS_DEFAULT_REGION
//   HF_TOKEN, HF_ENDPOINT
//   OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME, OS_USER_DOMAIN_NAME, OS_PROJECT_DOMAIN_NAME,
//   OS_APPLICATION_CREDENTIAL_ID, OS_APPLICATION_CREDENTIAL_SECRET, OS_REGION_NAME; ST_AUTH, ST_USER, ST_KEY
//   http_proxy, https_proxy or HTTPS_PROXY, all_proxy or ALL_PROXY, no_proxy or NO_PROXY
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/secret_values.h"

namespace volary {

using Variable = std::function<std::optional<std::string>(const std::string&)>;

struct StoreEnvironment {
  SecretValues values;  // Of the secret; empty: anonymous.
  std::optional<std::string> endpoint;
  std::optional<std::string> region;
};

// Throws `invalid` where one of a pair is set and the other is not.
StoreEnvironment s3_environment(const Variable& variable);
StoreEnvironment hub_environment(const Variable& variable);
StoreEnvironment swift_environment(const Variable& variable);

struct ProxyEnvironment {
  std::optional<std::string> proxy;
  std::optional<std::string> no_proxy;
};
// For a URL of this scheme.
ProxyEnvironment proxy_environment(const std::string& url, const Variable& variable);

}  // namespace volary
