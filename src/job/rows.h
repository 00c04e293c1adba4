// job/rows.h: the tables job, job_event and job_attachment. For this folder only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "job/states.h"
#include "record/billing.h"
#include "record/job.h"

namespace volary {

// All of a job's row.
struct JobRow {
  std::string id;
  std::string tenant;
  std::string project;
  std::string subject;
  std::string name;
  NewJob spec;
  JobState state{};
  std::string reason;
  std::optional<int64_t> exit_code;
  std::string ending;
  bool stop_requested = false;
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::optional<Time> published_at;  // When its last periodic publication was asked for.
  uint64_t run = 1;
  Time queued_at;
  std::optional<Time> begins_at = {};
  uint64_t restarts = 0;
  std::string sealed = {};
  uint64_t cpu = 0;           // Its share (job/standing.h).
  uint64_t memory_bytes = 0;
  uint64_t gpu = 0;
  std::vector<uint64_t> gpus = {};
  int64_t priority = 0;
  bool in_queue = false;
  std::string turn = {};
  JobUnits units = {};
};
BOOST_DESCRIBE_STRUCT(JobRow, (), (id, tenant, project, subject, name, spec, state, reason, exit_code, ending,
                                   stop_requested, created_at, started_at, ended_at, published_at, run, queued_at,
                                   begins_at, restarts, sealed, cpu, memory_bytes, gpu, gpus, priority, in_queue, turn,
                                   units))

// One attachment with what finding its tree takes.
struct AttachmentRow {
  uint64_t number = 0;
  std::string volume_id;
  std::string volume;
  std::string path;
  AttachAccess access{};
  uint64_t version = 0;
  uint64_t result = 0;
  std::string tree;  // Of the version; "" for an empty volume.
  bool is_staged = false;         // A staged volume (volume/staged_volumes.h), not one of the project's.
  std::string datastore;          // That it is filled from, and below which directory; "": none.
  std::string directory;
  std::string push_datastore;     // That its changes go to; "": none.
  std::string push_store;         // Its id.
  std::string push_directory;
  uint64_t pushed = 0;            // The version that is there.
  std::string marker;             // Which appearance of the job's marker was published last.
};
BOOST_DESCRIBE_STRUCT(AttachmentRow, (), (number, volume_id, volume, path, access, version, result, tree, is_staged,
                                          datastore, directory, push_datastore, push_store, push_directory, pushed,
                                          marker))
// Begins empty and is not kept.
inline bool is_standalone(const AttachmentRow& one) {
  return one.is_staged && one.datastore.empty() && one.push_datastore.empty();
}

// What is announced when a job was submitted or asked to stop.
constexpr const char* jobs_announcement = "jobs";
constexpr int64_t timeout_seconds_default = 7 * 86400;

// Nothing for one that was deleted.
std::optional<JobRow> find_job(Transaction& transaction, const std::string& id);
std::vector<AttachmentRow> attachments_of(Transaction& transaction, const std::string& job_id);
// The row as people see it.
Job view_of(Transaction& transaction, const JobRow& row);
JobFacts facts_of(const JobRow& row);
// Gives a queued job the versions that were staged for it, and makes it the writer of the volumes it waits for, if it
// may be now. Fills the facts' wait.
void end_wait(Database& database, const JobRow& row, Time now, JobFacts& facts);

// Notes that it is in this state now, for those who follow the project.
void note_job(Transaction& transaction, const std::string& id, Time now);
// Writes `next` with its event, and which GPUs the job has, if it is still in its state: false if somebody else moved
// it. A terminal state ends its leases in the same transaction, and may begin the next run there (job/runs.h).
bool move_job(Transaction& transaction, const JobRow& row, const Step& step, Time now);

}  // namespace volary
