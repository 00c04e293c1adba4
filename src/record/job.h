// record/job.h: jobs, their states, and what people ask of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "record/attach.h"
#include "record/container.h"
#include "record/synchronisation.h"

namespace volary {

enum class JobState {
  QUEUED,        // Accepted; waits for its turn.
  INITIALIZING,  // Its data is being made ready.
  PENDING,       // Its process is being started.
  RUNNING,       // Its process runs.
  INTERRUPTING,  // Asked to stop; the process is being ended.
  TIMEOUT,       // Ran too long; the process is being ended.
  FINALIZING,    // The process is gone; what it changed becomes a version.
  DONE,          // Ended with exit code 0.
  INTERRUPTED,   // Ended because somebody or the timeout said so.
  FAILED,        // The process ended with another exit code or could not start.
  ERROR,         // Our side failed.
};
BOOST_DESCRIBE_ENUM(JobState, QUEUED, INITIALIZING, PENDING, RUNNING, INTERRUPTING, TIMEOUT, FINALIZING, DONE,
                    INTERRUPTED, FAILED, ERROR)

constexpr bool is_terminal(JobState state) {
  return state == JobState::DONE || state == JobState::INTERRUPTED || state == JobState::FAILED ||
         state == JobState::ERROR;
}

// Something at a path, as asked for.
struct NewAttachment {
  std::string volume;   // A source as of record/attach.h: "name", "name@version", "container@datastore/prefix", …
  std::string path;     // Absolute, in the job.
  AttachAccess access{};
  std::optional<bool> cache = {};           // Whether what is fetched for it stays for later jobs; not unless told.
  std::optional<std::string> push_to = {};  // Where its changes go instead: a target as of record/attach.h.
};
BOOST_DESCRIBE_STRUCT(NewAttachment, (), (volume, path, access, cache, push_to))

// A version at a path, as it is for this job.
struct Attachment {
  std::string volume;
  std::string path;
  AttachAccess access{};
  uint64_t version = 0;  // The version read; 0: the volume was empty.
  uint64_t result = 0;   // The version the job made; 0: none.
};
BOOST_DESCRIBE_STRUCT(Attachment, (), (volume, path, access, version, result))

// A file of the job's own, put into its working directory. Content is base64 (RFC 4648).
struct WorkFile {
  std::string path;
  std::string content;
  bool executable = false;
};
BOOST_DESCRIBE_STRUCT(WorkFile, (), (path, content, executable))

// When a job is run again by itself (job/runs.h).
enum class RestartOn {
  timeout,  // It ran longer than its timeout allows.
  failure,  // Its process ended with another exit code than 0.
  any,      // Either.
};
BOOST_DESCRIBE_ENUM(RestartOn, timeout, failure, any)

struct AutoRestart {
  RestartOn on{};
  std::optional<uint64_t> failures_max = {};  // How often after a failure, at most: 5 unless told.
};
BOOST_DESCRIBE_STRUCT(AutoRestart, (), (on, failures_max))

// What a variable of the job is set to and nobody is shown: a value, or one of a secret of the project.
struct NewJobSecret {
  std::optional<std::string> value = {};
  std::optional<std::string> secret = {};  // Its name.
  std::optional<std::string> key = {};     // Of the value in the secret; the variable's name unless told.
};
BOOST_DESCRIBE_STRUCT(NewJobSecret, (), (value, secret, key))

// POST /jobs
struct NewJob {
  std::optional<std::string> name;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> labels;
  std::vector<NewAttachment> attachments;
  std::vector<WorkFile> files;
  std::optional<int64_t> timeout_seconds;  // 7 days
  std::optional<uint64_t> cpus;            // Cores the process may use; all unless told. Of a flavor: how many units.
  std::optional<uint64_t> memory_bytes;    // No limit unless told.
  std::optional<uint64_t> wait_seconds = {};  // How long it may wait in QUEUED to write its volumes; else not at all.
  std::optional<std::string> image = {};      // Of a container to run in; in the sandbox unless told.
  std::optional<NewContainer> container = {};  // With an image only.
  std::optional<int64_t> publish_every_seconds = {};  // What it wrote becomes a version so often while it runs, …
  std::optional<std::string> publish_marker = {};     // … and when a file of this name appears where it writes.
  std::optional<AutoRestart> auto_restart = {};  // Never unless told.
  std::optional<uint64_t> replicas = {};         // Processes of the same command, in the sandbox; 1 unless told.
  std::optional<uint64_t> min_available = {};    // At most `replicas`: they all begin together anyway.
  std::vector<std::string> dependencies = {};    // As pip takes them: "torch>=2"; or "-r FILE" of `files`.
  std::map<std::string, NewJobSecret> secrets = {};  // By variable. Values are kept sealed.
  std::optional<std::string> flavor = {};        // In whose units its cores or GPUs are counted; one unless told.
  std::optional<int64_t> priority = {};          // -100 … 100: a higher one stands further ahead; 0 unless told.
};
constexpr int64_t priority_max = 100;
BOOST_DESCRIBE_STRUCT(NewJob, (), (name, command, env, labels, attachments, files, timeout_seconds, cpus, memory_bytes,
                                   wait_seconds, image, container, publish_every_seconds, publish_marker, auto_restart,
                                   replicas, min_available, dependencies, secrets, flavor, priority))

struct JobEvent {
  JobState state{};
  Time date;
  std::string reason;
  uint64_t run = 1;
};
BOOST_DESCRIBE_STRUCT(JobEvent, (), (state, date, reason, run))

// One time that a job was run: from QUEUED to a terminal state.
struct JobRun {
  uint64_t number = 0;  // From 1.
  JobState state{};
  std::string reason;
  std::optional<int64_t> exit_code;
  Time queued_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::vector<Attachment> attachments;
};
BOOST_DESCRIBE_STRUCT(JobRun, (), (number, state, reason, exit_code, queued_at, started_at, ended_at, attachments))

struct Job {
  std::string id;
  std::string project;
  std::string name;
  std::string user;
  JobState state{};
  std::string reason;                // Of the newest change of state.
  std::optional<int64_t> exit_code;  // 128 + n for a signal n.
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> labels;
  std::vector<Attachment> attachments;
  int64_t timeout_seconds = 0;
  std::optional<uint64_t> cpus;          // Held, and not exceeded; nothing: no limit, and so with the memory.
  std::optional<uint64_t> memory_bytes;
  std::vector<JobEvent> history;
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::optional<std::string> image = {};
  std::optional<NewContainer> container = {};
  std::vector<DataSync> data_sync = {};  // Its data on their way from and to datastores, oldest first.
  std::optional<int64_t> publish_every_seconds = {};
  std::optional<std::string> publish_marker = {};
  uint64_t run = 1;                      // The newest: what is said above but the history is of it.
  std::vector<JobRun> runs = {};         // All of them, oldest first.
  std::optional<AutoRestart> auto_restart = {};
  std::optional<uint64_t> replicas = {};
  std::vector<std::string> dependencies = {};
  std::vector<std::string> secrets = {};  // The variables' names.
  std::optional<uint64_t> gpu = {};       // How many it is given, …
  std::vector<uint64_t> gpus = {};        // … and which: from INITIALIZING on.
  std::optional<std::string> flavor = {};
  std::optional<uint64_t> units = {};     // Of the flavor.
  int64_t priority = 0;
};
BOOST_DESCRIBE_STRUCT(Job, (), (id, project, name, user, state, reason, exit_code, command, env, labels, attachments,
                                timeout_seconds, cpus, memory_bytes, history, created_at, started_at, ended_at, image,
                                container, data_sync, publish_every_seconds, publish_marker, run, runs, auto_restart,
                                replicas, dependencies, secrets, gpu, gpus, flavor, units, priority))

}  // namespace volary
