// api/cache_routes.cc: the images and link farms that mounts are made of.
#include "api/routes.h"

namespace volary {

void add_cache_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/cache", Permission::store_read,
                    {.name = "list_cache", .summary = "What is kept so that mounts are quick, last used first"},
                    [&services](const Call&) { return Page<CachedImage>{services.cache.list(), std::nullopt}; }});
  routes.push_back({Method::post, "/api/v1/cache/prune", Permission::store_write,
                    {.name = "prune_cache", .summary = "Removes what was not used for long; what is in use stays"},
                    [&services](const Call&, const PruneRequest& request) { return services.cache.prune(request); }});
}

}  // namespace volary
