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

bool is_permitted(const std::vector<std::string>& held, Permission permission);

}  // namespace volary
