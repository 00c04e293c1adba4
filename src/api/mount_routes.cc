// api/mount_routes.cc: versions that stand at a path for people.
#include "api/routes.h"

namespace volary {

void add_mount_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back(
      {Method::post, "/api/v1/mounts", Permission::mount_write,
       {.name = "create_mount",
        .summary = "Has a version stand at a path of the server's machine",
        .description = "Over TCP only below the directories that the server was started with; over its Unix socket, "
                       "which only its own user can connect to, anywhere.",
        .status = 201},
       [&services](const Call& call, const NewMount& wanted) {
         return services.mounts.mount(call.caller(), wanted, call.asker());
       }});
  routes.push_back({Method::get, "/api/v1/mounts", Permission::mount_read,
                    {.name = "list_mounts",
                     .summary = "What stands at paths of the server's machine",
                     .query = {{.name = "path", .description = "Only what stands exactly there"}}},
                    [&services](const Call& call) {
                      const PageRequest page = call.page();
                      return page_of(services.mounts.list(call.caller(), call.query("path").value_or(""), page.cursor,
                                                          page.limit + 1),
                                     page.limit, [](const Mount& mount) { return mount.id; });
                    }});
  routes.push_back({Method::get, "/api/v1/mounts/{mount}", Permission::mount_read,
                    {.name = "get_mount", .summary = "One mount"},
                    [&services](const Call& call) {
                      return services.mounts.get(call.caller(), call.path("mount"));
                    }});
  routes.push_back({Method::post, "/api/v1/mounts/{mount}/unmount", Permission::mount_write,
                    {.name = "unmount",
                     .summary = "Takes a mount away; what was written there becomes the next version"},
                    [&services](const Call& call, const Unmount& wanted) {
                      return services.mounts.unmount(call.caller(), call.path("mount"), wanted);
                    }});
}

}  // namespace volary
