// job/runs_test.cc: when a run follows by itself, and that nothing of the run before is taken for the next one's.
#include "job/runs.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "job/jobs.h"
#include "volume/transfer_world_test.h"

namespace volary {
namespace {

using enum JobState;

RunEnd failed(uint64_t run, uint64_t restarts) {
  return {FAILED, "the process ended with exit code 3", false, false, run, restarts};
}

TEST(a_run, that_took_too_long_is_followed_by_another_at_once_if_that_was_wished) {
  const RunEnd end{INTERRUPTED, "timeout", true, false, 4, 0};
  const auto next = restart_after({RestartOn::timeout}, end);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->pause_seconds, 0);
  EXPECT_EQ(next->reason, "run 5: run 4 ran longer than its timeout allows");
  EXPECT_TRUE(restart_after({RestartOn::any}, end));
  EXPECT_FALSE(restart_after({RestartOn::failure}, end));
}

TEST(a_run, that_took_too_long_within_seconds_is_followed_by_another_after_a_pause_that_grows) {
  const auto pause = [](uint64_t run, int64_t timeout_seconds) {
    const RunEnd end{INTERRUPTED, "timeout", true, false, run, 0, timeout_seconds};
    return restart_after({RestartOn::timeout}, end)->pause_seconds;
  };
  EXPECT_EQ(pause(1, 1), 1);
  EXPECT_EQ(pause(3, 9), 4);
  EXPECT_EQ(pause(900, 1), 300);
  EXPECT_EQ(pause(900, 10), 0);
}

TEST(a_run, that_failed_is_followed_by_another_after_a_pause_that_grows_and_not_for_ever) {
  EXPECT_FALSE(restart_after({RestartOn::timeout}, failed(1, 0)));
  const AutoRestart policy{RestartOn::failure, 12};
  std::vector<int64_t> pauses;
  for (uint64_t restarts = 0; const auto next = restart_after(policy, failed(restarts + 1, restarts)); ++restarts) {
    EXPECT_EQ(next->restarts, restarts + 1);
    pauses.push_back(next->pause_seconds);
  }
  EXPECT_EQ(pauses, (std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}));
  EXPECT_EQ(restart_after({RestartOn::any}, failed(2, 1))->reason,
            "run 3, 2s after run 2 failed: the process ended with exit code 3 (restart 2 of 5)");
}

RC_GTEST_PROP(a_run, that_was_asked_to_stop_or_is_the_last_that_may_be_is_never_followed, ()) {
  RunEnd end;
  end.state = *rc::gen::element(DONE, INTERRUPTED, FAILED, ERROR);
  end.is_timeout = *rc::gen::arbitrary<bool>();
  end.run = *rc::gen::inRange<uint64_t>(1, 3);
  const AutoRestart policy{*rc::gen::element(RestartOn::timeout, RestartOn::failure, RestartOn::any), 100};
  RunEnd stopped = end;
  stopped.stop_requested = true;
  RC_ASSERT(!restart_after(policy, stopped));
  RunEnd last = end;
  last.run = runs_max;
  RC_ASSERT(!restart_after(policy, last));
  if (end.state == DONE || end.state == ERROR) RC_ASSERT(!restart_after(policy, end));
}

TEST(places, of_runs_lie_apart_and_those_of_the_first_where_they_always_were) {
  const JobPlaces first = places_of("/jobs", "job-1", 1);
  EXPECT_EQ(first.run, Path("/jobs/job-1/run"));
  EXPECT_EQ(first.scratch(0), Path("/jobs/job-1/scratch-0"));
  const JobPlaces third = places_of("/jobs", "job-1", 3);
  EXPECT_EQ(third.run, Path("/jobs/job-1/run.3"));
  EXPECT_EQ(third.work, Path("/jobs/job-1/work.3"));
  EXPECT_EQ(third.scratch(2), Path("/jobs/job-1/scratch-2.3"));
  EXPECT_EQ(third.directory, first.directory);
}

class a_job_that_is_run_again : public TransferWorld {
 protected:
  a_job_that_is_run_again() {
    volumes.create(alice, {"out", {}, {}, 1 << 20, {}});
    NewJob spec;
    spec.command = {"true"};
    spec.attachments.push_back({.volume = "out", .path = "/out", .access = AttachAccess::rw});
    database->write([&](Transaction& t) {
      t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, exit_code, ending, "
            "stop_requested, created_at, queued_at, started_at, ended_at, lease_owner, lease_until, receipt) VALUES "
            "('job-1', $1, $2, 'alice', 'one', $3, 'FAILED', 'it failed', 3, 'FAILED', 1, 0, 5, 6, 7, '', 0, '{}')",
            alice.tenant, alice.project, spec);
      t.run("INSERT INTO job_event (job, number, state, date, reason) VALUES ('job-1', 1, 'QUEUED', 5, '')");
      t.run("INSERT INTO job_event (job, number, state, date, reason) VALUES ('job-1', 2, 'FAILED', 7, 'it failed')");
      t.run("INSERT INTO job_attachment (job, number, volume, path, access, version, lease, result) "
            "SELECT 'job-1', 0, id, '/out', 'rw', 3, '', 4 FROM volume WHERE name = 'out'");
    });
  }
  JobRow row() {
    return *database->read([](Transaction& t) { return find_job(t, "job-1"); });
  }
  Job shown() {
    return database->read([](Transaction& t) { return view_of(t, *find_job(t, "job-1")); });
  }
  void begin(std::optional<Time> begins_at) {
    database->write([&](Transaction& t) { begin_run(t, row_in(t), {"run 2: asked for", begins_at, 1}, Time{20}); });
  }

 private:
  static JobRow row_in(Transaction& t) { return *find_job(t, "job-1"); }
};

TEST_F(a_job_that_is_run_again, is_queued_with_nothing_of_the_run_before) {
  begin(Time{30});
  const JobRow now = row();
  EXPECT_EQ(now.run, 2u);
  EXPECT_EQ(now.state, QUEUED);
  EXPECT_FALSE(now.exit_code || now.started_at || now.ended_at || now.stop_requested);
  EXPECT_EQ(now.ending, "");
  EXPECT_EQ(now.restarts, 1u);
  EXPECT_TRUE(shown().attachments.empty());
  EXPECT_EQ(database->read([](Transaction& t) { return *t.find<std::string>("SELECT receipt FROM job"); }), "");
}

TEST_F(a_job_that_is_run_again, still_says_what_the_run_before_was) {
  begin(std::nullopt);
  const Job job = shown();
  ASSERT_EQ(job.runs.size(), 2u);
  EXPECT_EQ(job.runs[0].state, FAILED);
  EXPECT_EQ(job.runs[0].exit_code, 3);
  EXPECT_EQ(job.runs[0].queued_at, Time{5});
  ASSERT_EQ(job.runs[0].attachments.size(), 1u);
  EXPECT_EQ(job.runs[0].attachments[0].result, 4u);
  EXPECT_EQ(job.runs[1].reason, "run 2: asked for");
  std::vector<uint64_t> runs;
  for (const JobEvent& one : job.history) runs.push_back(one.run);
  EXPECT_EQ(runs, (std::vector<uint64_t>{1, 1, 2}));
}

TEST_F(a_job_that_is_run_again, attaches_when_its_time_has_come_and_waits_for_a_writer) {
  begin(Time{30});
  JobFacts early;
  attach_anew(*database, row(), Time{29}, early);
  EXPECT_EQ(early.wait, Wait::waiting);
  EXPECT_TRUE(shown().attachments.empty());
  JobFacts due;
  attach_anew(*database, row(), Time{30}, due);
  EXPECT_EQ(due.wait, Wait::none);
  ASSERT_EQ(shown().attachments.size(), 1u);
  EXPECT_EQ(shown().attachments[0].result, 0u);
  EXPECT_EQ(volumes.leases(alice, "out").size(), 1u);
  attach_anew(*database, row(), Time{31}, due);  // Once is enough.
  EXPECT_EQ(shown().attachments.size(), 1u);
}

TEST_F(a_job_that_is_run_again, says_why_it_cannot_begin) {
  begin(std::nullopt);
  volumes.remove(alice, "out");
  JobFacts facts;
  attach_anew(*database, row(), Time{30}, facts);
  EXPECT_EQ(facts.wait, Wait::given_up);
  EXPECT_NE(facts.wait_reason.find("run 2 could not begin: not_found: there is no volume 'out'"), std::string::npos)
      << facts.wait_reason;
}

}  // namespace
}  // namespace volary
