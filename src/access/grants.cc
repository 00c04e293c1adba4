// access/grants.cc: which rows of role_grant hold for a caller.
#include "access/grants.h"

#include <algorithm>

#include "access/roles.h"

namespace volary {

std::vector<std::string> roles_of(Transaction& transaction, const Caller& caller) {
  return transaction.all<std::string>(
      "SELECT DISTINCT g.role FROM role_grant g JOIN subject s ON s.id = g.subject "
      "WHERE s.id = $1 AND s.tenant = $2 AND s.disabled_at IS NULL "
      "AND ((g.scope_kind = 'tenant' AND g.scope = $2) OR (g.scope_kind = 'project' AND g.scope = $3)) ORDER BY g.role",
      caller.subject_id, caller.tenant, caller.project);
}

std::vector<std::string> roles_everywhere(Transaction& transaction, const Caller& caller) {
  Caller nowhere = caller;
  nowhere.project.clear();
  return roles_of(transaction, nowhere);
}

bool holds_grant(Transaction& transaction, const Caller& caller, const std::string& project) {
  Caller there = caller;
  there.project = project;
  return !roles_of(transaction, there).empty();
}

bool is_permitted(const std::vector<std::string>& held, Permission permission) {
  return std::any_of(held.begin(), held.end(), [&](const std::string& name) {
    const Role* role = find_role(name);
    return role && role->permits(permission);
  });
}

}  // namespace volary
