// job/runs.h: a job that is run again, by itself or because somebody asks. For this folder only.
//
// A job has runs 1, 2, 3 … Its row, attachments, leases and synchronisations are those of the newest; what earlier ones
// were stands in the tables job_run and job_run_attachment. A run begins in one transaction, which puts the one before
// away and leads from a terminal state back to QUEUED; its files are in a directory of its own (JobPlaces), so nothing
// that an earlier run left is ever taken for its own.
//
// What a run attaches is found again when it begins: the newest version where none was named, and data from datastores
// is pulled again. For a volume that has a writer it waits in QUEUED.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "db/database.h"
#include "job/rows.h"
#include "job/states.h"
#include "record/job.h"

namespace volary {

constexpr uint64_t runs_max = 1000;              // Of one job.
constexpr uint64_t failures_max_default = 5;
constexpr uint64_t failures_max_max = 100;
constexpr int64_t restart_pause_seconds_max = 300;

// How a run ended.
struct RunEnd {
  JobState state{};
  std::string reason;
  bool is_timeout = false;  // It was ended because it ran too long.
  bool stop_requested = false;
  uint64_t run = 1;
  uint64_t restarts = 0;  // After failures, so far.
  int64_t timeout_seconds = timeout_seconds_default;
};

struct Restart {
  int64_t pause_seconds = 0;  // 1, 2, 4, … after failures, and after timeouts that come within seconds.
  uint64_t restarts = 0;
  std::string reason;
};

// Whether another run follows by itself: never after somebody asked the job to stop.
std::optional<Restart> restart_after(const AutoRestart& policy, const RunEnd& end);

struct NextRun {
  std::string reason;
  std::optional<Time> begins_at = {};
  uint64_t restarts = 0;
};

// Puts the run of `ended` away and begins the next. Nothing is attached yet.
void begin_run(Transaction& transaction, const JobRow& ended, const NextRun& next, Time now);
// The same if the job's own wish says so, for one that has just ended.
void begin_run_if_wished(Transaction& transaction, const std::string& job_id, Time now);
// Of a run in QUEUED that began by itself: attaches what it is to have when its time has come. Fills the facts' wait.
void attach_anew(Database& database, const JobRow& row, Time now, JobFacts& facts);

// What a job that is run again asks for: whoever comes second waits for a writer.
NewJob request_of_rerun(const JobRow& row);

// All runs, oldest first; the newest as `job` has it.
std::vector<JobRun> runs_of(Transaction& transaction, const JobRow& row, const Job& job);

}  // namespace volary
