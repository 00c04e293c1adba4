// job/states.cc: one function a state, and the table they may not leave.
#include "job/states.h"

#include <array>
#include <utility>

namespace volary {
namespace {

using enum JobState;

constexpr std::array<std::pair<JobState, JobState>, 27> transitions = {{
    {QUEUED, INITIALIZING}, {QUEUED, INTERRUPTED}, {QUEUED, ERROR},
    {INITIALIZING, PENDING}, {INITIALIZING, INTERRUPTED}, {INITIALIZING, ERROR}, {INITIALIZING, FAILED},
    {PENDING, RUNNING}, {PENDING, FINALIZING}, {PENDING, INTERRUPTED}, {PENDING, FAILED}, {PENDING, ERROR},
    {RUNNING, INTERRUPTING}, {RUNNING, TIMEOUT}, {RUNNING, FINALIZING}, {RUNNING, ERROR},
    {INTERRUPTING, FINALIZING}, {INTERRUPTING, ERROR}, {TIMEOUT, FINALIZING}, {TIMEOUT, ERROR},
    {FINALIZING, DONE}, {FINALIZING, FAILED}, {FINALIZING, INTERRUPTED}, {FINALIZING, ERROR},
    {INTERRUPTING, INTERRUPTED}, {TIMEOUT, INTERRUPTED}, {RUNNING, FAILED},
}};

Step move_to(JobState next, std::string reason) {
  Step step;
  step.next = next;
  step.reason = std::move(reason);
  return step;
}

Step finalise_to(JobState ending, std::string reason, std::optional<int64_t> exit_code = std::nullopt) {
  Step step = move_to(FINALIZING, std::move(reason));
  step.ending = ending;
  step.exit_code = exit_code;
  return step;
}

Step lost(const RunStatus& run) {
  return finalise_to(ERROR, "the process vanished without an exit code: " +
                                (run.error.empty() ? "its supervisor or the machine died" : run.error));
}

std::string exit_text(int64_t code) {
  return code > 128 && code < 193 ? fmt::format("the process was ended by signal {}", code - 128)
                                  : fmt::format("the process ended with exit code {}", code);
}

Step runs(const RunStatus& run) {
  return move_to(RUNNING, run.note.empty() || run.phase != RunPhase::running ? "the process runs"
                                                                            : "the process runs; " + run.note);
}

Step from_pending(const JobFacts& job, const RunStatus& run) {
  Step step;
  switch (run.phase) {
    case RunPhase::absent:
      if (job.stop_requested) return move_to(INTERRUPTED, "stopped before it started");
      step.act = Act::start;
      return step;
    case RunPhase::starting:
      if (job.stop_requested) step.act = Act::stop;
      return step;
    case RunPhase::running: return runs(run);
    case RunPhase::exited:
      if (run.started_at) return runs(run);
      if (job.stop_requested) return finalise_to(INTERRUPTED, "stopped before it started");
      return finalise_to(FAILED, run.error.empty() ? "the process could not start" : run.error, run.exit_code);
    case RunPhase::lost: return lost(run);
  }
  return step;
}

// The server died between asking the process to end and writing that down.
Step stopped_already(const JobFacts& job) {
  if (job.stop_requested) return move_to(INTERRUPTING, "asked to stop");
  return move_to(TIMEOUT, fmt::format("ran longer than {} seconds", job.timeout_seconds));
}

Step from_running(const JobFacts& job, const RunStatus& run, Time now) {
  if (run.phase == RunPhase::exited && run.stop_asked) return stopped_already(job);
  if (run.phase == RunPhase::exited) {
    const int64_t code = run.exit_code.value_or(255);
    if (code == 0) return finalise_to(DONE, "the process ended with exit code 0", code);
    return finalise_to(FAILED, run.error.empty() ? exit_text(code) : run.error, code);
  }
  if (run.phase == RunPhase::lost || run.phase == RunPhase::absent) return lost(run);
  Step step;
  if (job.stop_requested) {
    step = move_to(INTERRUPTING, "asked to stop");
    step.act = Act::stop;
  } else if (job.started_at && now >= job.started_at->plus_seconds(job.timeout_seconds)) {
    step = move_to(TIMEOUT, fmt::format("ran longer than {} seconds", job.timeout_seconds));
    step.act = Act::stop;
  }
  return step;
}

Step from_stopping(const JobFacts& job, const RunStatus& run) {
  if (run.phase == RunPhase::exited)
    return finalise_to(INTERRUPTED, job.state == TIMEOUT ? "timeout" : "stopped on request", run.exit_code);
  if (run.phase == RunPhase::lost || run.phase == RunPhase::absent) return lost(run);
  return {};
}

}  // namespace

Step next_step(const JobFacts& job, const RunStatus& run, Room room, Time now) {
  Step step;
  switch (job.state) {
    case QUEUED:
      if (job.stop_requested) return move_to(INTERRUPTED, "stopped before it started");
      if (job.wait == Wait::given_up) return move_to(INTERRUPTED, job.wait_reason);
      if (job.wait == Wait::waiting) return step;
      return room == Room::free ? move_to(INITIALIZING, "its data is being made ready") : step;
    case INITIALIZING:
      if (job.stop_requested) return move_to(INTERRUPTED, "stopped before it started");
      if (job.wait == Wait::given_up) return move_to(ERROR, job.wait_reason);
      if (job.wait == Wait::waiting) return step;
      step = move_to(PENDING, "its data is ready; the process is being started");
      step.act = Act::prepare;
      return step;
    case PENDING: return from_pending(job, run);
    case RUNNING: return from_running(job, run, now);
    case INTERRUPTING:
    case TIMEOUT: return from_stopping(job, run);
    case FINALIZING:
      if (job.wait == Wait::given_up) return move_to(ERROR, job.wait_reason);
      if (job.wait == Wait::waiting) return step;
      step = move_to(job.ending.value_or(ERROR), job.ending_reason + job.published);
      step.act = Act::finalise;
      return step;
    case DONE:
    case INTERRUPTED:
    case FAILED:
    case ERROR: return step;
  }
  return step;
}

Step after_failure(const JobFacts& job, Act act, const Error& error) {
  if (act == Act::finalise && error.code() == Errc::unavailable) return {};
  if (act == Act::start || act == Act::stop) {
    if (job.state == PENDING) return move_to(ERROR, error.what());
    return {};  // A stop that could not be asked for is asked for again.
  }
  return move_to(ERROR, error.what());
}

bool may_follow(JobState from, JobState to) {
  for (const auto& [one, other] : transitions)
    if (one == from && other == to) return true;
  return false;
}

}  // namespace volary
