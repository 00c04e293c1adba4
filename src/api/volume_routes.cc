// api/volume_routes.cc: volumes and who uses them.
#include "api/routes.h"

namespace volary {

void add_volume_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/volumes", Permission::volume_create,
                    {.name = "create_volume", .summary = "Makes an empty volume", .status = 201},
                    [&services](const Call& call, const NewVolume& wanted) {
                      return services.volumes.create(call.caller(), wanted);
                    }});
  routes.push_back(
      {Method::get, "/api/v1/volumes", Permission::volume_read,
       {.name = "list_volumes",
        .summary = "The volumes of the project, by name",
        .query = {{.name = "tag", .description = "Only those that have all of these tags", .kind = ParameterKind::list},
                  {.name = "dataType", .description = "Only this type", .choices = {"model", "dataset", "other"}},
                  {.name = "search", .description = "Only names with this part"}}},
       [&services](const Call& call) {
         const PageRequest page = call.page();
         VolumeFilter filter;
         filter.tags = call.list("tag");
         filter.search = call.query("search").value_or("");
         if (const auto type = call.query("dataType")) filter.data_type = value_named<DataType>(*type, "data type");
         return page_of(services.volumes.list(call.caller(), filter, page.cursor, page.limit + 1), page.limit,
                        [](const Volume& volume) { return volume.name; });
       }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}", Permission::volume_read,
                    {.name = "get_volume", .summary = "One volume"},
                    [&services](const Call& call) {
                      return services.volumes.get(call.caller(), call.path("volume"));
                    }});
  routes.push_back({Method::patch, "/api/v1/volumes/{volume}", Permission::volume_update,
                    {.name = "update_volume", .summary = "Changes quota, tags or retention"},
                    [&services](const Call& call, const VolumeChange& change) {
                      return services.volumes.update(call.caller(), call.path("volume"), change);
                    }});
  routes.push_back({Method::delete_, "/api/v1/volumes/{volume}", Permission::volume_delete,
                    {.name = "delete_volume", .summary = "Removes a volume that nobody uses, with all its versions"},
                    [&services](const Call& call) {
                      services.volumes.remove(call.caller(), call.path("volume"));
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/leases", Permission::volume_read,
                    {.name = "list_leases", .summary = "Who uses the volume and how"},
                    [&services](const Call& call) {
                      return Page<Lease>{services.volumes.leases(call.caller(), call.path("volume")), std::nullopt};
                    }});
}

}  // namespace volary
