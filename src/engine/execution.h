// engine/execution.h: one process in its sandbox, from fork to burial.
//
// A loop over five things that may happen: the process prints, the sandbox reports (engine/inside.h), somebody asks to
// stop, the grace is over, everything has ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/deadline.h"
#include "engine/guard.h"
#include "engine/log_writer.h"
#include "engine/run_directory.h"

namespace volary {

class Execution {
 public:
  Execution(const RunDirectory& run, const Fd& control, ReservedFile& started, uint64_t log_bytes);
  // `sandbox`: bubblewrap's options. Nothing of the run is left when this returns.
  RunOutcome run(const RunSpec& spec, const std::vector<std::string>& sandbox, SandboxUser user, const Limits& limits);

 private:
  void attend(Guard& guard);
  bool take_output();
  void take_report(Guard& guard);
  void look_for_stop(Guard& guard);
  void note_started();
  RunOutcome outcome_of(int exit_code);

  const RunDirectory& run_;
  const Fd& control_;
  ReservedFile& started_;
  LogWriter log_;
  Fd output_;   // What the process prints.
  Fd channel_;  // What inside.cc reports; closed by the execution of the command.
  int64_t grace_seconds_ = 0;
  bool is_released_ = false;         // The command may be executed, or is.
  bool is_stopped_unstarted_ = false;
  bool is_stopping_ = false;
  Deadline kill_at_;
  std::optional<Time> started_at_;
  std::optional<std::pair<int64_t, std::string>> failure_;  // Exit code and reason, from inside.
};

}  // namespace volary
