// cli/plan_file.h: plans kept in files, to be looked at, handed on, and carried out later.
#pragma once

#include <string>

#include "cli/session.h"
#include "core/file.h"
#include "record/plan.h"

namespace volary {

// Asks the server for the whole plan and writes it to `path`, all or nothing. What the plan is, without items.
PlanView save_plan(Session& session, TransferKind kind, const std::string& volume, const NewTransfer& asked,
                   const Path& path);

// Throws `invalid` for what is no plan, or was changed by hand since it was made.
PlanFile read_plan_file(const Path& path);

// Plans the same again. Throws `conflict` if a side is not what it was when the plan in the file was made, naming the
// objects that came, went or changed, the first ten, or the volume's versions.
void check_still_holds(Session& session, const PlanFile& plan, const Path& path);

// "imports" or "exports": what the API calls them.
std::string route_of(TransferKind kind);

}  // namespace volary
