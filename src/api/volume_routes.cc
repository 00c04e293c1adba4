// api/volume_routes.cc: volumes, their versions and files.
#include "api/routes.h"

namespace volary {
namespace {

const QueryParameter version_parameter = {
    .name = "version", .description = "A number, a tag, the beginning of a checksum or 'head'; the head unless told"};

void add_version_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/versions", Permission::volume_read,
                    {.name = "list_versions", .summary = "The versions of a volume, newest first"},
                    [&services](const Call& call) {
                      return Page<Version>{services.volumes.versions(call.caller(), call.path("volume")), std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/versions/{version}", Permission::volume_read,
                    {.name = "get_version", .summary = "One version, by number, tag, checksum or 'head'"},
                    [&services](const Call& call) {
                      return services.volumes.version(call.caller(), call.path("volume"), call.path("version"));
                    }});
  routes.push_back({Method::put, "/api/v1/volumes/{volume}/versions/{version}/tags/{tag}", Permission::volume_update,
                    {.name = "tag_version", .summary = "Gives a version a name, taking it from another one"},
                    [&services](const Call& call) {
                      services.volumes.tag(call.caller(), call.path("volume"), call.path("version"), call.path("tag"));
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/files", Permission::volume_read,
                    {.name = "list_files",
                     .summary = "The files of a version, directories before what they hold",
                     .query = {version_parameter, {.name = "directory", .description = "Only what is below it"}}},
                    [&services](const Call& call) {
                      const PageRequest page = call.page();
                      return page_of(services.volumes.files(call.caller(), call.path("volume"),
                                                            call.query("version").value_or(""),
                                                            call.query("directory").value_or(""), page.cursor,
                                                            page.limit + 1),
                                     page.limit, [](const FileEntry& file) { return file.path; });
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/verification", Permission::volume_read,
                    {.name = "verify_volume",
                     .summary = "Reads every byte of a version from the disk and compares",
                     .query = {version_parameter}},
                    [&services](const Call& call) {
                      return services.volumes.verify(call.caller(), call.path("volume"),
                                                     call.query("version").value_or(""));
                    }});
}

}  // namespace

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
                    {.name = "update_volume", .summary = "Changes quota or tags"},
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
  add_version_routes(routes, services);
}

}  // namespace volary
