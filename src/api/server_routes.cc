// api/server_routes.cc: what the server says of itself.
#include "api/openapi.h"
#include "api/routes.h"
#include "core/file.h"

namespace volary {

std::vector<Route> all_routes(Services& services) {
  std::vector<Route> routes;
  add_server_routes(routes, services);
  add_access_routes(routes, services);
  add_project_routes(routes, services);
  add_datastore_routes(routes, services);
  add_object_routes(routes, services);
  add_volume_routes(routes, services);
  add_version_routes(routes, services);
  add_transfer_routes(routes, services);
  add_upload_routes(routes, services);
  add_job_routes(routes, services);
  add_job_log_routes(routes, services);
  add_billing_routes(routes, services);
  add_explain_routes(routes, services);
  add_receipt_routes(routes, services);
  add_store_routes(routes, services);
  add_mount_routes(routes, services);
  add_cache_routes(routes, services);
  add_event_routes(routes, services);
  add_description_route(routes, services.status.version);
  return routes;
}

void add_server_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/healthz", Permission::public_,
                    {.name = "health", .summary = "Says that the server answers", .answer_type = "text/plain"},
                    [](const Call&) {
                      Response response;
                      response.content_type = "text/plain";
                      response.body = "ok\n";
                      return response;
                    }});
  routes.push_back({Method::get, "/api/v1/me", Permission::everyone,
                    {.name = "who_am_i", .summary = "Who the token stands for"},
                    [](const Call& call) { return call.caller(); }});
  routes.push_back({Method::get, "/api/v1/server", Permission::server_read,
                    {.name = "get_server", .summary = "The server's version, places and ways"},
                    [&services](const Call&) {
                      ServerStatus status = services.status;
                      status.free_bytes = free_bytes(status.data_directory);
                      return status;
                    }});
  routes.push_back({Method::get, "/api/v1/doctor", Permission::server_read,
                    {.name = "examine_server", .summary = "What this machine can do, which way is used and why"},
                    [&services](const Call&) {
                      Page<Finding> page{services.findings, std::nullopt};
                      page.items.push_back(services.upkeep.finding());
                      return page;
                    }});
}

}  // namespace volary
