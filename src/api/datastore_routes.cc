// api/datastore_routes.cc: datastores.
#include "api/routes.h"

namespace volary {

void add_datastore_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/datastores", Permission::datastore_write,
                    {.name = "create_datastore", .summary = "Gives an object store a name", .status = 201},
                    [&services](const Call& call, const NewDatastore& wanted) {
                      return services.datastores.create(call.caller(), wanted, call.asker());
                    }});
  routes.push_back({Method::get, "/api/v1/datastores", Permission::datastore_read,
                    {.name = "list_datastores", .summary = "The datastores of the project"},
                    [&services](const Call& call) {
                      return Page<Datastore>{services.datastores.list(call.caller()), std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/datastores/{datastore}", Permission::datastore_read,
                    {.name = "get_datastore", .summary = "One datastore"},
                    [&services](const Call& call) {
                      return services.datastores.get(call.caller(), call.path("datastore"));
                    }});
  routes.push_back({Method::post, "/api/v1/datastores/{datastore}/check", Permission::datastore_write,
                    {.name = "check_datastore",
                     .summary = "Tries to list, to read, to write a probe and to delete it",
                     .query = {{.name = "readOnly", .description = "do not try to write",
                                .kind = ParameterKind::flag}}},
                    [&services](const Call& call) {
                      return services.datastores.check(call.caller(), call.path("datastore"),
                                                       call.flag("readOnly") ? CheckWrites::no : CheckWrites::yes);
                    }});
  routes.push_back({Method::delete_, "/api/v1/datastores/{datastore}", Permission::datastore_write,
                    {.name = "delete_datastore", .summary = "Forgets the name; what lies in the store stays"},
                    [&services](const Call& call) {
                      services.datastores.remove(call.caller(), call.path("datastore"));
                    }});
}

}  // namespace volary
