// job/states.h: the life of a job as a pure function: from what its row says and what was seen, to what happens next.
//
//   QUEUED ─► INITIALIZING ─► PENDING ─► RUNNING ─┬────────────────► FINALIZING ─► DONE | FAILED | ERROR
//     │            │             │                ├► INTERRUPTING ─┤             └► INTERRUPTED
//     └────────────┴─────────────┘                └► TIMEOUT ──────┘
//        stopped: INTERRUPTED; our failure: ERROR
//
// The reconciler (job/reconciler.h) asks next_step() again and again; every act it may order can be repeated without
// harm, so the server may die at any line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "engine/runner.h"
#include "record/job.h"

namespace volary {

// Whether a job still waits: to write its volumes, or for its data to be brought or taken away.
enum class Wait { none, waiting, given_up };

// What a decision needs of the row.
struct JobFacts {
  JobState state{};
  std::optional<JobState> ending;  // Where FINALIZING leads.
  std::string ending_reason;       // The reason written with the ending.
  bool stop_requested = false;
  int64_t timeout_seconds = 0;
  std::optional<Time> started_at;  // Of RUNNING.
  Wait wait = Wait::none;          // Of QUEUED, INITIALIZING and FINALIZING.
  std::string wait_reason;         // Of Wait::given_up.
  std::string published;           // Of a job that ends in ERROR: what it wrote is elsewhere already; "; …" or "".
};

enum class Act {
  none,
  prepare,   // Make its files and mounts ready.
  start,     // Start its process.
  stop,      // Ask its process to end.
  finalise,  // Turn what it changed into versions.
};

struct Step {
  Act act = Act::none;              // Done first; if it fails, after_failure() says what then.
  std::optional<JobState> next;     // Written when the act has succeeded. Nothing: look again later.
  std::string reason;               // With `next`.
  std::optional<JobState> ending;   // With next = FINALIZING.
  std::optional<int64_t> exit_code; // With next = FINALIZING, if the process had one.
};

// `run` is what the runner said; phase `absent` before PENDING. `may_start`: there is room for one more job.
enum class Room { none, free };
Step next_step(const JobFacts& job, const RunStatus& run, Room room, Time now);

// The step when `act` failed with `error`. An `unavailable` finalisation is tried again (no next state).
Step after_failure(const JobFacts& job, Act act, const Error& error);

// The table of legal transitions.
bool may_follow(JobState from, JobState to);

}  // namespace volary
