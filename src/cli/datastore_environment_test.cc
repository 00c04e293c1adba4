// cli/datastore_environment_test.cc: what variables say, alone and together.
#include "cli/datastore_environment.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/error_test.h"

namespace volary {
namespace {

Variable variables(std::map<std::string, std::string> set) {
  return [set = std::move(set)](const std::string& name) {
    const auto found = set.find(name);
    return found == set.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(DatastoreEnvironment, GivesKeysPlaceAndRegionOfS3) {
  const StoreEnvironment found = s3_environment(variables({{"AWS_ACCESS_KEY_ID", "AK"},
                                                           {"AWS_SECRET_ACCESS_KEY", "SK"},
                                                           {"AWS_SESSION_TOKEN", "ST"},
                                                           {"AWS_ENDPOINT_URL", "https://all"},
                                                           {"AWS_ENDPOINT_URL_S3", "https://s3"},
                                                           {"AWS_DEFAULT_REGION", "gra"}}));
  EXPECT_EQ(found.values, (SecretValues{{"access_key", "AK"}, {"secret_key", "SK"}, {"session_token", "ST"}}));
  EXPECT_EQ(found.endpoint, "https://s3");
  EXPECT_EQ(found.region, "gra");
  EXPECT_TRUE(s3_environment(variables({{"AWS_SESSION_TOKEN", "ST"}})).values.empty());
  EXPECT_EQ(error_of([] { s3_environment(variables({{"AWS_SECRET_ACCESS_KEY", "SK"}})); }),
            "invalid: the variable 'AWS_SECRET_ACCESS_KEY' is set, but not 'AWS_ACCESS_KEY_ID'");
}

TEST(DatastoreEnvironment, GivesTheTokenAndPlaceOfAHub) {
  const StoreEnvironment found = hub_environment(variables({{"HF_TOKEN", "hf_x"}, {"HF_ENDPOINT", "https://hub"}}));
  EXPECT_EQ(found.values, (SecretValues{{"token", "hf_x"}}));
  EXPECT_EQ(found.endpoint, "https://hub");
}

TEST(DatastoreEnvironment, KnowsTheThreeWaysIntoSwift) {
  EXPECT_EQ(swift_environment(variables({{"ST_AUTH", "http://s/"}, {"ST_USER", "a:u"}, {"ST_KEY", "k"}})).values,
            (SecretValues{{"user", "a:u"}, {"key", "k"}}));
  const StoreEnvironment password = swift_environment(variables({{"OS_AUTH_URL", "https://k/v3"},
                                                                 {"OS_USERNAME", "u"},
                                                                 {"OS_PASSWORD", "p"},
                                                                 {"OS_TENANT_NAME", "old"},
                                                                 {"OS_PROJECT_NAME", "new"},
                                                                 {"OS_REGION_NAME", "GRA"}}));
  EXPECT_EQ(password.values, (SecretValues{{"username", "u"}, {"password", "p"}, {"project", "new"}}));
  EXPECT_EQ(password.endpoint, "https://k/v3");
  EXPECT_EQ(password.region, "GRA");
  EXPECT_EQ(swift_environment(variables({{"OS_APPLICATION_CREDENTIAL_ID", "i"},
                                         {"OS_APPLICATION_CREDENTIAL_SECRET", "s"},
                                         {"OS_USERNAME", "u"}}))
                .values,
            (SecretValues{{"application_credential_id", "i"}, {"application_credential_secret", "s"}}));
  EXPECT_EQ(error_of([] { swift_environment(variables({{"OS_USERNAME", "u"}})); }),
            "invalid: the variable 'OS_USERNAME' is set, but not 'OS_PASSWORD'");
  EXPECT_TRUE(swift_environment(variables({{"OS_AUTH_URL", "https://k/v3"}})).values.empty());
}

TEST(DatastoreEnvironment, GivesTheProxyOfTheScheme) {
  const auto proxies = variables({{"http_proxy", "plain:3128"},
                                  {"HTTP_PROXY", "http://never"},
                                  {"HTTPS_PROXY", "http://tls:3128"},
                                  {"no_proxy", "localhost,.local"}});
  EXPECT_EQ(proxy_environment("http://host", proxies).proxy, "http://plain:3128");
  EXPECT_EQ(proxy_environment("https://host", proxies).proxy, "http://tls:3128");
  EXPECT_EQ(proxy_environment("https://host", proxies).no_proxy, "localhost,.local");
  EXPECT_EQ(proxy_environment("http://host", variables({{"HTTP_PROXY", "http://never"}})).proxy, std::nullopt);
  EXPECT_EQ(proxy_environment("http://host", variables({{"no_proxy", "x"}})).no_proxy, std::nullopt);
  EXPECT_EQ(proxy_environment("http://host", variables({{"all_proxy", "http://any:1"}})).proxy, "http://any:1");
}

}  // namespace
}  // namespace volary
