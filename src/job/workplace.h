// job/workplace.h: what a job finds when it starts, and what it leaves behind. For this folder only.
//
// Both can be done again at any time with the same result, which is all that a restarted server needs.
#pragma once

#include <vector>

#include "access/secrets.h"
#include "core/file.h"
#include "engine/runner.h"
#include "job/jobs.h"
#include "job/rows.h"
#include "mount/mount.h"
#include "store/store.h"

namespace volary {

class Workplace {
 public:
  // `engine`: of containers, as for Jobs.
  Workplace(Database& database, Store& store, Mounter& mounter, Path jobs_directory, Clock& clock, Secrets& secrets,
            std::string engine)
      : database_(database), store_(store), mounter_(mounter), jobs_directory_(std::move(jobs_directory)),
        clock_(clock), secrets_(secrets), engine_(std::move(engine)) {}

  JobPlaces places(const JobRow& job) const { return places_of(jobs_directory_, job.id); }

  // Removes the containers of jobs that have ended or are gone; says how many.
  size_t remove_stray_containers();

  // Writes the job's own files and makes its mounts ready; the run to start.
  RunSpec prepare(const JobRow& job);

  // Makes a version of each volume that the job wrote to, if it changed anything, and notes it with the attachment.
  // The job's process is gone. Not done for a job that ends in ERROR: what it left may be half written and stays
  // where it is, for people to look at.
  void finalise(const JobRow& job);

  // Removes what an ended job needs no more: all but its log and outcome, and what ERROR left.
  void clean(const JobRow& job);

 private:
  void write_files(const JobRow& job);
  void finalise_attachment(const JobRow& job, const AttachmentRow& attachment);

  Database& database_;
  Store& store_;
  Mounter& mounter_;
  Path jobs_directory_;
  Clock& clock_;
  Secrets& secrets_;
  std::string engine_;
};

}  // namespace volary
