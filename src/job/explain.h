// job/explain.h: why a job, a transfer or a volume is where it is, told from what was written down while it went on
// (job_event, happening) and from how things stand now.
#pragma once

#include <string>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "job/jobs.h"
#include "record/explanation.h"
#include "volume/transfers.h"
#include "volume/volumes.h"

namespace volary {

// Any thread may call. Each throws `not_found` as the service does that shows the thing.
class Explain {
 public:
  // `running_max`: how many jobs run at once.
  Explain(Database& database, Jobs& jobs, Transfers& transfers, Volumes& volumes, Clock& clock, size_t running_max)
      : database_(database), jobs_(jobs), transfers_(transfers), volumes_(volumes), clock_(clock),
        running_max_(running_max) {}

  Explanation job(const Caller& caller, const std::string& id);
  Explanation transfer(const Caller& caller, const std::string& id);
  Explanation volume(const Caller& caller, const std::string& name);

 private:
  Database& database_;
  Jobs& jobs_;
  Transfers& transfers_;
  Volumes& volumes_;
  Clock& clock_;
  const size_t running_max_;
};

}  // namespace volary
