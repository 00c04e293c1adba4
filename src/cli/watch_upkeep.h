// cli/watch_upkeep.h: beginning a run of the store's upkeep, and showing it until it has ended.
#pragma once

#include <string>

#include "cli/session.h"
#include "record/store.h"

namespace volary {

enum class Wait { no, yes };

// POSTs `asked` to /store/`path` and follows the run with its progress on stderr; the run as it ended. With Wait::no
// it is only begun, and the run's id printed. A run that failed is thrown as the Error it failed with.
std::optional<UpkeepRun> run_upkeep(Session& session, const std::string& path, const json::value& asked, Wait wait);

// Follows a run that is under way already.
UpkeepRun watch_upkeep(Session& session, const std::string& id);

std::string amount_text(const ObjectAmount& amount);  // "12 (3.00 GiB)"

}  // namespace volary
