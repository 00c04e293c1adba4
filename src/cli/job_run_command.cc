// cli/job_run_command.cc: `volary job run` and `volary job rerun`.
#include "cli/command.h"
#include "cli/job_columns.h"
#include "cli/job_config.h"
#include "cli/waiting.h"
#include "cli/watch.h"

namespace volary {
namespace {

struct Follow {
  bool wait = false;
  bool logs = false;
};

struct RunOptions {
  std::optional<std::string> file;
  JobWords words;
  bool queue = false;
  std::optional<std::string> queue_time;
  Follow follow;
};

std::vector<CommandField> run_fields(RunOptions& o) {
  std::vector<CommandField> fields = {
          {.name = "-f,--file", .target = &o.file, .help = "the job's file; what lies beside it travels with the job",
           .value = "FILE", .words = Words::files},
          {.name = "-v,--volume", .target = &o.words.attachments,
           .help = "SOURCE:/PATH[:ro|rw|rwd][:cache]: attach VOLUME[@VERSION][/SUB], CONTAINER@ALIAS[/PREFIX], "
                   "a URL or 'standalone', read-only unless told; may be given again",
           .value = "SOURCE", .words = Words::attachments},
          {.name = "--push-to", .target = &o.words.push_to,
           .help = "/PATH=CONTAINER@ALIAS[/PREFIX]: what changes at that path goes there instead; may be given again",
           .value = "TARGET"},
          {.name = "-n,--name", .target = &o.words.name, .help = "what the job is called", .value = "NAME"},
          {.name = "-e,--env", .target = &o.words.env,
           .help = "a variable of the job; with KEY alone, the value it has here; may be given again",
           .value = "KEY=VALUE"},
          {.name = "-l,--label", .target = &o.words.labels, .help = "a label; may be given again",
           .value = "KEY=VALUE"},
          {.name = "--timeout", .target = &o.words.timeout, .help = "end it after this time; 7d unless told",
           .value = "TIME"},
          {.name = "--publish-every", .target = &o.words.publish_every,
           .help = "while it runs, publish what it has written so often; at least 10s", .value = "TIME"},
          {.name = "--publish-marker", .target = &o.words.publish_marker,
           .help = "the same whenever a file of this name appears in the root of what it may write", .value = "NAME"},
          {.name = "--auto-restart", .target = &o.words.auto_restart,
           .help = "run it again when it reached its timeout (on-timeout, unless told), after a failure "
                   "(on-failure[:N], 5 times unless told) or after either (always[:N])",
           .value = "WHEN", .value_alone = "on-timeout"},
          {.name = "--flavor", .target = &o.words.flavor,
           .help = "so many units of it as it asks for GPUs or cores, with all that they bring; see 'volary flavor ls'",
           .value = "NAME", .words = Words::flavors},
          {.name = "-c,--cpu", .target = &o.words.cpus,
           .help = "how many cores it may use, of a flavor too; all unless told", .value = "N"},
          {.name = "--memory", .target = &o.words.memory, .help = "how much memory it may use; no limit unless told",
           .value = "SIZE"},
          {.name = "--priority", .target = &o.words.priority,
           .help = "who has a higher one begins first, from -100 to 100; 0 unless told, and above it for those who may "
                   "change quotas", .value = "N"},
          {.name = "--queue", .target = &o.queue,
           .help = "if another writes a volume that this job is to write, wait for it instead of being refused"},
          {.name = "--queue-timeout", .target = &o.queue_time,
           .help = "with --queue: give up after this time; 7d unless told", .value = "TIME"},
          {.name = "--wait", .target = &o.follow.wait, .help = "until it has ended; the exit code is the job's"},
          {.name = "--logs", .target = &o.follow.logs, .help = "print what it prints, and wait"},
          {.name = "IMAGE", .target = &o.words.container.image,
           .help = "of a container to run in, before '--'; without one it is this machine's own system"},
          {.name = "COMMAND", .target = &o.words.command,
           .help = "what to run, after '--' or the image; instead of the file's or the image's", .has_dashes = true}};
  std::vector<CommandField> more = container_fields(o.words.container);
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// What was accepted is named, or followed to its end: then the exit code is the job's.
int followed(Session& session, json::value answer, const Follow& follow) {
  const auto job = typed<Job>(answer);
  const bool is_structured = session.output().is_structured();
  if (!follow.wait && !follow.logs) {
    if (is_structured) session.output().document(answer);
    else session.output().line(job.id);
    return 0;
  }
  if (follow.logs) session.note("this is " + job.id);  // The job's own words have stdout for themselves.
  else if (!is_structured) session.output().line(job.id);
  answer = watch_job(session, job.id, follow.logs ? Logs::follow : Logs::none, job.run);
  if (is_structured && !follow.logs) session.output().document(answer);
  const auto ended = typed<Job>(answer);
  for (const Attachment& attachment : ended.attachments)
    if (attachment.result) session.note(fmt::format("made {}@{}", attachment.volume, attachment.result));
  return exit_code_of(ended);
}

int run(Session& session, const RunOptions& o) {
  if (!o.queue && o.queue_time)
    throw Error(Errc::invalid, "--queue-timeout says how long to wait: expected --queue with it");
  NewJob wanted = read_job(o.file ? std::optional<Path>(*o.file) : std::nullopt, o.words);
  wanted.wait_seconds = wait_seconds_of(o.queue, o.queue_time);
  return followed(session, session.client().post(api_path({"jobs"}), to_json(wanted)), o.follow);
}

// --- rerun

struct RerunOptions {
  std::string id;
  Follow follow;
};

std::vector<CommandField> rerun_fields(RerunOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job, of those that have ended", .need = Need::required,
           .words = Words::jobs},
          {.name = "--wait", .target = &o.follow.wait, .help = "until it has ended; the exit code is the job's"},
          {.name = "-f,--follow,--logs", .target = &o.follow.logs, .help = "print what it prints, and wait"}};
}

int rerun(Session& session, const RerunOptions& o) {
  return followed(session, session.client().post(api_path({"jobs", o.id, "rerun"}), json::object()), o.follow);
}

}  // namespace

std::vector<Command> job_run_commands() {
  return {make_command<RunOptions>(
      {.path = {"job", "run"}, .aliases = {"submit"}, .summary = "run a program on volumes",
       .example = "volary job run -f config.yaml --wait --logs\n"
                  "volary job run -v digits:/in -v model:/out:rw -e EPOCHS=5 --timeout 1h -- python3 /in/train.py\n"
                  "volary job run -v digits:/in --gpu 1 --logs pytorch/pytorch:latest -- python3 /in/train.py\n"
                  "volary job run -v corpora@GRA/wiki:/in:ro:cache -v results@GRA/run-1:/out:rw -- python3 train.py\n"
                  "volary job run --timeout 1d --auto-restart -v model:/out:rw -- python3 train.py --resume /out\n"
                  "volary job run -v https://git.example/code.git:/code -v standalone:/fast -- sh /code/run.sh\n"
                  "volary job run -v model:/out:rw --publish-every 10m --publish-marker PUBLISH -- python3 train.py",
       .more =
           "A container's objects are there before the job begins; what the job changed is back before it ends: rw\n"
           "brings additions and changes, rwd deletions too. With 'cache' the jobs of the project share them.\n"
           "With --wait the exit code is the job's: 0 when DONE, its own when FAILED, 130 when INTERRUPTED, 70 on an\n"
           "ERROR of the server. Ctrl-C ends the waiting, not the job."},
      run_fields, run),
          make_command<RerunOptions>(
              {.path = {"job", "rerun"}, .aliases = {"start"}, .summary = "run an ended job again, as its next run",
               .example = "volary job rerun train-digits --logs\n"
                          "volary job logs --run 1 train-digits",
               .more = "It is the same job: the same id, what it attaches at its newest version again unless one was\n"
                       "named, and data from datastores as it is by then. 'volary job get' lists the runs."},
              rerun_fields, rerun)};
}

}  // namespace volary
