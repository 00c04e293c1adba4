// job/explain.h: why a job, a transfer or a volume is where it is, told from what was written down while it went on
// (job_event, happening) and from how things stand now.
#pragma once

#include <string>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "job/jobs.h"
#include "job/node.h"
#include "record/explanation.h"
#include "volume/transfers.h"
#include "volume/volumes.h"

namespace volary {

// Any thread may call. Each throws `not_found` as the service does that shows the thing.
class Explain {
 public:
  Explain(Database& database, Node& node, Jobs& jobs, Transfers& transfers, Volumes& volumes, Clock& clock)
      : database_(database), node_(node), jobs_(jobs), transfers_(transfers), volumes_(volumes), clock_(clock) {}

  Explanation job(const Caller& caller, const std::string& id);
  Explanation transfer(const Caller& caller, const std::string& id);
  Explanation volume(const Caller& caller, const std::string& name);

 private:
  Database& database_;
  Node& node_;
  Jobs& jobs_;
  Transfers& transfers_;
  Volumes& volumes_;
  Clock& clock_;
};

}  // namespace volary
