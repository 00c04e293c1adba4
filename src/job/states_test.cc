// job/states_test.cc: the life of a job, as sentences; and that no decision ever leaves the table.
#include "job/states.h"

#include <gtest/gtest.h>

#include <boost/mp11/algorithm.hpp>

namespace volary {
namespace {

using enum JobState;

JobFacts facts(JobState state) {
  JobFacts job;
  job.state = state;
  job.timeout_seconds = 100;
  job.started_at = Time{1'000'000};
  if (state == FINALIZING) job.ending = DONE;
  return job;
}

RunStatus run(RunPhase phase, std::optional<int64_t> exit_code = std::nullopt) {
  RunStatus status;
  status.phase = phase;
  status.exit_code = exit_code;
  if (phase == RunPhase::running || exit_code) status.started_at = Time{1'000'000};
  return status;
}

const Time soon{50'000'000};
const Time late{102'000'000};

TEST(a_job, waits_while_there_is_no_room) {
  EXPECT_FALSE(next_step(facts(QUEUED), {}, Room::none, soon).next);
  EXPECT_EQ(next_step(facts(QUEUED), {}, Room::free, soon).next, INITIALIZING);
}

TEST(a_job, that_runs_says_where_its_ports_are) {
  RunStatus status = run(RunPhase::running);
  EXPECT_EQ(next_step(facts(PENDING), status, Room::free, soon).reason, "the process runs");
  status.note = "port 8080 at 127.0.0.1:32768";
  EXPECT_EQ(next_step(facts(PENDING), status, Room::free, soon).reason,
            "the process runs; port 8080 at 127.0.0.1:32768");
}

TEST(a_job, whose_process_was_asked_to_end_before_the_server_died_was_not_the_one_that_failed) {
  RunStatus status = run(RunPhase::exited, 143);
  EXPECT_EQ(next_step(facts(RUNNING), status, Room::free, soon).ending, FAILED);
  status.stop_asked = true;
  const Step late_step = next_step(facts(RUNNING), status, Room::free, late);
  EXPECT_EQ(late_step.next, TIMEOUT);
  EXPECT_EQ(late_step.act, Act::none);
  JobFacts stopped = facts(RUNNING);
  stopped.stop_requested = true;
  EXPECT_EQ(next_step(stopped, status, Room::free, soon).next, INTERRUPTING);
  EXPECT_EQ(next_step(facts(TIMEOUT), status, Room::free, late).ending, INTERRUPTED);
}

TEST(a_job, that_is_lost_says_why) {
  RunStatus status = run(RunPhase::lost);
  status.error = "the engine's container is gone: somebody removed it";
  EXPECT_EQ(next_step(facts(RUNNING), status, Room::free, soon).reason,
            "the process vanished without an exit code: the engine's container is gone: somebody removed it");
}

TEST(a_job, begins_when_its_data_is_there_and_ends_when_its_data_has_arrived) {
  for (const auto& [state, next] : {std::pair(INITIALIZING, PENDING), std::pair(FINALIZING, DONE)}) {
    JobFacts job = facts(state);
    job.wait = Wait::waiting;
    EXPECT_FALSE(next_step(job, {}, Room::free, soon).next);
    EXPECT_EQ(next_step(job, {}, Room::free, soon).act, Act::none);
    job.wait = Wait::given_up;
    job.wait_reason = "DATASYNC_FAILED: because";
    EXPECT_EQ(next_step(job, {}, Room::free, soon).next, ERROR);
    EXPECT_EQ(next_step(job, {}, Room::free, soon).reason, "DATASYNC_FAILED: because");
    job.wait = Wait::none;
    EXPECT_EQ(next_step(job, {}, Room::free, soon).next, next);
  }
}

TEST(a_job, is_prepared_then_started_once_nothing_runs) {
  const Step prepare = next_step(facts(INITIALIZING), {}, Room::free, soon);
  EXPECT_EQ(prepare.act, Act::prepare);
  EXPECT_EQ(prepare.next, PENDING);
  const Step start = next_step(facts(PENDING), run(RunPhase::absent), Room::free, soon);
  EXPECT_EQ(start.act, Act::start);
  EXPECT_FALSE(start.next);
  EXPECT_EQ(next_step(facts(PENDING), run(RunPhase::starting), Room::free, soon).act, Act::none);
  EXPECT_EQ(next_step(facts(PENDING), run(RunPhase::running), Room::free, soon).next, RUNNING);
}

TEST(a_job, that_ran_between_two_looks_still_passes_through_running) {
  EXPECT_EQ(next_step(facts(PENDING), run(RunPhase::exited, 0), Room::free, soon).next, RUNNING);
}

TEST(a_job, whose_process_could_not_start_fails_with_the_runners_words) {
  RunStatus status = run(RunPhase::exited);
  status.error = "cannot run 'nothing': no such command";
  const Step step = next_step(facts(PENDING), status, Room::free, soon);
  EXPECT_EQ(step.next, FINALIZING);
  EXPECT_EQ(step.ending, FAILED);
  EXPECT_EQ(step.reason, "cannot run 'nothing': no such command");
}

TEST(a_job, ends_as_its_exit_code_says) {
  const Step good = next_step(facts(RUNNING), run(RunPhase::exited, 0), Room::free, soon);
  EXPECT_EQ(good.next, FINALIZING);
  EXPECT_EQ(good.ending, DONE);
  const Step bad = next_step(facts(RUNNING), run(RunPhase::exited, 3), Room::free, soon);
  EXPECT_EQ(bad.ending, FAILED);
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_EQ(bad.reason, "the process ended with exit code 3");
  EXPECT_EQ(next_step(facts(RUNNING), run(RunPhase::exited, 139), Room::free, soon).reason,
            "the process was ended by signal 11");
}

TEST(a_job, that_is_stopped_passes_interrupting_and_finalizing) {
  JobFacts job = facts(RUNNING);
  job.stop_requested = true;
  const Step stop = next_step(job, run(RunPhase::running), Room::free, soon);
  EXPECT_EQ(stop.act, Act::stop);
  EXPECT_EQ(stop.next, INTERRUPTING);
  EXPECT_FALSE(next_step(facts(INTERRUPTING), run(RunPhase::running), Room::free, soon).next);
  const Step ended = next_step(facts(INTERRUPTING), run(RunPhase::exited, 143), Room::free, soon);
  EXPECT_EQ(ended.next, FINALIZING);
  EXPECT_EQ(ended.ending, INTERRUPTED);
}

TEST(a_job, that_runs_too_long_passes_timeout_and_is_interrupted) {
  EXPECT_FALSE(next_step(facts(RUNNING), run(RunPhase::running), Room::free, soon).next);
  const Step step = next_step(facts(RUNNING), run(RunPhase::running), Room::free, late);
  EXPECT_EQ(step.act, Act::stop);
  EXPECT_EQ(step.next, TIMEOUT);
  const Step ended = next_step(facts(TIMEOUT), run(RunPhase::exited, 143), Room::free, late);
  EXPECT_EQ(ended.ending, INTERRUPTED);
  EXPECT_EQ(ended.reason, "timeout");
}

TEST(a_job, stopped_before_it_started_is_interrupted_at_once) {
  for (const JobState state : {QUEUED, INITIALIZING, PENDING}) {
    JobFacts job = facts(state);
    job.stop_requested = true;
    EXPECT_EQ(next_step(job, run(RunPhase::absent), Room::free, soon).next, INTERRUPTED);
  }
}

TEST(a_job, whose_supervisor_vanished_ends_in_error) {
  for (const JobState state : {PENDING, RUNNING, INTERRUPTING, TIMEOUT})
    EXPECT_EQ(next_step(facts(state), run(RunPhase::lost), Room::free, soon).ending, ERROR);
}

TEST(a_job, is_finalised_before_it_ends) {
  const Step step = next_step(facts(FINALIZING), {}, Room::free, soon);
  EXPECT_EQ(step.act, Act::finalise);
  EXPECT_EQ(step.next, DONE);
}

TEST(a_job, tries_a_finalisation_again_that_was_unavailable_and_ends_in_error_otherwise) {
  EXPECT_FALSE(after_failure(facts(FINALIZING), Act::finalise, Error(Errc::unavailable, "later")).next);
  const Step step = after_failure(facts(FINALIZING), Act::finalise, Error(Errc::exhausted, "no quota"));
  EXPECT_EQ(step.next, ERROR);
  EXPECT_EQ(step.reason, "exhausted: no quota");
}

TEST(the_table, has_every_decision_and_nothing_leaves_a_terminal_state) {
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<JobState>>([&](auto state) {
    for (const RunPhase phase :
         {RunPhase::absent, RunPhase::starting, RunPhase::running, RunPhase::exited, RunPhase::lost})
      for (const bool stop : {false, true})
        for (const Time now : {soon, late}) {
          JobFacts job = facts(state.value);
          job.stop_requested = stop;
          const Step step = next_step(job, run(phase), Room::free, now);
          if (is_terminal(state.value)) {
            EXPECT_FALSE(step.next);
            EXPECT_EQ(step.act, Act::none);
          }
          if (step.next) EXPECT_TRUE(may_follow(state.value, *step.next)) << state.name;
          if (step.next == FINALIZING) EXPECT_TRUE(step.ending);
          for (const Errc code : {Errc::internal, Errc::unavailable, Errc::exhausted}) {
            const Step failed = after_failure(job, step.act, Error(code, "x"));
            if (step.act != Act::none && failed.next) EXPECT_TRUE(may_follow(state.value, *failed.next)) << state.name;
          }
        }
  });
}

}  // namespace
}  // namespace volary
