// volume/projects.cc: the statements behind volume/projects.h.
#include "volume/projects.h"

#include <algorithm>

#include "core/error.h"
#include "core/name.h"
#include "core/quantity.h"
#include "core/random.h"

namespace volary {
namespace {

constexpr uint64_t quota_bytes_default = uint64_t{1} << 40;

// A Project without what its jobs hold, column by column.
struct StoredProject {
  std::string id;
  std::string name;
  uint64_t volumes = 0;
  uint64_t quota_fs_bytes = 0, used_fs_bytes = 0, reserved_fs_bytes = 0;
  uint64_t quota_obs_bytes = 0, used_obs_bytes = 0, reserved_obs_bytes = 0;
  std::optional<uint64_t> cpu, memory_bytes, gpu, jobs;
};
BOOST_DESCRIBE_STRUCT(StoredProject, (), (id, name, volumes, quota_fs_bytes, used_fs_bytes, reserved_fs_bytes,
                                          quota_obs_bytes, used_obs_bytes, reserved_obs_bytes, cpu, memory_bytes, gpu,
                                          jobs))

Project project_of(const StoredProject& row) {
  return {row.id, row.name, row.volumes, row.quota_fs_bytes, row.used_fs_bytes, row.reserved_fs_bytes,
          row.quota_obs_bytes, row.used_obs_bytes, row.reserved_obs_bytes,
          {row.cpu, row.memory_bytes, row.gpu, row.jobs}, {}};
}

constexpr std::string_view select_project =
    "SELECT project.id, project.name, COUNT(volume.id) - COUNT(staged.volume), "
    "quota_fs_bytes, COALESCE(SUM(CASE WHEN storage_type = 'fs' THEN used_bytes END), 0), "
    "COALESCE(SUM(CASE WHEN storage_type = 'fs' THEN reserved_bytes END), 0), "
    "quota_obs_bytes, COALESCE(SUM(CASE WHEN storage_type = 'obs' THEN used_bytes END), 0), "
    "COALESCE(SUM(CASE WHEN storage_type = 'obs' THEN reserved_bytes END), 0), "
    "quota_cpu, quota_memory_bytes, quota_gpu, quota_jobs FROM project LEFT JOIN volume ON volume.project = project.id "
    "LEFT JOIN staged ON staged.volume = volume.id ";
constexpr std::string_view by_project = "GROUP BY project.id ";

Project get_project(Transaction& transaction, const std::string& id) {
  const auto project = transaction.find<StoredProject>(
      std::string(select_project) + "WHERE project.id = $1 " + std::string(by_project), id);
  if (!project) throw Error(Errc::not_found, "there is no project '{}'", id);
  return project_of(*project);
}

void check_quota(uint64_t bytes) {
  if (bytes > INT64_MAX)
    throw Error(Errc::invalid, "a quota of {} bytes cannot be: expected at most {}", bytes, INT64_MAX);
}

// What its jobs may hold; what is not said stays. Jobs that hold more than that go on.
void set_job_quotas(Transaction& transaction, const std::string& id, const JobQuota& quota) {
  const auto set = [&](std::string_view column, const std::optional<uint64_t>& amount) {
    if (!amount) return;
    if (*amount > INT64_MAX)
      throw Error(Errc::invalid, "a quota of {} for what jobs hold cannot be: expected at most {}", *amount, INT64_MAX);
    transaction.run(fmt::format("UPDATE project SET quota_{} = $2 WHERE id = $1", column), id, *amount);
  };
  set("cpu", quota.cpu);
  set("memory_bytes", quota.memory_bytes);
  set("gpu", quota.gpu);
  set("jobs", quota.jobs);
}

void lift_job_quotas(Transaction& transaction, const std::string& id, const std::vector<JobResource>& unlimited) {
  for (const JobResource one : unlimited)
    transaction.run(fmt::format("UPDATE project SET quota_{} = NULL WHERE id = $1",
                                one == JobResource::memory ? "memory_bytes" : name_of_value(one)), id);
}

}  // namespace

std::vector<Project> Projects::list(const std::vector<std::string>& ids) {
  const auto rows = database_.read([&](Transaction& transaction) {
    return transaction.all<StoredProject>(std::string(select_project) + std::string(by_project) +
                                          "ORDER BY project.name");
  });
  std::vector<Project> projects;
  for (const StoredProject& row : rows)
    if (std::find(ids.begin(), ids.end(), row.id) != ids.end()) projects.push_back(project_of(row));
  return projects;
}

Project Projects::get(const std::string& id) {
  return database_.read([&](Transaction& transaction) { return get_project(transaction, id); });
}

Project Projects::create(const Caller& caller, const NewProject& request) {
  const Name name = Name::parse(request.name, "project");
  const uint64_t fs = request.quota_fs_bytes.value_or(quota_bytes_default);
  const uint64_t obs = request.quota_obs_bytes.value_or(quota_bytes_default);
  check_quota(fs);
  check_quota(obs);
  return database_.write([&](Transaction& transaction) {
    if (transaction.find<std::string>("SELECT id FROM project WHERE tenant = $1 AND name = $2", caller.tenant,
                                      name.text()))
      throw Error(Errc::exists, "project '{}' exists already", name.text());
    const std::string id = new_id("prj");
    transaction.run(
        "INSERT INTO project (id, tenant, name, quota_fs_bytes, quota_obs_bytes) VALUES ($1, $2, $3, $4, $5)", id,
        caller.tenant, name.text(), fs, obs);
    set_job_quotas(transaction, id, request.quota_jobs.value_or(JobQuota{}));
    return get_project(transaction, id);
  });
}

Project Projects::update(const std::string& id, const ProjectChange& change) {
  return database_.write([&](Transaction& transaction) {
    const Project project = get_project(transaction, id);
    const auto set = [&](const std::optional<uint64_t>& quota, std::string_view storage, uint64_t used,
                         uint64_t reserved) {
      if (!quota) return;
      check_quota(*quota);
      if (*quota < used + reserved)
        throw Error(Errc::exhausted,
                    "the {} volumes of project '{}' use {} and have {} reserved: a quota of {} is too small", storage,
                    project.name, bytes_text(used), bytes_text(reserved), bytes_text(*quota));
      transaction.run(fmt::format("UPDATE project SET quota_{}_bytes = $2 WHERE id = $1", storage), id, *quota);
    };
    set(change.quota_fs_bytes, "fs", project.used_fs_bytes, project.reserved_fs_bytes);
    set(change.quota_obs_bytes, "obs", project.used_obs_bytes, project.reserved_obs_bytes);
    set_job_quotas(transaction, id, change.quota_jobs.value_or(JobQuota{}));
    lift_job_quotas(transaction, id, change.unlimited);
    return get_project(transaction, id);
  });
}

}  // namespace volary
