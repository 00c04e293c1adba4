// job/billing.h: what jobs cost, computed from their histories.
//
// A stretch of a job's history in billed states, without a gap, counts by started minutes: minute 0 begins with the
// stretch, and each further minute counts when it begins before the stretch ends. A minute belongs to the moment at
// which it begins: it costs what the prices of that moment say, and is in a report if that moment is in the report's
// range. So reports of ranges beside each other add up to that of both together, to the millionth.
//
// A job costs what all its runs cost together. A run that never was RUNNING costs nothing, whatever states are billed.
#pragma once

#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "job/node.h"
#include "record/billing.h"

namespace volary {

struct Stretch {
  Time begin;
  Time end;
};

// Until `now`, if it is in a billed state now.
std::vector<Stretch> billed_stretches(const std::vector<JobEvent>& history, const std::vector<JobState>& billed,
                                      Time now);
// Those that begin in [from, to).
uint64_t started_minutes(const Stretch& stretch, Time from, Time to);

struct Charge {
  uint64_t minutes = 0;
  uint64_t cpu_minutes = 0;
  uint64_t gpu_minutes = 0;
  Money cost;
};
Charge charge_of(const std::vector<Stretch>& stretches, const JobUnits& units, const PriceList& prices, Time from,
                 Time to);

// What a job will be billed for, as it is submitted: who names no number of cores may use all of the machine's.
JobUnits units_of(const Allotment& given);

enum class BillScope { project, tenant };

struct BillRequest {
  std::optional<Time> from;  // The beginning of this month, UTC, unless told.
  std::optional<Time> to;    // Now unless told.
  BillBy by = BillBy::project;
  BillScope scope = BillScope::project;  // The caller's project, or all of its tenant.
};

// Any thread may call.
class Billing {
 public:
  Billing(Database& database, PriceList prices, Clock& clock)
      : database_(database), prices_(std::move(prices)), clock_(clock) {}

  // Also of jobs that were deleted. Throws `invalid` for a range that ends before it begins, or that has more lines
  // than one answer holds.
  BillReport report(const Caller& caller, const BillRequest& request);
  // With what they cost now.
  std::vector<Flavor> priced(std::vector<Flavor> flavors);

 private:
  Database& database_;
  const PriceList prices_;
  Clock& clock_;
};

}  // namespace volary
