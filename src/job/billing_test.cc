// job/billing_test.cc: which minutes count, what they cost, and that reports are the sum of histories, counted here
// once more in the slow way.
#include "job/billing.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "remote/retry.h"

namespace volary {
namespace {

using enum JobState;

constexpr int64_t minute = 60'000'000;
const Time start{1'800'000'000'000'000};
Time at(int64_t micros) { return {start.micros + micros}; }

JobEvent event(JobState state, int64_t micros) { return {state, at(micros), ""}; }

uint64_t minutes_of(const std::vector<JobEvent>& history, const std::vector<JobState>& billed = {RUNNING}) {
  uint64_t sum = 0;
  for (const Stretch& one : billed_stretches(history, billed, at(1000 * minute)))
    sum += started_minutes(one, Time{}, at(1000 * minute));
  return sum;
}

TEST(minutes, that_were_started_count_whole) {
  EXPECT_EQ(minutes_of({event(RUNNING, 0), event(FINALIZING, 1)}), 1u);
  EXPECT_EQ(minutes_of({event(RUNNING, 0), event(FINALIZING, minute)}), 1u);
  EXPECT_EQ(minutes_of({event(RUNNING, 0), event(FINALIZING, minute + 1)}), 2u);
  EXPECT_EQ(minutes_of({event(RUNNING, 0), event(FINALIZING, 0)}), 1u);
  EXPECT_EQ(minutes_of({event(RUNNING, 5), event(FINALIZING, 0)}), 1u) << "a clock that was set back";
}

TEST(minutes, of_a_job_that_never_ran_are_none) {
  EXPECT_EQ(minutes_of({event(QUEUED, 0), event(INITIALIZING, 1), event(FAILED, 10 * minute)},
                       {INITIALIZING, PENDING, RUNNING}), 0u);
}

TEST(minutes, of_states_in_a_row_are_one_stretch_and_after_a_gap_another) {
  EXPECT_EQ(minutes_of({event(PENDING, 0), event(RUNNING, 1), event(DONE, 2)}, {PENDING, RUNNING}), 1u);
  EXPECT_EQ(minutes_of({event(RUNNING, 0), event(QUEUED, 1), event(RUNNING, 2), event(DONE, 3)}), 2u);
}

TEST(minutes, of_runs_add_up_and_a_run_that_never_was_running_has_none) {
  const std::vector<JobEvent> history = {event(QUEUED, 0), event(INITIALIZING, 1), event(RUNNING, 2), event(DONE, 3),
                                         event(QUEUED, minute), event(INITIALIZING, minute), event(FAILED, 9 * minute),
                                         event(QUEUED, 9 * minute), event(RUNNING, 9 * minute),
                                         event(DONE, 10 * minute + 1)};
  EXPECT_EQ(minutes_of(history), 3u);
  EXPECT_EQ(minutes_of(history, {INITIALIZING, RUNNING}), 3u);
}

TEST(minutes, of_a_running_job_are_those_that_it_has_started) {
  const auto stretches = billed_stretches({event(RUNNING, 0)}, {RUNNING}, at(90'000'000));
  ASSERT_EQ(stretches.size(), 1u);
  EXPECT_EQ(started_minutes(stretches[0], Time{}, at(90'000'000)), 2u);
}

TEST(a_charge, is_by_flavor_or_else_by_what_the_job_holds) {
  PriceList list{"EUR", {RUNNING}, {{Time{}, {1}, {10}, {100}, {{"small", {1000}}}}}};
  const std::vector<Stretch> one = {{at(0), at(minute)}};
  EXPECT_EQ(charge_of(one, {4, 2, ""}, list, Time{}, at(minute)).cost.micros, 1 + 40 + 200);
  EXPECT_EQ(charge_of(one, {4, 2, "small"}, list, Time{}, at(minute)).cost.micros, 1 + 2000);
  EXPECT_EQ(charge_of(one, {4, 0, "small"}, list, Time{}, at(minute)).cost.micros, 1 + 4000);
  EXPECT_EQ(charge_of(one, {4, 0, "another"}, list, Time{}, at(minute)).cost.micros, 1 + 40);
}

TEST(a_charge, is_by_the_prices_of_the_moment_at_which_each_minute_began) {
  PriceList list{"EUR", {RUNNING}, {{at(0), {1}, {}, {}, {}}, {at(minute + 1), {100}, {}, {}, {}}}};
  EXPECT_EQ(charge_of({{at(0), at(3 * minute)}}, {}, list, Time{}, at(9 * minute)).cost.micros, 1 + 1 + 100);
  EXPECT_EQ(charge_of({{at(-minute), at(minute)}}, {}, list, Time{}, at(9 * minute)).cost.micros, 1) << "no price yet";
}

// --- reports

struct MadeJob {
  std::string id;
  std::string project;
  std::string user;
  JobUnits units;
  std::vector<JobEvent> history;
};

class Reports {
 public:
  explicit Reports(PriceList list) : list_(std::move(list)), clock_(at(200 * minute)) {
    database_->write([](Transaction& t) {
      t.run("INSERT INTO project (id, tenant, name, quota_fs_bytes, quota_obs_bytes) VALUES ('prj-b', 'ten-default', "
            "'b', 1, 1)");
    });
  }

  void add(const MadeJob& job) {
    database_->write([&](Transaction& t) {
      const JobState last = job.history.back().state;
      const auto ended = is_terminal(last) ? std::optional(job.history.back().date) : std::nullopt;
      t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, "
            "created_at, ended_at, lease_owner, lease_until, units) VALUES ($1, 'ten-default', $2, $3, '', '{}', $4, "
            "'', '', 0, $5, $6, '', 0, $7)",
            job.id, job.project, job.user, last, job.history.front().date, ended, job.units);
      int64_t number = 0;
      for (const JobEvent& one : job.history)
        t.run("INSERT INTO job_event (job, number, state, date, reason) VALUES ($1, $2, $3, $4, '')", job.id, ++number,
              one.state, one.date);
    });
  }

  BillReport of(Time from, Time to, BillBy by, BillScope scope = BillScope::tenant) {
    Billing billing(*database_, list_, clock_);
    return billing.report({"", "ann", "ten-default", "prj-default"}, {from, to, by, scope});
  }
  Time now() const { return clock_.now(); }
  const PriceList& list() const { return list_; }

 private:
  std::unique_ptr<Database> database_ = open_database("sqlite::memory:");
  PriceList list_;
  FakeClock clock_;
};

MadeJob any_job(size_t number) {
  static const std::vector<std::vector<JobState>> lives = {
      {QUEUED, INITIALIZING, PENDING, RUNNING, FINALIZING, DONE},
      {QUEUED, INITIALIZING, PENDING, RUNNING, TIMEOUT, FINALIZING, INTERRUPTED},
      {QUEUED, INITIALIZING, PENDING, RUNNING, FINALIZING, QUEUED, PENDING, RUNNING, FINALIZING, FAILED},
      {QUEUED, INITIALIZING, PENDING, FINALIZING, FAILED},
      {QUEUED, INTERRUPTED},
      {QUEUED, INITIALIZING, PENDING, RUNNING},
      {QUEUED, INITIALIZING, PENDING, RUNNING, TIMEOUT, FINALIZING, INTERRUPTED, QUEUED, INITIALIZING, INTERRUPTED,
       QUEUED, INITIALIZING, PENDING, RUNNING, FINALIZING, DONE},
      {QUEUED, INITIALIZING, FAILED, QUEUED, INITIALIZING, PENDING, RUNNING},
  };
  MadeJob job;
  job.id = fmt::format("job-{}", number);
  job.project = *rc::gen::element<std::string>("prj-default", "prj-b");
  job.user = *rc::gen::element<std::string>("ann", "bob");
  job.units = {*rc::gen::inRange<uint64_t>(1, 9), *rc::gen::inRange<uint64_t>(0, 3),
               *rc::gen::element<std::string>("", "small", "other")};
  Time date = at(*rc::gen::inRange<int64_t>(0, 60 * minute));
  for (const JobState state : *rc::gen::elementOf(lives)) {
    job.history.push_back({state, date, ""});
    date.micros += *rc::gen::element<int64_t>(0, 1, minute, 59'999'999, 2 * minute, 61'000'001, 7 * minute + 5);
  }
  return job;
}

// Walks along each stretch of a run minute by minute.
Charge slowly_of_run(const MadeJob& job, const PriceList& list, Time from, Time to, Time now) {
  Charge sum;
  bool ran = false;
  for (const JobEvent& one : job.history) ran |= one.state == RUNNING;
  if (!ran) return sum;
  const auto is_billed = [&](JobState state) {
    return std::find(list.billed.begin(), list.billed.end(), state) != list.billed.end();
  };
  for (size_t i = 0; i < job.history.size(); ++i) {
    if (!is_billed(job.history[i].state) || (i > 0 && is_billed(job.history[i - 1].state))) continue;
    size_t end = i;
    while (end < job.history.size() && is_billed(job.history[end].state)) ++end;
    const Time until = end < job.history.size() ? job.history[end].date : now;
    Time one = job.history[i].date;
    do {
      if (from <= one && one < to) {
        ++sum.minutes;
        const Prices* prices = nullptr;
        for (const Prices& p : list.prices)
          if (p.since <= one) prices = &p;
        if (prices) {
          sum.cost.micros += prices->job.micros;
          if (job.units.flavor == "small")
            sum.cost.micros += prices->flavors.at("small").micros *
                               static_cast<int64_t>(job.units.gpu ? job.units.gpu : job.units.cpu);
          else
            sum.cost.micros += prices->cpu.micros * static_cast<int64_t>(job.units.cpu) +
                               prices->gpu.micros * static_cast<int64_t>(job.units.gpu);
        }
      }
      one.micros += minute;
    } while (one < until);
  }
  return sum;
}

// A run begins where it is QUEUED.
Charge slowly(const MadeJob& job, const PriceList& list, Time from, Time to, Time now) {
  Charge sum;
  MadeJob run = job;
  run.history.clear();
  const auto end_run = [&](Time until) {
    const Charge charge = slowly_of_run(run, list, from, to, until);
    sum.minutes += charge.minutes;
    sum.cost = sum.cost + charge.cost;
    run.history.clear();
  };
  for (const JobEvent& one : job.history) {
    if (one.state == QUEUED) end_run(one.date);
    run.history.push_back(one);
  }
  end_run(now);
  return sum;
}

PriceList any_list() {
  static const std::vector<std::vector<JobState>> billed = {
      {RUNNING}, {PENDING, RUNNING}, {INITIALIZING, PENDING, RUNNING, FINALIZING}};
  PriceList list{"EUR", *rc::gen::elementOf(billed), {}};
  const auto price = [] { return Money{*rc::gen::inRange<int64_t>(0, 2'000'000)}; };
  for (const Time since : {at(0), at(50 * minute + 7)})
    list.prices.push_back({since, price(), price(), price(), {{"small", price()}}});
  return list;
}

RC_GTEST_PROP(a_report, is_the_sum_of_the_histories_by_whatever_it_sums_up_and_in_parts_as_whole, ()) {
  Reports reports(any_list());
  std::vector<MadeJob> jobs;
  const size_t count = *rc::gen::inRange<size_t>(0, 8);
  for (size_t i = 0; i < count; ++i) reports.add(jobs.emplace_back(any_job(i)));
  const Time from = at(*rc::gen::inRange<int64_t>(0, 40 * minute));
  const Time between{from.micros + *rc::gen::inRange<int64_t>(0, 30 * minute)};
  const Time to{between.micros + *rc::gen::inRange<int64_t>(0, 90 * minute)};
  for (const BillScope scope : {BillScope::project, BillScope::tenant}) {
    uint64_t minutes = 0;
    int64_t cost = 0;
    for (const MadeJob& job : jobs) {
      if (scope == BillScope::project && job.project != "prj-default") continue;
      const Charge charge = slowly(job, reports.list(), from, to, reports.now());
      minutes += charge.minutes;
      cost += charge.cost.micros;
    }
    const auto micros = [](const BillLine& line) { return parse_money(*line.cost, "a line").micros; };
    for (const BillBy by : {BillBy::project, BillBy::user, BillBy::job}) {
      const BillReport report = reports.of(from, to, by, scope);
      RC_ASSERT(report.total.minutes == minutes);
      RC_ASSERT(micros(report.total) == cost);
      uint64_t lines_minutes = 0;
      int64_t lines_cost = 0;
      for (const BillLine& line : report.lines) {
        lines_minutes += line.minutes;
        lines_cost += micros(line);
      }
      RC_ASSERT(lines_minutes == minutes);
      RC_ASSERT(lines_cost == cost);
    }
    RC_ASSERT(micros(reports.of(from, between, BillBy::user, scope).total) +
                  micros(reports.of(between, to, BillBy::user, scope).total) == cost);
  }
}

TEST(a_report, without_prices_has_minutes_and_no_cost) {
  Reports reports(PriceList{});
  reports.add({"job-1", "prj-default", "ann", {2, 0, ""}, {event(RUNNING, 0), event(DONE, 61'000'000)}});
  const BillReport report = reports.of(at(0), at(10 * minute), BillBy::job);
  ASSERT_EQ(report.lines.size(), 1u);
  EXPECT_EQ(report.lines[0].minutes, 2u);
  EXPECT_EQ(report.lines[0].cpu_minutes, 4u);
  EXPECT_FALSE(report.total.cost);
}

TEST(a_report, that_would_end_before_it_begins_is_refused) {
  Reports reports(PriceList{});
  const auto error = error_of([&] { reports.of(at(minute), at(0), BillBy::user); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::invalid);
}

}  // namespace
}  // namespace volary
