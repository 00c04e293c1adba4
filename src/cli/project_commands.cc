// cli/project_commands.cc: `volary project ls|create|get|update`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/project.h"

namespace volary {
namespace {

// What its jobs hold, and of how much: "2 of 4", "2" where it is not limited.
std::string job_quota_text(const Project& project, uint64_t Share::*amount, std::optional<uint64_t> JobQuota::*quota) {
  const auto text = [&](uint64_t n) { return amount == &Share::memory_bytes ? bytes_text(n) : std::to_string(n); };
  const auto limit = project.quota_jobs.*quota;
  return text(project.held_by_jobs.*amount) + (limit ? " of " + text(*limit) : "");
}

const std::vector<Column<Project>>& project_columns() {
  static const std::vector<Column<Project>> columns = {
      {"NAME", [](const Project& p) { return p.name; }},
      {"VOLUMES", [](const Project& p) { return std::to_string(p.volumes); }},
      {"USED", [](const Project& p) { return bytes_text(p.used_fs_bytes); }},
      {"RESERVED", [](const Project& p) { return bytes_text(p.reserved_fs_bytes); }},
      {"QUOTA", [](const Project& p) { return bytes_text(p.quota_fs_bytes); }},
      {"JOBS", [](const Project& p) { return job_quota_text(p, &Share::jobs, &JobQuota::jobs); }, Show::wide},
      {"CORES", [](const Project& p) { return job_quota_text(p, &Share::cpu, &JobQuota::cpu); }, Show::wide},
      {"MEMORY", [](const Project& p) { return job_quota_text(p, &Share::memory_bytes, &JobQuota::memory_bytes); },
       Show::wide},
      {"GPUS", [](const Project& p) { return job_quota_text(p, &Share::gpu, &JobQuota::gpu); }, Show::wide},
      {"OBS USED", [](const Project& p) { return bytes_text(p.used_obs_bytes); }, Show::wide},
      {"OBS RESERVED", [](const Project& p) { return bytes_text(p.reserved_obs_bytes); }, Show::wide},
      {"OBS QUOTA", [](const Project& p) { return bytes_text(p.quota_obs_bytes); }, Show::wide},
      {"ID", [](const Project& p) { return p.id; }, Show::wide}};
  return columns;
}

void print_changed(Session& session, const json::value& project) {
  if (session.output().is_structured()) session.output().document(project);
  else session.output().line(typed<Project>(project).name);
}

struct ListOptions {};

std::vector<CommandField> list_fields(ListOptions&) { return {}; }

int list(Session& session, const ListOptions&) {
  session.output().list<Project>(session.client().list(api_path({"projects"})), project_columns());
  return 0;
}

struct ProjectOptions {
  std::string name;
  std::optional<std::string> quota_fs;
  std::optional<std::string> quota_obs;
  std::optional<std::string> quota_cpu;
  std::optional<std::string> quota_memory;
  std::optional<std::string> quota_gpu;
  std::optional<std::string> quota_jobs;
  bool if_not_exists = false;
};

std::vector<CommandField> get_fields(ProjectOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "which project", .need = Need::required,
           .words = Words::projects}};
}

std::vector<CommandField> quota_fields(ProjectOptions& o) {
  std::vector<CommandField> fields = get_fields(o);
  fields.push_back({.name = "--quota-fs", .target = &o.quota_fs,
                    .help = "how much its fs volumes may hold together; 1TiB for a new one unless told",
                    .value = "SIZE"});
  fields.push_back({.name = "--quota-obs", .target = &o.quota_obs,
                    .help = "how much its obs volumes may hold together; 1TiB for a new one unless told",
                    .value = "SIZE"});
  fields.push_back({.name = "--quota-cpu", .target = &o.quota_cpu,
                    .help = "how many cores its jobs may hold at once; 'none' for no quota", .value = "N"});
  fields.push_back({.name = "--quota-memory", .target = &o.quota_memory,
                    .help = "how much memory its jobs may hold at once, or 'none'", .value = "SIZE"});
  fields.push_back({.name = "--quota-gpu", .target = &o.quota_gpu,
                    .help = "how many GPUs its jobs may hold at once, or 'none'", .value = "N"});
  fields.push_back({.name = "--quota-jobs", .target = &o.quota_jobs,
                    .help = "how many of its jobs may run at once, or 'none'; the others wait", .value = "N"});
  return fields;
}

std::vector<CommandField> create_fields(ProjectOptions& o) {
  std::vector<CommandField> fields = quota_fields(o);
  fields.front().words = Words::anything;  // A new name.
  fields.push_back({.name = "--if-not-exists", .target = &o.if_not_exists,
                    .help = "succeed if there is one of this name already"});
  return fields;
}

std::optional<uint64_t> quota_of(const std::optional<std::string>& text) {
  return text ? std::optional(parse_bytes(*text, "a quota")) : std::nullopt;
}

// What is said of its jobs: quotas, and those that are lifted.
struct JobQuotas {
  std::optional<JobQuota> quota;
  std::vector<JobResource> unlimited;
};

JobQuotas job_quotas_of(const ProjectOptions& o) {
  JobQuotas wanted;
  const auto set = [&](const std::optional<std::string>& text, std::optional<uint64_t> JobQuota::*quota,
                       JobResource resource) {
    if (!text) return;
    if (!wanted.quota) wanted.quota.emplace();
    if (*text == "none") wanted.unlimited.push_back(resource);
    else if (resource == JobResource::memory) *wanted.quota.*quota = parse_bytes(*text, "a quota of memory");
    else *wanted.quota.*quota = parse_count(*text, fmt::format("--quota-{}", name_of_value(resource)), 0);
  };
  set(o.quota_cpu, &JobQuota::cpu, JobResource::cpu);
  set(o.quota_memory, &JobQuota::memory_bytes, JobResource::memory);
  set(o.quota_gpu, &JobQuota::gpu, JobResource::gpu);
  set(o.quota_jobs, &JobQuota::jobs, JobResource::jobs);
  return wanted;
}

int get(Session& session, const ProjectOptions& o) {
  session.output().record<Project>(session.client().get(api_path({"projects", o.name})), project_columns());
  return 0;
}

int create(Session& session, const ProjectOptions& o) {
  const json::value wanted = to_json(NewProject{o.name, quota_of(o.quota_fs), quota_of(o.quota_obs),
                                                  job_quotas_of(o).quota});
  const std::string path = api_path({"projects"});
  if (!o.if_not_exists) {
    print_changed(session, session.client().post(path, wanted));
    return 0;
  }
  const auto made = session.client().post_new(path, wanted);
  if (!made) session.note(fmt::format("project '{}' exists already: unchanged", o.name));
  print_changed(session, made ? *made : session.client().get(api_path({"projects", o.name})));
  return 0;
}

int update(Session& session, const ProjectOptions& o) {
  const JobQuotas jobs = job_quotas_of(o);
  const ProjectChange change{quota_of(o.quota_fs), quota_of(o.quota_obs), jobs.quota, jobs.unlimited};
  if (!change.quota_fs_bytes && !change.quota_obs_bytes && !jobs.quota)
    throw Error(Errc::invalid, "nothing to change: give a quota, such as --quota-fs or --quota-gpu");
  print_changed(session, session.client().patch(api_path({"projects", o.name}), to_json(change)));
  return 0;
}

}  // namespace

std::vector<Command> project_commands() {
  return {
      make_command<ListOptions>({.path = {"project", "ls"}, .aliases = {"list"},
                                 .summary = "list the projects that you may use",
                                 .example = "volary project ls -o wide",
                                 .more = "--project NAME or VOLARY_PROJECT chooses the one that a command works in."},
                                list_fields, list),
      make_command<ProjectOptions>({.path = {"project", "create"}, .summary = "make an empty project",
                                    .example = "volary project create vision --quota-fs 20TiB"},
                                   create_fields, create),
      make_command<ProjectOptions>({.path = {"project", "get"}, .aliases = {"describe"},
                                    .summary = "show one project, what its volumes use and its jobs hold",
                                    .example = "volary project get vision"},
                                   get_fields, get),
      make_command<ProjectOptions>({.path = {"project", "update"}, .summary = "change a project's quotas",
                                    .example = "volary project update vision --quota-fs 40TiB\n"
                                               "volary project update vision --quota-gpu 4 --quota-jobs none",
                                    .more = "Jobs that hold more than a new quota of theirs go on; those in the queue "
                                            "wait for it."},
                                   quota_fields, update),
  };
}

}  // namespace volary
