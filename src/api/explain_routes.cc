// api/explain_routes.cc: why something is where it is.
#include "api/routes.h"

namespace volary {

void add_explain_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/jobs/{job}/explanation", Permission::job_read,
                    {.name = "explain_job",
                     .summary = "Why the job is where it is: one dated line a cause, and where its time went"},
                    [&services](const Call& call) { return services.explain.job(call.caller(), call.path("job")); }});
  routes.push_back({Method::get, "/api/v1/transfers/{transfer}/explanation", Permission::transfer_read,
                    {.name = "explain_transfer",
                     .summary = "Why the transfer is where it is: its waits, parts and failures, with bytes and rates"},
                    [&services](const Call& call) {
                      return services.explain.transfer(call.caller(), call.path("transfer"));
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/explanation", Permission::volume_read,
                    {.name = "explain_volume",
                     .summary = "Where the volume's versions came from, who holds it, and what its quota has left"},
                    [&services](const Call& call) {
                      return services.explain.volume(call.caller(), call.path("volume"));
                    }});
}

}  // namespace volary
