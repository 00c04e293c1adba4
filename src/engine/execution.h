// engine/execution.h: one process in its sandbox, from fork to burial.
//
// A loop over six things that may happen: the process prints, the sandbox reports (engine/inside.h), somebody asks to
// stop, or to show something (engine/showing.h), the grace is over, everything has ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/deadline.h"
#include "engine/guard.h"
#include "engine/log_writer.h"
#include "engine/run_directory.h"
#include "engine/showing.h"

namespace volary {

class Execution {
 public:
  Execution(const RunDirectory& run, const Fd& control, ReservedFile& started, Showing& showing, uint64_t log_bytes);
  // `sandbox`: bubblewrap's options. Nothing of the run is left when this returns.
  RunOutcome run(const RunSpec& spec, const std::vector<std::string>& sandbox, SandboxUser user, const Limits& limits);

 private:
  void attend(Guard& guard);
  bool take_output();
  void take_report(Guard& guard);
  void look_for_wishes(Guard& guard);
  void look_for_stop(Guard& guard);
  void note_started();
  RunOutcome outcome_of(int exit_code);

  const RunDirectory& run_;
  const Fd& control_;
  ReservedFile& started_;
  Showing& showing_;
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
