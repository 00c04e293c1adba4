// volume/projects.h: projects and their quotas. Who may see or change which is the gate's business (api/), what their
// jobs hold that of job/.
#pragma once

#include <string>
#include <vector>

#include "access/caller.h"
#include "db/database.h"
#include "record/project.h"

namespace volary {

// Any thread may call.
class Projects {
 public:
  explicit Projects(Database& database) : database_(database) {}

  // Those of `ids` that are there, by name, with what their volumes use now.
  std::vector<Project> list(const std::vector<std::string>& ids);
  // Throws `not_found`.
  Project get(const std::string& id);
  // In the caller's tenant. Throws `exists`, `invalid`.
  Project create(const Caller& caller, const NewProject& request);
  // Throws `exhausted` for a quota below what its volumes use and have reserved.
  Project update(const std::string& id, const ProjectChange& change);

 private:
  Database& database_;
};

}  // namespace volary
