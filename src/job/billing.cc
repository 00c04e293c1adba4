// job/billing.cc: minutes, charges and reports, for job/billing.h.
#include "job/billing.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "core/workers.h"

namespace volary {
namespace {

constexpr int64_t minute_micros = 60'000'000;
constexpr size_t lines_max = 100'000;

int64_t divided_up(int64_t micros, int64_t by) { return micros <= 0 ? 0 : (micros - 1) / by + 1; }

Time month_of(Time now) {
  using namespace std::chrono;
  const auto day = floor<days>(sys_time<microseconds>(microseconds(now.micros)));
  const year_month_day date(day);
  const sys_days first = date.year() / date.month() / 1;
  return {duration_cast<microseconds>(first.time_since_epoch()).count()};
}

// What a job's minute costs by these prices.
Money price_of(const Prices& prices, const JobUnits& units) {
  if (const auto flavor = prices.flavors.find(units.flavor); flavor != prices.flavors.end())
    return prices.job +
           flavor->second * units.units.value_or(std::max<uint64_t>(units.gpu > 0 ? units.gpu : units.cpu, 1));
  return prices.job + prices.cpu * units.cpu + prices.gpu * units.gpu;
}

// What a line sums up.
struct Sum {
  BillLine line;
  Money cost;
  void add(const Charge& charge) {
    ++line.jobs;
    line.minutes += charge.minutes;
    line.cpu_minutes += charge.cpu_minutes;
    line.gpu_minutes += charge.gpu_minutes;
    cost = cost + charge.cost;
  }
};

// One event with its job.
struct BilledRow {
  std::string id;
  std::string project;
  std::string user;
  std::string name;
  JobUnits units;
  JobEvent event;
};

BilledRow billed_row(const Row& row) {
  BilledRow one;
  using db_detail::read;
  read(row, 0, one.id);
  read(row, 1, one.project);
  read(row, 2, one.user);
  read(row, 3, one.name);
  read(row, 4, one.units);
  read(row, 5, one.event.state);
  read(row, 6, one.event.date);
  return one;
}

// Adds up job by job, as their events come by.
class Tally {
 public:
  Tally(const PriceList& prices, BillBy by, Time from, Time to, Time now)
      : prices_(prices), by_(by), from_(from), to_(to), now_(now) {
    total_.line.name = "total";
  }

  void take(BilledRow row) {
    if (row.id != job_.id) end_job();
    history_.push_back(row.event);
    job_ = std::move(row);
  }

  void end_job() {
    const Charge charge = charge_of(billed_stretches(history_, prices_.billed, now_), job_.units, prices_, from_, to_);
    history_.clear();
    if (charge.minutes == 0) return;
    const std::string& name = by_ == BillBy::project ? job_.project : by_ == BillBy::user ? job_.user : job_.id;
    Sum& sum = sums_[name];
    if (sums_.size() > lines_max)
      throw Error(Errc::invalid, "the report has more than {} lines: ask for a shorter range, or by user or project",
                  lines_max);
    sum.line.name = name;
    if (by_ == BillBy::job) {
      sum.line.project = job_.project;
      sum.line.user = job_.user;
      sum.line.job_name = job_.name;
    }
    sum.add(charge);
    total_.add(charge);
  }

  void write(BillReport& report) {
    std::vector<Sum> sums;
    for (auto& [name, sum] : sums_) sums.push_back(std::move(sum));
    std::sort(sums.begin(), sums.end(), [](const Sum& a, const Sum& b) {
      return std::tie(b.cost, b.line.minutes, a.line.name) < std::tie(a.cost, a.line.minutes, b.line.name);
    });
    for (Sum& sum : sums) report.lines.push_back(finished(sum));
    report.total = finished(total_);
  }

 private:
  BillLine finished(Sum& sum) const {
    if (!prices_.prices.empty()) sum.line.cost = to_text(sum.cost);
    return std::move(sum.line);
  }

  const PriceList& prices_;
  const BillBy by_;
  const Time from_;
  const Time to_;
  const Time now_;
  BilledRow job_;
  std::vector<JobEvent> history_;
  std::map<std::string, Sum> sums_;
  Sum total_;
};

}  // namespace

std::vector<Stretch> billed_stretches(const std::vector<JobEvent>& history, const std::vector<JobState>& billed,
                                      Time now) {
  std::vector<Stretch> stretches;
  bool is_open = false;
  bool ran = false;
  size_t of_run = 0;  // Where the stretches of this run begin.
  for (const JobEvent& event : history) {
    if (event.state == JobState::QUEUED) {  // A run begins; one that never was RUNNING costs nothing.
      if (is_open) stretches.back().end = event.date;
      if (!ran) stretches.resize(of_run);
      is_open = ran = false;
      of_run = stretches.size();
    }
    ran |= event.state == JobState::RUNNING;
    const bool counts = std::find(billed.begin(), billed.end(), event.state) != billed.end();
    if (counts && !is_open) stretches.push_back({event.date, now});
    if (!counts && is_open) stretches.back().end = event.date;
    is_open = counts;
  }
  if (!ran) stretches.resize(of_run);
  return stretches;
}

uint64_t started_minutes(const Stretch& stretch, Time from, Time to) {
  const int64_t all = std::max<int64_t>(divided_up(stretch.end.micros - stretch.begin.micros, minute_micros), 1);
  const int64_t before = divided_up(from.micros - stretch.begin.micros, minute_micros);
  const int64_t until = divided_up(to.micros - stretch.begin.micros, minute_micros);
  return static_cast<uint64_t>(std::max<int64_t>(std::min(all, until) - before, 0));
}

Charge charge_of(const std::vector<Stretch>& stretches, const JobUnits& units, const PriceList& list, Time from,
                 Time to) {
  Charge charge;
  for (const Stretch& stretch : stretches) {
    charge.minutes += started_minutes(stretch, from, to);
    for (size_t i = 0; i < list.prices.size(); ++i) {
      const Time begin = std::max(from, list.prices[i].since);
      const Time end = i + 1 < list.prices.size() ? std::min(to, list.prices[i + 1].since) : to;
      if (begin < end)
        charge.cost = charge.cost + price_of(list.prices[i], units) * started_minutes(stretch, begin, end);
    }
  }
  charge.cpu_minutes = charge.minutes * units.cpu;
  charge.gpu_minutes = charge.minutes * units.gpu;
  return charge;
}

JobUnits units_of(const Allotment& given) {
  return {given.share.cpu > 0 ? given.share.cpu : cores(), given.share.gpu, given.flavor,
          given.flavor.empty() ? std::nullopt : std::optional(given.units)};
}

std::vector<Flavor> Billing::priced(std::vector<Flavor> flavors) {
  if (prices_.prices.empty()) return flavors;
  const Time now = clock_.now();
  const Time soon = now.plus_seconds(1);
  for (Flavor& one : flavors) {
    const JobUnits unit{std::max<uint64_t>(one.cpu, 1), one.gpu, one.name, 1};
    const Charge minute = charge_of({{now, soon}}, unit, prices_, now, soon);
    one.price = fmt::format("{} {}", to_text(minute.cost), prices_.currency);
  }
  return flavors;
}

BillReport Billing::report(const Caller& caller, const BillRequest& request) {
  BillReport report;
  const Time now = clock_.now();
  report.from = request.from.value_or(month_of(now));
  report.to = request.to.value_or(now);
  report.by = request.by;
  report.currency = prices_.currency;
  report.billed_states = prices_.billed;
  if (report.to < report.from)
    throw Error(Errc::invalid, "the range ends at {}, before it begins at {}", to_text(report.to),
                to_text(report.from));
  Tally tally(prices_, request.by, report.from, report.to, now);
  const std::string project = request.scope == BillScope::project ? caller.project : "";
  database_.read([&](Transaction& transaction) {
    transaction.each(
        "SELECT job.id, project.name, job.subject, job.name, job.units, job_event.state, job_event.date FROM job "
        "JOIN project ON project.id = job.project JOIN job_event ON job_event.job = job.id "
        "WHERE job.tenant = $1 AND ($2 = '' OR job.project = $3) AND job.created_at < $4 "
        "AND (job.ended_at IS NULL OR job.ended_at >= $5) ORDER BY job.id, job_event.number",
        [&](const Row& row) { tally.take(billed_row(row)); }, caller.tenant, project, project, report.to, report.from);
  });
  tally.end_job();
  tally.write(report);
  return report;
}

}  // namespace volary
