// access/roles.h: what each role permits: one table, in roles.cc. What it does not permit is denied.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "access/permission.h"

namespace volary {

class Role {
 public:
  // Letters: c(reate), r(ead), u(pdate), d(elete), w(rite: all that changes), s(top).
  struct Row {
    std::string_view name;
    std::string_view volumes;
    std::string_view sharing;
    std::string_view datastores;
    std::string_view secrets;
    std::string_view jobs;
    std::string_view transfers;
    std::string_view tokens;
    std::string_view audit;
    std::string_view server;
    std::string_view projects;
    std::string_view mounts;
    std::string_view store;
    std::string_view events;
    std::string_view webhooks;
  };
  constexpr explicit Role(const Row& row) : row_(row) {}

  std::string_view name() const { return row_.name; }
  bool permits(Permission permission) const;

 private:
  Row row_;
};

const std::vector<Role>& roles();
// Nothing if there is no such role: a grant of it permits nothing.
const Role* find_role(std::string_view name);
// Throws `invalid`, listing the roles there are.
const Role& get_role(std::string_view name);
// "admin, editor": for messages.
std::string roles_that_permit(Permission permission);

}  // namespace volary
