// api/job_routes.cc: jobs: submitted, followed, stopped.
#include "api/event_stream.h"
#include "api/routes.h"
#include "core/tree_path.h"

namespace volary {
namespace {

JobFilter filter_of(const Call& call) {
  JobFilter filter;
  for (const std::string& state : call.list("state"))
    filter.states.push_back(value_named<JobState>(state, "job state"));
  for (const std::string& label : call.list("label")) {
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error(Errc::invalid, "'{}' is no label: expected KEY=VALUE", printable(label));
    if (!filter.labels.emplace(label.substr(0, equals), label.substr(equals + 1)).second)
      throw Error(Errc::invalid, "the label '{}' is asked for twice: expected it once", label.substr(0, equals));
  }
  filter.ended_too = call.flag("all");
  filter.user = call.query("user").value_or("");
  filter.after = call.page().cursor;
  filter.limit = call.page().limit;
  return filter;
}

// To pass those of others takes what it takes to change quotas.
Submitter submitter(Services& services, const Call& call) {
  return {call.asker(), [&] { services.access.require(call.caller(), Permission::transfer_create); },
          [&] { services.access.require_everywhere(call.caller(), Permission::project_write); }};
}

Response events_of(Services& services, const Call& call) {
  const Job first = services.jobs.get(call.caller(), call.path("job"));
  const auto next = [&services, caller = call.caller(), id = first.id, seen = size_t{0},
                     waits = std::string()]() mutable {
    const Job now = services.jobs.get(caller, id);
    Events events{.events = {}, .are_last = is_terminal(now.state)};
    const std::string waits_for = now.state == JobState::QUEUED ? now.reason : "";
    if (now.history.size() == seen && waits_for == waits) return events;
    seen = now.history.size();
    waits = waits_for;
    events.events.push_back({std::to_string(seen), "job", print_json(to_json(now))});
    return events;
  };
  return event_response(next, [&services, id = first.id](auto told) { return services.jobs.watch(id, told); });
}

void add_acts_on_a_job(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/jobs/{job}/stop", Permission::job_stop,
                    {.name = "stop_job", .summary = "Asks a job to end: SIGTERM, then SIGKILL; its output is kept"},
                    [&services](const Call& call) { services.jobs.stop(call.caller(), call.path("job")); }});
  routes.push_back({Method::post, "/api/v1/jobs/{job}/rerun", Permission::job_create,
                    {.name = "rerun_job", .summary = "Runs an ended job again: the same job, its next run",
                     .status = 202},
                    [&services](const Call& call) {
                      return services.jobs.rerun(call.caller(), call.path("job"), submitter(services, call));
                    }});
  routes.push_back({Method::delete_, "/api/v1/jobs/{job}", Permission::job_stop,
                    {.name = "delete_job", .summary = "Forgets an ended job, its runs and their logs"},
                    [&services](const Call& call) { services.jobs.remove(call.caller(), call.path("job")); }});
}

}  // namespace

void add_job_routes(std::vector<Route>& routes, Services& services) {
  add_acts_on_a_job(routes, services);
  routes.push_back({Method::post, "/api/v1/jobs", Permission::job_create,
                    {.name = "create_job", .summary = "Submits a job", .status = 202},
                    [&services](const Call& call, const NewJob& wanted) {
                      Job job = services.jobs.submit(call.caller(), wanted, submitter(services, call));
                      const std::string location = "/api/v1/jobs/" + job.id;
                      return Reply<Job>{std::move(job), 0, {{"location", location}}};
                    }});
  routes.push_back(
      {Method::get, "/api/v1/jobs", Permission::job_read,
       {.name = "list_jobs",
        .summary = "Jobs, newest first; those under way unless told otherwise",
        .query = {{.name = "state", .description = "Only jobs in this state; may be repeated",
                   .kind = ParameterKind::list},
                  {.name = "label", .description = "Only jobs with this label, KEY=VALUE; may be repeated",
                   .kind = ParameterKind::list},
                  {.name = "user", .description = "Only jobs that this user has submitted"},
                  {.name = "all", .description = "Ended ones too", .kind = ParameterKind::flag}}},
       [&services](const Call& call) {
         const JobsFound found = services.jobs.list(call.caller(), filter_of(call));
         return Page<Job>{found.jobs, found.is_all ? std::nullopt : std::optional(found.passed)};
       }});
  routes.push_back({Method::get, "/api/v1/jobs/{job}", Permission::job_read,
                    {.name = "get_job", .summary = "One job, by its id, or by the name of the newest one so called"},
                    [&services](const Call& call) { return services.jobs.get(call.caller(), call.path("job")); }});
  routes.push_back({Method::get, "/api/v1/node", Permission::job_read,
                    {.name = "get_node", .summary = "What the machine gives to jobs, who holds how much, what waits"},
                    [&services](const Call& call) { return services.node.status(call.caller()); }});
  routes.push_back({Method::get, "/api/v1/flavors", Permission::job_read,
                    {.name = "list_flavors", .summary = "The units in which jobs may ask for what they need"},
                    [&services](const Call&) {
                      return Page<Flavor>{services.billing.priced(services.node.flavors()), std::nullopt};
                    }});
  routes.push_back({Method::post, "/api/v1/jobs/{job}/datasync", Permission::job_create,
                    {.name = "sync_job_data",
                     .summary = "Pushes what a job has changed so far, or shows it what is new; both while it runs",
                     .status = 202},
                    [&services](const Call& call, const NewDataSync& wanted) {
                      services.access.require(call.caller(), Permission::transfer_create);
                      return Page<DataSync>{services.jobs.sync(call.caller(), call.path("job"), wanted), std::nullopt};
                    }});
  routes.push_back({Method::get, "/api/v1/jobs/{job}/events", Permission::job_read,
                    {.name = "follow_job",
                     .summary = "The job at each change of its state, or of what it waits for, until it has ended",
                     .answer_type = "text/event-stream"},
                    [&services](const Call& call) { return events_of(services, call); }});
}

}  // namespace volary
