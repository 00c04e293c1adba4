// job/jobs.h: jobs as people ask for them: submitted, listed, followed, stopped, removed. What then happens to one is
// the reconciler's business.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "access/secrets.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/synced.h"
#include "db/database.h"
#include "engine/log_pieces.h"
#include "job/node.h"
#include "record/exec.h"
#include "record/job.h"
#include "volume/datastores.h"
#include "volume/transfers.h"

namespace volary {

struct JobRow;  // job/rows.h

struct JobFilter {
  std::vector<JobState> states;  // In one of these; none: those under way.
  bool ended_too = false;        // Without states: terminal ones besides.
  std::map<std::string, std::string> labels;  // With all of these.
  std::string user;              // Submitted by; "": by anybody.
  std::string after;             // Id of a job: those older than it.
  uint64_t limit = 100;
};

struct JobsFound {
  std::vector<Job> jobs;
  std::string passed;   // Id of the oldest one that was looked at.
  bool is_all = false;  // There is none behind that.
};

// Where a job keeps what is not in the database, below the server's directory of jobs.
struct JobPlaces {
  Path directory;      // jobs/<id>: all of it
  std::string suffix;  // of what is of one run: "" of the first, ".N" of a later one
  Path run;            // the runner's
  Path work;           // its working directory, with its own files
  Path scratch(uint64_t attachment) const { return directory / fmt::format("scratch-{}{}", attachment, suffix); }
};
JobPlaces places_of(const Path& jobs_directory, const std::string& id, uint64_t run);

// Who submits a job, besides its name.
struct Submitter {
  Asker asker = Asker::other;
  std::function<void()> check_transfers = {};  // Throws `denied` for who may not have data moved, …
  std::function<void()> check_priority = {};   // … or have a job pass those of others.
};

// Any thread may call.
class Jobs {
 public:
  // `engine`: of containers, "unix:///…"; "" for one where Docker's and podman's usually are.
  Jobs(Database& database, Node& node, Datastores& datastores, Transfers& transfers, Secrets& secrets,
       Path jobs_directory, Clock& clock, std::string engine = "")
      : database_(database), node_(node), datastores_(datastores), transfers_(transfers), secrets_(secrets),
        jobs_directory_(std::move(jobs_directory)), clock_(clock), engine_(std::move(engine)) {}

  // Accepts the job and takes its leases, in one transaction. Throws `invalid`, `not_found` for a volume or version,
  // `conflict` with the holder's name if a volume to be written has a writer, `exhausted` for more than the project may
  // ever hold.
  Job submit(const Caller& caller, const NewJob& request, const Submitter& by);
  // Newest first. Looks at a bounded number of them: go on with `after` = `passed`. Throws `invalid` for an `after`
  // that is no job of the project.
  JobsFound list(const Caller& caller, const JobFilter& filter);
  Job get(const Caller& caller, const std::string& id);  // By id, or by the name of the newest one so called.
  // Calls `told` whenever the job may have moved: see Database::watch().
  [[nodiscard]] Watch watch(const std::string& id, std::function<void()> told) {
    return database_.watch(id, std::move(told));
  }
  // Asks a job to end. Ended ones: `conflict`.
  void stop(const Caller& caller, const std::string& id);
  // Runs an ended job once more: the same job, its next run. Throws as submit(), `conflict` for one that has not ended
  // or has changes left to push, or whose pulls are still being broken off.
  Job rerun(const Caller& caller, const std::string& id, const Submitter& by);
  // Forgets what an ended job was, its logs and its working directory; when it ran and which versions it read and made
  // stays known to bills and lineages. Throws `conflict` while it has not ended.
  void remove(const Caller& caller, const std::string& id);
  // Asks for data to be moved while the job runs, or pushed again after it ended in ERROR because that failed; what was
  // begun.
  // Throws `invalid` for what cannot be, with the reason, `conflict` for a job in another state.
  std::vector<DataSync> sync(const Caller& caller, const std::string& id, const NewDataSync& request);
  // What runs the command beside the job's process, once it is given the connection to its user (engine/exec.h). Throws
  // `conflict` unless the job is RUNNING.
  std::function<void(Fd connection)> exec(const Caller& caller, const std::string& id, const NewExec& request);
  // At most `bytes_max` bytes of the log of a run, the newest unless told, from `offset`. Where these were dropped, the
  // text begins with a line that says how many, and its own offset is such that end() is the place to go on from. Each
  // throws `not_found` for a run that was not.
  LogText log(const Caller& caller, const std::string& id, uint64_t offset, uint64_t bytes_max,
              std::optional<uint64_t> run = {});
  // Or the job is gone. By its id only; much less work than get().
  bool has_run_ended(const Caller& caller, const std::string& id, uint64_t run);
  uint64_t log_end(const Caller& caller, const std::string& id, std::optional<uint64_t> run = {});
  uint64_t log_start(const Caller& caller, const std::string& id, const LogWish& wish,
                     std::optional<uint64_t> run = {});

 private:
  static JobRow row_of(Transaction& transaction, const Caller& caller, const std::string& id);
  Path log_of(const Caller& caller, const std::string& id, std::optional<uint64_t> run);

  Database& database_;
  Node& node_;
  Datastores& datastores_;
  Transfers& transfers_;
  Secrets& secrets_;
  Path jobs_directory_;
  Clock& clock_;
  std::string engine_;
  // The place of a command beside a job: taken when it is let in, left when its leash has ended, or when nobody holds
  // the place who could still start it. Commands end when this does.
  struct ExecPlace {
    std::string job;
    Fd leash;
  };
  std::shared_ptr<ExecPlace> take_exec_place(const std::string& job);
  Synced<std::vector<std::shared_ptr<ExecPlace>>> execs_;
};

}  // namespace volary
