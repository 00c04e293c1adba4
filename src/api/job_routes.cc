// api/job_routes.cc: jobs: submitted, followed, stopped.
#include "api/event_stream.h"
#include "api/routes.h"

namespace volary {
namespace {

constexpr uint64_t log_bytes_max = 1 << 20;  // Of one answer, or of one piece of a followed log.

// A log as it grows; ends when the job has ended and all of it was sent.
class LogStream final : public Stream {
 public:
  LogStream(Jobs& jobs, Caller caller, std::string id, uint64_t offset)
      : jobs_(jobs), caller_(std::move(caller)), id_(std::move(id)), offset_(offset) {}

  std::optional<std::string> poll() override {
    const bool ended = is_terminal(jobs_.get(caller_, id_).state);  // Asked before reading: nothing comes after it.
    std::string bytes = jobs_.log(caller_, id_, offset_, log_bytes_max);
    if (bytes.empty() && ended) return std::nullopt;
    offset_ += bytes.size();
    return bytes;
  }

 private:
  Jobs& jobs_;
  Caller caller_;
  std::string id_;
  uint64_t offset_;
};

Response log_of(Services& services, const Call& call) {
  const Job job = services.jobs.get(call.caller(), call.path("job"));
  const uint64_t offset = call.number("offset").value_or(0);
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  if (call.flag("follow")) response.stream = std::make_unique<LogStream>(services.jobs, call.caller(), job.id, offset);
  else response.body = services.jobs.log(call.caller(), job.id, offset, log_bytes_max);
  return response;
}

Response events_of(Services& services, const Call& call) {
  const Job first = services.jobs.get(call.caller(), call.path("job"));
  const auto next = [&services, caller = call.caller(), id = first.id, seen = size_t{0}]() mutable {
    const Job now = services.jobs.get(caller, id);
    Events events{.events = {}, .are_last = is_terminal(now.state)};
    if (now.history.size() == seen) return events;
    seen = now.history.size();
    events.events.push_back({std::to_string(seen), "job", print_json(to_json(now))});
    return events;
  };
  return event_response(next, [&services, id = first.id](auto told) { return services.jobs.watch(id, told); });
}

}  // namespace

void add_job_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::post, "/api/v1/jobs", Permission::job_create,
                    {.name = "create_job", .summary = "Submits a job", .status = 202},
                    [&services](const Call& call, const NewJob& wanted) {
                      const Submitter by{call.asker(), [&] {
                        services.access.require(call.caller(), Permission::transfer_create);
                      }};
                      Job job = services.jobs.submit(call.caller(), wanted, by);
                      const std::string location = "/api/v1/jobs/" + job.id;
                      return Reply<Job>{std::move(job), 0, {{"location", location}}};
                    }});
  routes.push_back(
      {Method::get, "/api/v1/jobs", Permission::job_read,
       {.name = "list_jobs",
        .summary = "Jobs, newest first; those under way unless told otherwise",
        .query = {{.name = "state", .description = "Only jobs in this state"},
                  {.name = "all", .description = "Ended ones too", .kind = ParameterKind::flag}}},
       [&services](const Call& call) {
         JobFilter filter;
         filter.ended_too = call.flag("all");
         if (const auto state = call.query("state")) filter.state = value_named<JobState>(*state, "job state");
         return Page<Job>{services.jobs.list(call.caller(), filter), std::nullopt};
       }});
  routes.push_back({Method::get, "/api/v1/jobs/{job}", Permission::job_read,
                    {.name = "get_job", .summary = "One job, by its id, or by the name of the newest one so called"},
                    [&services](const Call& call) { return services.jobs.get(call.caller(), call.path("job")); }});
  routes.push_back({Method::post, "/api/v1/jobs/{job}/stop", Permission::job_stop,
                    {.name = "stop_job", .summary = "Asks a job to end: SIGTERM, then SIGKILL; its output is kept"},
                    [&services](const Call& call) { services.jobs.stop(call.caller(), call.path("job")); }});
  routes.push_back({Method::post, "/api/v1/jobs/{job}/datasync", Permission::job_create,
                    {.name = "sync_job_data",
                     .summary = "Pushes what a job has changed so far, while it runs, or again after that failed",
                     .status = 202},
                    [&services](const Call& call, const NewDataSync& wanted) {
                      services.access.require(call.caller(), Permission::transfer_create);
                      return Page<DataSync>{services.jobs.sync(call.caller(), call.path("job"), wanted), std::nullopt};
                    }});
  routes.push_back({Method::delete_, "/api/v1/jobs/{job}", Permission::job_stop,
                    {.name = "delete_job", .summary = "Forgets an ended job and its log"},
                    [&services](const Call& call) { services.jobs.remove(call.caller(), call.path("job")); }});
  routes.push_back({Method::get, "/api/v1/jobs/{job}/log", Permission::job_read,
                    {.name = "read_job_log",
                     .summary = "What the job has written to standard output and error, line by line with the time",
                     .query = {{.name = "offset", .description = "Bytes to skip", .kind = ParameterKind::number},
                               {.name = "follow", .description = "Go on until the job has ended",
                                .kind = ParameterKind::flag}},
                     .answer_type = "text/plain"},
                    [&services](const Call& call) { return log_of(services, call); }});
  routes.push_back({Method::get, "/api/v1/jobs/{job}/events", Permission::job_read,
                    {.name = "follow_job",
                     .summary = "The job at each change of its state, until it has ended",
                     .answer_type = "text/event-stream"},
                    [&services](const Call& call) { return events_of(services, call); }});
}

}  // namespace volary
