// sync/absence.h: proof that what a listing does not have is not there.
//
// A server can leave a page of a listing out, or end it early, and nothing in the answer shows it. So before a mirror
// deletes what its source does not list, the source is asked for some of it by name.
#pragma once

#include <vector>

#include "remote/remote.h"
#include "sync/plan.h"

namespace volary {

// Asks `remote` for objects that `plan` deletes from `target` because they are not listed below `directory`: for all of
// them, or for 128 spread evenly over them in the order of names, in which a page that is left out is a row. Throws
// `corrupt` for one that is there after all.
void check_absence(Remote& remote, const TreePath& directory, const Plan& plan, const std::vector<Listed>& target);

}  // namespace volary
