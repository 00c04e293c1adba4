// api/project_routes.cc: projects and their quotas. A caller sees those where a grant of its holds; to make one or to
// change a quota takes a grant on all of them.
#include "api/routes.h"

namespace volary {

namespace {

Project with_held(Services& services, Project project) {
  project.held_by_jobs = services.node.held()[project.id];
  return project;
}

}  // namespace

void add_project_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/projects", Permission::project_read,
                    {.name = "list_projects", .summary = "The projects that the caller may use, by name"},
                    [&services](const Call& call) {
                      Page<Project> page{services.projects.list(services.access.projects_of(call.caller())),
                                         std::nullopt};
                      const auto held = services.node.held();
                      for (Project& one : page.items)
                        if (const auto found = held.find(one.id); found != held.end()) one.held_by_jobs = found->second;
                      return page;
                    }});
  routes.push_back({Method::post, "/api/v1/projects", Permission::project_write,
                    {.name = "create_project", .summary = "Makes an empty project", .status = 201},
                    [&services](const Call& call, const NewProject& wanted) {
                      services.access.require_everywhere(call.caller(), Permission::project_write);
                      return services.projects.create(call.caller(), wanted);
                    }});
  routes.push_back({Method::get, "/api/v1/projects/{project}", Permission::project_read,
                    {.name = "get_project", .summary = "One project, with what its volumes use"},
                    [&services](const Call& call) {
                      const Caller there = services.access.in_project(call.caller(), call.path("project"));
                      services.access.require(there, Permission::project_read);
                      return with_held(services, services.projects.get(there.project));
                    }});
  routes.push_back({Method::patch, "/api/v1/projects/{project}", Permission::project_write,
                    {.name = "update_project", .summary = "Changes a project's quotas"},
                    [&services](const Call& call, const ProjectChange& change) {
                      services.access.require_everywhere(call.caller(), Permission::project_write);
                      const Caller there = services.access.in_project(call.caller(), call.path("project"));
                      return with_held(services, services.projects.update(there.project, change));
                    }});
}

}  // namespace volary
