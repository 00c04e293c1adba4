// api/receipt_routes.cc: what can be proven of a job without this server, and the key that proves it.
#include "api/routes.h"

namespace volary {

void add_receipt_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/jobs/{job}/receipt", Permission::job_read,
                    {.name = "get_receipt",
                     .summary = "What an ended job read and made, signed by this server",
                     .description = "A document of one form only, to be kept as it is: 'volary verify-receipt' holds "
                                    "it against its signature without a server.",
                     .query = {{.name = "run", .description = "Of this run, and not of the newest",
                                .kind = ParameterKind::number}},
                     .answer_type = "application/json"},
                    [&services](const Call& call) {
                      Response response;
                      response.content_type = "application/json";
                      response.body = services.receipts.receipt(call.caller(), call.path("job"), call.number("run"));
                      return response;
                    }});
  routes.push_back({Method::get, "/api/v1/server/key", Permission::everyone,
                    {.name = "get_server_key", .summary = "The public key of this server's signatures"},
                    [&services](const Call&) { return services.receipts.key(); }});
}

}  // namespace volary
