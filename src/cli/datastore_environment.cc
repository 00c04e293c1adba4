// cli/datastore_environment.cc: for cli/datastore_environment.h.
#include "cli/datastore_environment.h"

#include <initializer_list>

#include "core/error.h"

namespace volary {
namespace {

std::optional<std::string> first_of(const Variable& variable, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (auto value = variable(name)) return value;
  return std::nullopt;
}

// Takes those that are set; of two for the same, the first.
void take(SecretValues& values, const Variable& variable, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto value = variable(name)) values.emplace(stored_name(name), *value);
}

void check_pair(const Variable& variable, const char* one, const char* other) {
  const bool has_one = variable(one).has_value();
  if (has_one == variable(other).has_value()) return;
  throw Error(Errc::invalid, "the variable '{}' is set, but not '{}'", has_one ? one : other, has_one ? other : one);
}

}  // namespace

StoreEnvironment s3_environment(const Variable& variable) {
  check_pair(variable, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
  StoreEnvironment found;
  take(found.values, variable, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"});
  if (!found.values.empty()) take(found.values, variable, {"AWS_SESSION_TOKEN"});
  found.endpoint = first_of(variable, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  found.region = first_of(variable, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  return found;
}

StoreEnvironment hub_environment(const Variable& variable) {
  StoreEnvironment found;
  take(found.values, variable, {"HF_TOKEN"});
  found.endpoint = variable("HF_ENDPOINT");
  return found;
}

StoreEnvironment swift_environment(const Variable& variable) {
  check_pair(variable, "OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET");
  check_pair(variable, "ST_USER", "ST_KEY");
  StoreEnvironment found;
  found.endpoint = first_of(variable, {"OS_AUTH_URL", "ST_AUTH"});
  found.region = variable("OS_REGION_NAME");
  if (variable("OS_APPLICATION_CREDENTIAL_ID")) {
    take(found.values, variable, {"OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET"});
  } else if (variable("OS_USERNAME")) {
    check_pair(variable, "OS_USERNAME", "OS_PASSWORD");
    take(found.values, variable, {"OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_NAME",
                                  "OS_PROJECT_NAME", "OS_TENANT_NAME"});
  } else {
    take(found.values, variable, {"ST_USER", "ST_KEY"});
  }
  return found;
}

ProxyEnvironment proxy_environment(const std::string& url, const Variable& variable) {
  ProxyEnvironment found;
  // HTTP_PROXY in capitals can be set by anybody who sends a request to a CGI program, so nobody reads it.
  if (url.starts_with("https://")) found.proxy = first_of(variable, {"https_proxy", "HTTPS_PROXY"});
  else found.proxy = variable("http_proxy");
  if (!found.proxy) found.proxy = first_of(variable, {"all_proxy", "ALL_PROXY"});
  if (found.proxy && found.proxy->find("://") == std::string::npos) found.proxy = "http://" + *found.proxy;
  if (found.proxy) found.no_proxy = first_of(variable, {"no_proxy", "NO_PROXY"});
  return found;
}

}  // namespace volary
