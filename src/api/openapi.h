// api/openapi.h: the API's description, OpenAPI 3.1, printed from the route table.
#pragma once

#include <string>
#include <vector>

#include "api/route.h"

namespace volary {

json::value describe_api(const std::vector<Route>& routes, const std::string& version);

// Appends GET /openapi.json, which answers the description of all routes that are in the table now, and itself.
void add_description_route(std::vector<Route>& routes, const std::string& version);

}  // namespace volary
