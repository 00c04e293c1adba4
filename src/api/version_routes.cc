// api/version_routes.cc: the versions of a volume: named, compared, made of each other, let go; and their files.
#include "api/content.h"
#include "api/routes.h"

namespace volary {
namespace {

constexpr uint64_t differences_default = 1000;
constexpr uint64_t differences_max = 100'000;

const QueryParameter version_parameter = {
    .name = "version", .description = "A number, a tag, the beginning of a checksum or 'head'; the head unless told"};

std::string version_of(const Call& call) { return call.query("version").value_or(""); }

void add_naming_routes(std::vector<Route>& routes, Services& services) {
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
  routes.push_back({Method::delete_, "/api/v1/volumes/{volume}/tags/{tag}", Permission::volume_update,
                    {.name = "untag_version", .summary = "Takes a name away from the version that has it"},
                    [&services](const Call& call) {
                      services.volumes.untag(call.caller(), call.path("volume"), call.path("tag"));
                    }});
}

void add_lineage_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/volumes/{volume}/clones", Permission::volume_read,
                    {.name = "clone_volume",
                     .summary = "Makes a new volume of a version, without copying a byte",
                     .description = "Needs the permission volume_create in the project where it goes.",
                     .status = 201},
                    [&services](const Call& call, const NewClone& wanted) {
                      const Caller target = wanted.project ? services.access.in_project(call.caller(), *wanted.project)
                                                           : call.caller();
                      services.access.require(target, Permission::volume_create);
                      return services.volumes.clone(call.caller(), call.path("volume"), target, wanted);
                    }});
  routes.push_back({Method::post, "/api/v1/volumes/{volume}/restore", Permission::volume_update,
                    {.name = "restore_version", .summary = "Makes an old version's content the newest version",
                     .status = 201},
                    [&services](const Call& call, const NewRestore& wanted) {
                      return services.volumes.restore(call.caller(), call.path("volume"), wanted);
                    }});
  routes.push_back({Method::post, "/api/v1/volumes/{volume}/prune", Permission::volume_delete,
                    {.name = "prune_versions",
                     .summary = "Removes the versions that are named, or those that the retention lets go"},
                    [&services](const Call& call, const NewPrune& wanted) {
                      return services.volumes.prune(call.caller(), call.path("volume"), wanted);
                    }});
}

VersionDifference difference_of(Services& services, const Call& call) {
  const VolumeReference from{call.path("volume"), version_of(call)};
  const VolumeReference to{call.query("otherVolume").value_or(from.name), call.query("otherVersion").value_or("")};
  const uint64_t limit = call.number("limit").value_or(differences_default);
  if (limit > differences_max)
    throw Error(Errc::invalid, "'limit' is {}: expected at most {}", limit, differences_max);
  return services.volumes.difference(call.caller(), from, to, call.query("cursor").value_or(""), limit);
}

void add_difference_route(std::vector<Route>& routes, Services& services) {
  routes.push_back(
      {Method::get, "/api/v1/volumes/{volume}/difference", Permission::volume_read,
       {.name = "compare_versions",
        .summary = "How another version differs from this one: added, removed, changed and renamed files",
        .query = {{.name = "version", .description = "The older side; the one before the other unless told"},
                  {.name = "otherVolume", .description = "The newer side's volume; the same unless told"},
                  {.name = "otherVersion", .description = "The newer side; the head unless told"},
                  {.name = "limit", .description = "At most so many items, up to 100000; 0: only the totals",
                   .kind = ParameterKind::number},
                  {.name = "cursor", .description = "nextCursor of the part before"}}},
       [&services](const Call& call) { return difference_of(services, call); }});
}

void add_file_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back(
      {Method::get, "/api/v1/volumes/{volume}/files", Permission::volume_read,
       {.name = "list_files",
        .summary = "The files of a version, directories before what they hold",
        .query = {version_parameter,
                  {.name = "directory", .description = "Only what is below it"},
                  {.name = "depth", .description = "At most so many levels below it", .kind = ParameterKind::number},
                  {.name = "directoriesOnly", .description = "Only directories", .kind = ParameterKind::flag}}},
       [&services](const Call& call) {
         const PageRequest page = call.page();
         FileFilter filter;
         filter.directory = call.query("directory").value_or("");
         filter.depth = call.number("depth").value_or(filter.depth);
         filter.directories_only = call.flag("directoriesOnly");
         filter.after = page.cursor;
         filter.limit = page.limit + 1;
         return page_of(services.volumes.files(call.caller(), call.path("volume"), version_of(call), filter),
                        page.limit, [](const FileEntry& file) { return file.path; });
       }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/content", Permission::volume_read,
                    {.name = "read_file",
                     .summary = "The bytes of one file of a version; understands Range",
                     .query = {version_parameter,
                               {.name = "path", .description = "Which file", .need = Need::required}},
                     .answer_type = "application/octet-stream"},
                    [&services](const Call& call) {
                      return content_response(call.request(),
                                              services.volumes.file(call.caller(), call.path("volume"),
                                                                    version_of(call), *call.query("path")));
                    }});
  routes.push_back({Method::get, "/api/v1/volumes/{volume}/verification", Permission::volume_read,
                    {.name = "verify_volume",
                     .summary = "Reads every byte of a version from the disk and compares",
                     .query = {version_parameter}},
                    [&services](const Call& call) {
                      return services.volumes.verify(call.caller(), call.path("volume"), version_of(call));
                    }});
}

}  // namespace

void add_version_routes(std::vector<Route>& routes, Services& services) {
  add_naming_routes(routes, services);
  add_lineage_routes(routes, services);
  add_difference_route(routes, services);
  add_file_routes(routes, services);
}

}  // namespace volary
