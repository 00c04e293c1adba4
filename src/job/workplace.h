// job/workplace.h: what a job finds when it starts, and what it leaves behind. For this folder only.
//
// Both can be done again at any time with the same result, which is all that a restarted server needs.
#pragma once

#include <functional>
#include <vector>

#include "access/secrets.h"
#include "core/file.h"
#include "engine/runner.h"
#include "job/synchronisations.h"
#include "job/jobs.h"
#include "job/rows.h"
#include "mount/bring_in.h"
#include "mount/mount.h"
#include "store/store.h"

namespace volary {

class Workplace {
 public:
  // `engine`: of containers, as for Jobs. `log_bytes`: as of a RunSpec.
  Workplace(Database& database, Store& store, Mounter& mounter, Path jobs_directory, Clock& clock, Secrets& secrets,
            std::string engine, std::optional<uint64_t> log_bytes = std::nullopt)
      : database_(database), store_(store), mounter_(mounter), jobs_directory_(std::move(jobs_directory)),
        clock_(clock), secrets_(secrets), engine_(std::move(engine)), log_bytes_(log_bytes) {}

  JobPlaces places(const JobRow& job) const { return places_of(jobs_directory_, job.id, job.run); }

  // Removes the containers of jobs that have ended or are gone; says how many.
  size_t remove_stray_containers();

  // Writes the job's own files and makes its mounts ready; the run to start.
  RunSpec prepare(const JobRow& job);

  // What the process of a job that runs is to see where it sees another version of the same: what the pull `sync`
  // brought.
  ShowRequest prepare_pulled(const JobRow& job, const SyncRow& sync);

  // The same where the process writes: brings it the files that are new, for as long as `goes_on`.
  BroughtIn bring_in(const JobRow& job, const SyncRow& sync, const Arrival& arrival,
                     const std::function<bool()>& goes_on);

  // Makes a version of each volume that the job wrote to, if it changed anything, notes it with the attachment, and
  // begins to push what is to be pushed. The job's process is gone. Not done for a job that ends in ERROR: what it left
  // may be half written and stays where it is, for people to look at.
  void finalise(const JobRow& job);

  // The same of one attachment of a job that runs, or ended in ERROR before it came to it, for the waiting row `sync`
  // of table data_sync. What is wrong with it is written there.
  void publish(const JobRow& job, const SyncRow& sync);

  // Whether an ended job has anything left that clean() would remove.
  bool has_left(const JobRow& job) const;

  // Removes what an ended run and those before it were told in plain text, unless it is still being read.
  void remove_secrets(const JobRow& job);

  // The same, and what they need no more: all but their logs and outcomes, and what ERROR left.
  void clean(const JobRow& job);

 private:
  void write_files(const JobRow& job);
  void add_dependencies(const JobRow& job, RunSpec& spec) const;
  Digest mounted_tree(const JobRow& job, const AttachmentRow& attachment) const;
  Digest keep_arrived(const JobRow& job, const SyncRow& sync, const Arrival& arrival);
  void finalise_attachment(const JobRow& job, const AttachmentRow& attachment);
  // What the volume holds with the job's changes.
  struct Harvested {
    TreeSummary tree = {};
    std::vector<TreeChange> changes = {};
    std::string told = {};  // What was left out, for the version's message.
    Time began;
  };
  void keep_published(const JobRow& job, const AttachmentRow& attachment, Harvest& harvested) const;
  void keep_at_place(const AttachmentRow& attachment, Harvest& harvested) const;
  Harvested harvest_attachment(const JobRow& job, const AttachmentRow& attachment, Commit& commit, Writers writers);
  uint64_t commit_tree(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment,
                       const TreeSummary& tree, const std::string& message, const std::string& act);

  Database& database_;
  Store& store_;
  Mounter& mounter_;
  Path jobs_directory_;
  Clock& clock_;
  Secrets& secrets_;
  std::string engine_;
  std::optional<uint64_t> log_bytes_;
};

}  // namespace volary
