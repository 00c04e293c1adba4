// cli/secret_values_test.cc: names that other tools have for values are known wherever values come from.
#include "cli/secret_values.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"

namespace volary {
namespace {

TEST(SecretValues, AreKnownByTheNamesThatSwiftsToolsGiveThem) {
  EXPECT_EQ(parse_secret_values("export OS_USERNAME=u\nexport OS_PASSWORD='p'\nOS_TENANT_NAME=t\nOS_PROJECT_NAME=t\n"
                                "OS_USER_DOMAIN_NAME=ud\nOS_PROJECT_DOMAIN_NAME=pd\n",
                                "x"),
            (SecretValues{{"username", "u"}, {"password", "p"}, {"project", "t"}, {"user_domain", "ud"},
                          {"project_domain", "pd"}}));
  EXPECT_EQ(secret_values_of_environment({"OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET"},
                                         [](const std::string& name) { return std::optional("of " + name); }),
            (SecretValues{{"application_credential_id", "of OS_APPLICATION_CREDENTIAL_ID"},
                          {"application_credential_secret", "of OS_APPLICATION_CREDENTIAL_SECRET"}}));
}

TEST(SecretValues, OfOneNameAreOne) {
  EXPECT_EQ(error_of([] { parse_secret_values("OS_PROJECT_NAME=a\nOS_TENANT_NAME=b\n", "x"); }),
            "invalid: x:2: 'project' stands here for the second time");
}

}  // namespace
}  // namespace volary
