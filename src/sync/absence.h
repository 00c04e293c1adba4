// sync/absence.h: proof that what a listing does not have is not there.
//
// A server can leave a page of a listing out, or end it early, and nothing in the answer shows it. So before a mirror
// deletes what its source does not list, the source is asked for some of it by name.
#pragma once

#include "remote/remote.h"
#include "sync/acts.h"

namespace volary {

// Asks `remote` for objects that are to be deleted because they are not listed below `directory`: for all of them, or
// for 128 spread evenly over them in the order of names, in which a page that is left out is a row. Throws `corrupt`
// for one that is there after all. `deletes` says how many of `acts` are deletions.
void check_absence(Remote& remote, const TreePath& directory, const ActList& acts, uint64_t deletes);

}  // namespace volary
