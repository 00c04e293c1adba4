// job/jobs.h: jobs as people ask for them: submitted, listed, followed, stopped, removed. What then happens to one is
// the reconciler's business.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "core/file.h"
#include "db/database.h"
#include "engine/runner.h"
#include "record/job.h"
#include "volume/datastores.h"
#include "volume/transfers.h"

namespace volary {

struct JobRow;  // job/rows.h

struct JobFilter {
  std::optional<JobState> state;
  bool ended_too = false;  // Terminal ones besides those under way.
};

// Where a job keeps what is not in the database, below the server's directory of jobs.
struct JobPlaces {
  Path directory;  // jobs/<id>: all of it
  Path run;        // the runner's
  Path work;       // its working directory, with its own files
  Path scratch(uint64_t attachment) const { return directory / ("scratch-" + std::to_string(attachment)); }
};
JobPlaces places_of(const Path& jobs_directory, const std::string& id);

// Who submits a job, besides its name.
struct Submitter {
  Asker asker = Asker::other;
  std::function<void()> check_transfers = {};  // Throws `denied` for who may not have data moved.
};

// Any thread may call.
class Jobs {
 public:
  // `engine`: of containers, "unix:///…"; "" for one where Docker's and podman's usually are.
  Jobs(Database& database, Datastores& datastores, Transfers& transfers, Runner& runner, Path jobs_directory,
       Clock& clock, std::string engine = "")
      : database_(database), datastores_(datastores), transfers_(transfers), runner_(runner),
        jobs_directory_(std::move(jobs_directory)), clock_(clock), engine_(std::move(engine)) {}

  // Accepts the job and takes its leases, in one transaction. Throws `invalid`, `not_found` for a volume or version,
  // `conflict` with the holder's name if a volume to be written has a writer.
  Job submit(const Caller& caller, const NewJob& request, const Submitter& by);
  std::vector<Job> list(const Caller& caller, const JobFilter& filter);  // Newest first.
  Job get(const Caller& caller, const std::string& id);  // By id, or by the name of the newest one so called.
  // Calls `told` whenever the job may have moved: see Database::watch().
  [[nodiscard]] Watch watch(const std::string& id, std::function<void()> told) {
    return database_.watch(id, std::move(told));
  }
  // Asks a job to end. Ended ones: `conflict`.
  void stop(const Caller& caller, const std::string& id);
  // Forgets what an ended job was, its log and its working directory; when it ran and which versions it read and made
  // stays known to bills and lineages. Throws `conflict` while it has not ended.
  void remove(const Caller& caller, const std::string& id);
  // Asks for data to be moved while the job runs, or again after it ended in ERROR because that failed; what was begun.
  // Throws `invalid` for what cannot be, with the reason, `conflict` for a job in another state.
  std::vector<DataSync> sync(const Caller& caller, const std::string& id, const NewDataSync& request);
  // At most `bytes_max` bytes of its log from `offset`.
  std::string log(const Caller& caller, const std::string& id, uint64_t offset, uint64_t bytes_max);

 private:
  static JobRow row_of(Transaction& transaction, const Caller& caller, const std::string& id);

  Database& database_;
  Datastores& datastores_;
  Transfers& transfers_;
  Runner& runner_;
  Path jobs_directory_;
  Clock& clock_;
  std::string engine_;
};

}  // namespace volary
