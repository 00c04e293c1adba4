// access/roles_test.cc: Every role against every permission: the table of roles.cc once more, written by permissions.
#include "access/roles.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/json.h"
#include "db/scratch_test.h"

namespace volary {
namespace {

using enum Permission;

std::vector<Permission> all_permissions() {
  std::vector<Permission> all;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<Permission>>(
      [&](auto one) { all.push_back(one.value); });
  return all;
}

const std::set<Permission> reads = {volume_read,   sharing_read, datastore_read, secret_read, job_read,
                                    transfer_read, server_read,  project_read,   mount_read,  event_read,
                                    webhook_read,  everyone,     public_};
const std::set<Permission> edits = {volume_create, volume_update, volume_delete,   datastore_write,
                                    job_create,    job_stop,      transfer_create, mount_write};

TEST(Roles, PermitWhatTheirRowSaysAndNothingElse) {
  std::map<std::string_view, std::set<Permission>> expected;
  expected["viewer"] = reads;
  expected["editor"] = reads;
  expected["editor"].insert(edits.begin(), edits.end());
  const auto all = all_permissions();
  expected["admin"] = {all.begin(), all.end()};

  ASSERT_EQ(roles().size(), expected.size());
  for (const Role& role : roles())
    for (const Permission permission : all)
      EXPECT_EQ(role.permits(permission), expected.at(role.name()).contains(permission))
          << role.name() << " and " << name_of_value(permission);
}

TEST(Roles, AreFoundByNameOrNamedInTheError) {
  EXPECT_EQ(get_role("editor").name(), "editor");
  EXPECT_EQ(find_role("owner"), nullptr);
  EXPECT_EQ(error_of([] { get_role("owner"); }), "invalid: 'owner' is no role: expected one of admin, editor, viewer");
  EXPECT_EQ(roles_that_permit(sharing_create), "admin");
}

}  // namespace
}  // namespace volary
