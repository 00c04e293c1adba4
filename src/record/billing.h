// record/billing.h: what jobs cost: the price list, and reports made with it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/money.h"
#include "record/job.h"

namespace volary {

// What a started minute costs, from a time on until the next prices hold.
struct Prices {
  Time since;   // "Never" is from the beginning.
  Money job;    // Of each job, whatever it uses.
  Money cpu;    // Of each of its cores.
  Money gpu;    // Of each of its GPUs.
  std::map<std::string, Money> flavors = {};  // Of each unit of a flavor, in place of its cores and GPUs.
};

struct PriceList {
  std::string currency = {};                           // "EUR"; "" without prices.
  std::vector<JobState> billed = {JobState::RUNNING};  // States whose minutes count.
  std::vector<Prices> prices = {};                     // By `since`. None: minutes are counted, and cost nothing.
};

// What a job holds while its minutes count.
struct JobUnits {
  uint64_t cpu = 1;
  uint64_t gpu = 0;
  std::string flavor = {};
  std::optional<uint64_t> units = {};  // Of the flavor; nothing of old ones: a unit was a GPU, or else a core.
};
BOOST_DESCRIBE_STRUCT(JobUnits, (), (cpu, gpu, flavor, units))

enum class BillBy { project, user, job };
BOOST_DESCRIBE_ENUM(BillBy, project, user, job)

// A sum over jobs.
struct BillLine {
  std::string name;              // Of the project or user; the job's id; of the sum of all: "total".
  std::string project;           // By job only, and so the next two.
  std::string user;
  std::string job_name;
  uint64_t jobs = 0;             // That have billed minutes.
  uint64_t minutes = 0;          // Started ones.
  uint64_t cpu_minutes = 0;      // Times cores.
  uint64_t gpu_minutes = 0;
  std::optional<std::string> cost;  // Exact, as decimal digits: "19.30". Nothing without prices.
};
BOOST_DESCRIBE_STRUCT(BillLine, (), (name, project, user, job_name, jobs, minutes, cpu_minutes, gpu_minutes, cost))

// GET /billing/report
struct BillReport {
  Time from;
  Time to;
  BillBy by{};
  std::string currency;
  std::vector<JobState> billed_states;
  std::vector<BillLine> lines;  // By cost, then minutes, then name.
  BillLine total;
};
BOOST_DESCRIBE_STRUCT(BillReport, (), (from, to, by, currency, billed_states, lines, total))

}  // namespace volary
