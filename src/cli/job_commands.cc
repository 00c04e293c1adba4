// cli/job_commands.cc: `volary job get|logs|stop|rm|wait`.
#include "cli/command.h"
#include "cli/job_columns.h"
#include "cli/log_text.h"
#include "cli/reference.h"
#include "cli/watch.h"
#include "core/error_of.h"
#include "core/quantity.h"
#include "core/tree_path.h"

namespace volary {
namespace {

std::string attachments_text(const Job& job) {
  std::vector<std::string> words;
  for (const Attachment& a : job.attachments)
    words.push_back(fmt::format("{}{}:{}:{}", a.volume,
                                a.volume.find_first_of("@/:") == a.volume.npos ? fmt::format("@{}", a.version) : "",
                                a.path, name_of_value(a.access)));
  return or_dash(joined(words, " "));
}

std::string pairs_text(const std::map<std::string, std::string>& pairs) {
  std::vector<std::string> words;
  for (const auto& [key, value] : pairs) words.push_back(key + "=" + value);
  return or_dash(joined(words, ","));
}

}  // namespace

const std::vector<Column<Job>>& job_columns() {
  static const std::vector<Column<Job>> columns = {
      {"ID", [](const Job& j) { return j.id; }},
      {"NAME", [](const Job& j) { return or_dash(j.name); }},
      {"STATE", [](const Job& j) { return std::string(name_of_value(j.state)); }},
      {"EXIT", [](const Job& j) { return j.exit_code ? std::to_string(*j.exit_code) : "-"; }},
      {"CREATED", [](const Job& j) { return time_text(j.created_at); }},
      {"STARTED", [](const Job& j) { return time_text(j.started_at.value_or(Time{})); }},
      {"ENDED", [](const Job& j) { return time_text(j.ended_at.value_or(Time{})); }},
      {"REASON", [](const Job& j) { return or_dash(j.reason); }},
      {"USER", [](const Job& j) { return or_dash(j.user); }, Show::wide},
      {"PRIORITY", [](const Job& j) { return std::to_string(j.priority); }, Show::wide},
      {"VOLUMES", attachments_text, Show::wide},
      {"LABELS", [](const Job& j) { return pairs_text(j.labels); }, Show::wide},
      {"COMMAND", [](const Job& j) { return joined(j.command, " "); }, Show::wide}};
  return columns;
}

namespace {

std::string restart_text(const Job& job) {
  if (!job.auto_restart) return "-";
  const AutoRestart& wanted = *job.auto_restart;
  if (wanted.on == RestartOn::timeout) return "on-timeout";
  return fmt::format("{}{}", wanted.on == RestartOn::failure ? "on-failure" : "always",
                     wanted.failures_max ? fmt::format(":{}", *wanted.failures_max) : "");
}

// "2 (0 3)": how many, and which, once it has them.
std::string gpus_text(const Job& job) {
  if (!job.gpu) return "-";
  std::vector<std::string> indices;
  for (const uint64_t index : job.gpus) indices.push_back(std::to_string(index));
  return fmt::format("{}{}", *job.gpu, indices.empty() ? "" : " (" + joined(indices, " ") + ")");
}

void print_runs(Output& output, const Job& job) {
  if (job.runs.size() < 2) return;
  std::vector<std::vector<std::string>> rows;
  for (const JobRun& run : job.runs) {
    std::vector<std::string> made;
    for (const Attachment& one : run.attachments)
      if (one.result) made.push_back(fmt::format("{}@{}", one.volume, one.result));
    rows.push_back({std::to_string(run.number), std::string(name_of_value(run.state)),
                    run.exit_code ? std::to_string(*run.exit_code) : "-",
                    time_text(run.started_at.value_or(Time{})), time_text(run.ended_at.value_or(Time{})),
                    or_dash(joined(made, " ")), or_dash(run.reason)});
  }
  output.text("\n");
  output.table({"RUN", "STATE", "EXIT", "STARTED", "ENDED", "MADE", "REASON"}, rows);
}

}  // namespace

void print_job(Session& session, const json::value& answer) {
  Output& output = session.output();
  output.record<Job>(answer, job_columns());
  if (output.is_structured() || output.format() == Format::name) return;
  const auto job = typed<Job>(answer);
  output.sheet({{"IMAGE", or_dash(job.image.value_or(""))},
                {"TIMEOUT", seconds_text(job.timeout_seconds)},
                {"PUBLISHED EVERY", job.publish_every_seconds ? seconds_text(*job.publish_every_seconds) : "-"},
                {"PUBLISHED BY", or_dash(job.publish_marker.value_or(""))},
                {"AUTO-RESTART", restart_text(job)},
                {"FLAVOR", job.flavor ? fmt::format("{} of {}", job.units.value_or(1), *job.flavor) : "-"},
                {"CPUS", job.cpus ? std::to_string(*job.cpus) : "-"},
                {"MEMORY", job.memory_bytes ? bytes_text(*job.memory_bytes) : "-"},
                {"GPUS", gpus_text(job)}});
  std::vector<std::vector<std::string>> rows;
  for (const Attachment& a : job.attachments)
    rows.push_back({a.volume, a.path, std::string(name_of_value(a.access)), a.version ? std::to_string(a.version) : "-",
                    a.result ? std::to_string(a.result) : "-"});
  if (!rows.empty()) {
    output.text("\n");
    output.table({"VOLUME", "PATH", "ACCESS", "VERSION", "MADE"}, rows);
  }
  if (!job.data_sync.empty()) {
    output.text("\n");
    output.list<DataSync>(to_json(job.data_sync).as_array(), data_sync_columns());
  }
  print_runs(output, job);
  rows.clear();
  for (const JobEvent& event : job.history)
    rows.push_back({time_text(event.date), std::string(name_of_value(event.state)), or_dash(event.reason)});
  output.text("\n");
  output.table({"SINCE", "STATE", "REASON"}, rows);
}

namespace {

// --- get, stop, rm

struct OneOptions {
  std::string id;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job", .need = Need::required, .words = Words::jobs}};
}

int get(Session& session, const OneOptions& o) {
  print_job(session, session.client().get(api_path({"jobs", o.id})));
  return 0;
}

int remove(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"jobs", o.id}));
  if (!session.output().is_structured()) session.output().line(o.id);
  return 0;
}

struct StopOptions {
  std::string id;
  bool wait = false;
};

std::vector<CommandField> stop_fields(StopOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job", .need = Need::required, .words = Words::jobs},
          {.name = "--wait", .target = &o.wait, .help = "until it has ended"}};
}

int stop(Session& session, const StopOptions& o) {
  json::value answer = session.client().post(api_path({"jobs", o.id, "stop"}), json::object());
  if (o.wait) answer = watch_job(session, o.id, Logs::none);
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(o.id);
  return 0;
}

// --- logs

struct LogsOptions {
  std::string id;
  bool follow = false;
  bool times = false;
  std::optional<std::string> tail;
  std::optional<std::string> since;
  std::optional<std::string> run;
};

std::vector<CommandField> logs_fields(LogsOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job", .need = Need::required, .words = Words::jobs},
          {.name = "-f,--follow", .target = &o.follow, .help = "go on until the job has ended"},
          {.name = "--timestamps", .target = &o.times, .help = "each line as '2026-11-20T21:34:05Z [job] TEXT'"},
          {.name = "--tail", .target = &o.tail, .help = "only the last N lines of what there is", .value = "N"},
          {.name = "--since", .target = &o.since,
           .help = "only lines of the last 10m, 2h, 1d, or from 2026-11-20T21:34:05Z on", .value = "TIME"},
          {.name = "--run", .target = &o.run, .help = "of run N; of the newest unless told", .value = "N"}};
}

// "10m" or "2026-11-20T21:34:05Z".
Time time_since(const std::string& text) {
  std::optional<Time> time;
  const auto error = error_of([&] {
    time = text.find('-') == text.npos ? system_clock().now().plus_seconds(-parse_seconds(text, "--since"))
                                       : parse_time(text);
  });
  if (error)
    throw Error(Errc::invalid, "'{}' is no value for --since: expected how long ago, such as 10m, or a time such as "
                "2026-11-20T21:34:05Z", printable(text));
  return *time;
}

int logs(Session& session, const LogsOptions& o) {
  Query wish;
  if (o.tail) wish.emplace_back("tail", std::to_string(parse_count(*o.tail, "--tail", 1)));
  if (o.since) wish.emplace_back("since", to_text(time_since(*o.since)));
  LogSink sink(session.output(), o.times ? Times::show : Times::hide);
  const auto until = o.follow ? Until::it_ends : Until::now;
  if (o.run) wish.emplace_back("run", std::to_string(parse_count(*o.run, "--run", 1)));
  if (o.follow && !o.run) follow_log(session, o.id, 0, wish, sink);
  else session.client().read_log(api_path({"jobs", o.id, "log"}), wish, until, sink);
  sink.end();
  return 0;
}

// --- wait

int wait(Session& session, const OneOptions& o) {
  session.client().get(api_path({"jobs", o.id}));  // A wrong id is an error at once.
  const json::value last = watch_job(session, o.id, Logs::none);
  if (session.output().is_structured()) session.output().document(last);
  return exit_code_of(typed<Job>(last));
}

}  // namespace

std::vector<Command> job_commands() {
  return {
      job_list_command(),
      make_command<OneOptions>({.path = {"job", "get"}, .aliases = {"describe"},
                                .summary = "show one job, its volumes and its history",
                                .example = "volary job get job-8k3v0qh1n2m4p5r6 -o yaml"},
                               one_fields, get),
      make_command<LogsOptions>({.path = {"job", "logs"}, .summary = "print what a job has printed",
                                 .example = "volary job logs -f --tail 20 job-8k3v0qh1n2m4p5r6\n"
                                            "volary job logs --since 10m --timestamps train\n"

                                            "volary job logs --run 1 train-digits"},
                                logs_fields, logs),
      make_command<StopOptions>({.path = {"job", "stop"}, .summary = "end a job; what it has written becomes a version",
                                 .example = "volary job stop job-8k3v0qh1n2m4p5r6 --wait"},
                                stop_fields, stop),
      make_command<OneOptions>({.path = {"job", "wait"}, .summary = "wait until a job has ended",
                                .example = "volary job wait job-8k3v0qh1n2m4p5r6 && echo good",
                                .more = "The exit code is the job's: 0 when DONE, its own when FAILED, 130 when "
                                        "INTERRUPTED, "
                                        "70 on an ERROR of the server."},
                               one_fields, wait),
      make_command<OneOptions>({.path = {"job", "rm"}, .aliases = {"delete"},
                                .summary = "delete the record of an ended job",
                                .example = "volary job rm job-8k3v0qh1n2m4p5r6"},
                               one_fields, remove),
  };
}

}  // namespace volary
