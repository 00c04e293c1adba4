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

// POST /jobs
struct NewJob {
  std::optional<std::string> name;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> labels;
  std::vector<NewAttachment> attachments;
  std::vector<WorkFile> files;
  std::optional<int64_t> timeout_seconds;  // 7 days
  std::optional<uint64_t> cpus;            // Cores the process may use; all unless told.
  std::optional<uint64_t> memory_bytes;    // No limit unless told.
  std::optional<uint64_t> wait_seconds = {};  // How long it may wait in QUEUED to write its volumes; else not at all.
  std::optional<std::string> image = {};      // Of a container to run in; in the sandbox unless told.
  std::optional<NewContainer> container = {};  // With an image only.
};
BOOST_DESCRIBE_STRUCT(NewJob, (), (name, command, env, labels, attachments, files, timeout_seconds, cpus, memory_bytes,
                                   wait_seconds, image, container))

struct JobEvent {
  JobState state{};
  Time date;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(JobEvent, (), (state, date, reason))

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
  std::optional<uint64_t> cpus;
  std::optional<uint64_t> memory_bytes;
  std::vector<JobEvent> history;
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::optional<std::string> image = {};
  std::optional<NewContainer> container = {};
  std::vector<DataSync> data_sync = {};  // Its data on their way from and to datastores, oldest first.
};
BOOST_DESCRIBE_STRUCT(Job, (), (id, project, name, user, state, reason, exit_code, command, env, labels, attachments,
                                timeout_seconds, cpus, memory_bytes, history, created_at, started_at, ended_at, image,
                                container, data_sync))

}  // namespace volary
