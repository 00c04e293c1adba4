// record/project.h: what owns volumes, datastores, secrets and jobs, and limits how much its volumes and jobs may hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/json.h"
#include "record/node.h"

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
  JobQuota quota_jobs = {};  // What its jobs may hold at once, …
  Share held_by_jobs = {};   // … and hold.
};
BOOST_DESCRIBE_STRUCT(Project, (), (id, name, volumes, quota_fs_bytes, used_fs_bytes, reserved_fs_bytes,
                                    quota_obs_bytes, used_obs_bytes, reserved_obs_bytes, quota_jobs, held_by_jobs))

// POST /projects
struct NewProject {
  std::string name;
  std::optional<uint64_t> quota_fs_bytes;   // 1 TiB
  std::optional<uint64_t> quota_obs_bytes;  // 1 TiB
  std::optional<JobQuota> quota_jobs = {};  // Not limited.
};
BOOST_DESCRIBE_STRUCT(NewProject, (), (name, quota_fs_bytes, quota_obs_bytes, quota_jobs))

// What may be limited of what a project's jobs hold.
enum class JobResource { cpu, memory, gpu, jobs };
BOOST_DESCRIBE_ENUM(JobResource, cpu, memory, gpu, jobs)

// PATCH /projects/{name}
struct ProjectChange {
  std::optional<uint64_t> quota_fs_bytes;
  std::optional<uint64_t> quota_obs_bytes;
  std::optional<JobQuota> quota_jobs = {};     // What is not said stays.
  std::vector<JobResource> unlimited = {};     // Of these, no quota from now on.
};
BOOST_DESCRIBE_STRUCT(ProjectChange, (), (quota_fs_bytes, quota_obs_bytes, quota_jobs, unlimited))

}  // namespace volary
