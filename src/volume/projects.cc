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

constexpr std::string_view select_project =
    "SELECT project.id, project.name, COUNT(volume.id) - COUNT(staged.volume), "
    "quota_fs_bytes, COALESCE(SUM(CASE WHEN storage_type = 'fs' THEN used_bytes END), 0), "
    "COALESCE(SUM(CASE WHEN storage_type = 'fs' THEN reserved_bytes END), 0), "
    "quota_obs_bytes, COALESCE(SUM(CASE WHEN storage_type = 'obs' THEN used_bytes END), 0), "
    "COALESCE(SUM(CASE WHEN storage_type = 'obs' THEN reserved_bytes END), 0) "
    "FROM project LEFT JOIN volume ON volume.project = project.id "
    "LEFT JOIN staged ON staged.volume = volume.id ";
constexpr std::string_view by_project = "GROUP BY project.id, project.name, quota_fs_bytes, quota_obs_bytes ";

Project get_project(Transaction& transaction, const std::string& id) {
  auto project = transaction.find<Project>(
      std::string(select_project) + "WHERE project.id = $1 " + std::string(by_project), id);
  if (!project) throw Error(Errc::not_found, "there is no project '{}'", id);
  return *project;
}

void check_quota(uint64_t bytes) {
  if (bytes > INT64_MAX)
    throw Error(Errc::invalid, "a quota of {} bytes cannot be: expected at most {}", bytes, INT64_MAX);
}

}  // namespace

std::vector<Project> Projects::list(const std::vector<std::string>& ids) {
  auto projects = database_.read([&](Transaction& transaction) {
    return transaction.all<Project>(std::string(select_project) + std::string(by_project) + "ORDER BY project.name");
  });
  std::erase_if(projects, [&](const Project& project) {
    return std::find(ids.begin(), ids.end(), project.id) == ids.end();
  });
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
    return get_project(transaction, id);
  });
}

}  // namespace volary
