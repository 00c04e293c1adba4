// record/project.h: what owns volumes, datastores, secrets and jobs, and limits how much its volumes may hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/json.h"

namespace volary {

struct Project {
  std::string id;
  std::string name;
  uint64_t volumes = 0;  // How many it has.
  uint64_t quota_fs_bytes = 0;
  uint64_t used_fs_bytes = 0;      // Logical bytes of the heads of its fs volumes.
  uint64_t reserved_fs_bytes = 0;  // Promised to transfers and jobs under way.
  uint64_t quota_obs_bytes = 0;
  uint64_t used_obs_bytes = 0;
  uint64_t reserved_obs_bytes = 0;
};
BOOST_DESCRIBE_STRUCT(Project, (), (id, name, volumes, quota_fs_bytes, used_fs_bytes, reserved_fs_bytes,
                                    quota_obs_bytes, used_obs_bytes, reserved_obs_bytes))

// POST /projects
struct NewProject {
  std::string name;
  std::optional<uint64_t> quota_fs_bytes;   // 1 TiB
  std::optional<uint64_t> quota_obs_bytes;  // 1 TiB
};
BOOST_DESCRIBE_STRUCT(NewProject, (), (name, quota_fs_bytes, quota_obs_bytes))

// PATCH /projects/{name}
struct ProjectChange {
  std::optional<uint64_t> quota_fs_bytes;
  std::optional<uint64_t> quota_obs_bytes;
};
BOOST_DESCRIBE_STRUCT(ProjectChange, (), (quota_fs_bytes, quota_obs_bytes))

}  // namespace volary
