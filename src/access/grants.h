// access/grants.h: the roles a caller holds where it calls. Known only inside access/.
#pragma once

#include <string>
#include <vector>

#include "access/caller.h"
#include "access/permission.h"
#include "db/database.h"

namespace volary {

// By grants of its project or of its tenant.
std::vector<std::string> roles_of(Transaction& transaction, const Caller& caller);

// By grants of its tenant alone.
std::vector<std::string> roles_everywhere(Transaction& transaction, const Caller& caller);
// Whether any grant of the caller's holds in that project of its tenant.
bool holds_grant(Transaction& transaction, const Caller& caller, const std::string& project);

bool is_permitted(const std::vector<std::string>& held, Permission permission);

}  // namespace volary
