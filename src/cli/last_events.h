// cli/last_events.h: the newest events of a project, from which one may go on without missing any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/client.h"

namespace volary {

// The newest `count` events of these types, all unless told; oldest first. Throws `invalid` for more than 1000.
json::array last_events(Client& client, const std::vector<std::string>& types, uint64_t count);
// To follow those that come; 0: there was none.
uint64_t number_of_last(const json::array& events);

}  // namespace volary
