// api/billing_routes.cc: what jobs cost. A caller sees its project's; to see all takes a grant on all of them.
#include "api/routes.h"

namespace volary {

void add_billing_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back(
      {Method::get, "/api/v1/billing/report", Permission::job_read,
       {.name = "report_billing",
        .summary = "How many minutes jobs were billed for, and what they cost",
        .description = "Exact: amounts are decimal texts, and reports of ranges beside each other add up.",
        .query = {{.name = "from", .description = "Minutes that begin then or later; this month's unless told"},
                  {.name = "to", .description = "Minutes that begin before; now unless told"},
                  {.name = "by", .description = "What a line stands for", .choices = {"project", "user", "job"}},
                  {.name = "allProjects", .description = "Of all projects, for who may read the jobs of all",
                   .kind = ParameterKind::flag}}},
       [&services](const Call& call) {
         BillRequest request;
         if (const auto from = call.query("from")) request.from = parse_time(*from);
         if (const auto to = call.query("to")) request.to = parse_time(*to);
         if (const auto by = call.query("by")) request.by = value_named<BillBy>(*by, "line of a report");
         if (call.flag("allProjects")) {
           services.access.require_everywhere(call.caller(), Permission::job_read);
           request.scope = BillScope::tenant;
         }
         return services.billing.report(call.caller(), request);
       }});
}

}  // namespace volary
