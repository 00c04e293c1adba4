// sync/trash.h: what an export is about to replace or delete, kept under another directory of the datastore.
#pragma once

#include <stop_token>
#include <vector>

#include "remote/remote.h"
#include "sync/plan.h"

namespace volary {

// Copies every object below `directory` that the plan replaces or deletes to the same path below `trash`; the bytes
// stay in the store where that can copy by itself. What is there already was kept by a run that was cut off, and is
// left as it is: by now the target may hold what that run wrote. Throws before anything was replaced or deleted.
void keep_in_trash(const Plan& plan, const std::vector<Listed>& target, const TreePath& directory,
                   const TreePath& trash, Remote& remote, const std::stop_token& stop);

}  // namespace volary
