// api/explain_routes.cc: why something is where it is, and where it came from.
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
  routes.push_back(
      {Method::get, "/api/v1/volumes/{volume}/lineage", Permission::volume_read,
       {.name = "get_lineage",
        .summary = "What a version was made of and what was made of it",
        .description = "Through jobs, imports, exports, clones and restores. What the caller may not see is a node of "
                       "kind 'hidden', and nothing behind it is shown.",
        .query = {{.name = "version", .description = "The head unless told"},
                  {.name = "direction", .description = "Both unless told",
                   .choices = {"upstream", "downstream", "both"}},
                  {.name = "depth", .description = "Steps at most, 1 to 100; 20 unless told",
                   .kind = ParameterKind::number}}},
       [&services](const Call& call) {
         LineageRequest request;
         request.version = call.query("version").value_or("");
         if (const auto direction = call.query("direction"))
           request.direction = value_named<LineageDirection>(*direction, "direction");
         request.depth = call.number("depth").value_or(lineage_depth_default);
         return services.lineages.of(call.caller(), call.path("volume"), request);
       }});
}

}  // namespace volary
