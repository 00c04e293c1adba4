// engine/supervision.h: the supervisor's side of a run: from the lock to the outcome.
//
// One process supervises one run and does nothing else. job/supervisor.cc calls, in this order:
//
//   begin       takes the lock, or finds that there is nothing to do
//   staging     where the mounts are to be made, in a mount namespace that the caller enters in between
//   execute     runs the process in its sandbox to the end and writes the outcome
//   contain     instead, if it is to run in a container
//   fail        instead, if the mounts could not be made or execute threw
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/run_directory.h"
#include "engine/sandbox.h"
#include "engine/showing.h"

namespace volary {

class Supervision {
 public:
  // Nothing, if another supervisor has this run or had it. Otherwise the starter is told that the run is in good hands.
  // A run in a container may have several supervisors, one after the other.
  static std::optional<Supervision> begin(const Path& directory);

  const RunSpec& spec() const { return spec_; }
  bool is_stop_asked() const { return run_.is_stop_asked(); }
  Path staging() const { return choose_staging(spec_, run_.path()); }

  // Returns when the outcome is on disk and nothing of the run is left. The caller has one thread and is root in its
  // mount namespace, on the host or in a user namespace; `user` is who the process shall be (sandbox_user() before a
  // user namespace was entered). `show_over` is for what it is to be shown while it runs.
  void execute(const Path& staging, SandboxUser user, OwnFiles own_files, ShowOver show_over);
  // The same for a container. `make_mounts` gets the staging directory, in the host's own mount namespace.
  void contain(const std::function<void(const Path& staging)>& make_mounts, ShowOver show_over);
  // Writes an outcome without an exit code. Tries until the disk takes it.
  void fail(const std::string& reason);

 private:
  Supervision(RunDirectory run, Fd lock, RunSpec spec, Fd control);
  void write_outcome(RunOutcome outcome);

  RunDirectory run_;
  Fd lock_;
  RunSpec spec_;
  Fd control_;
  ReservedFile started_;
  ReservedFile outcome_;
  std::optional<ReservedFile> ending_;  // Of a container.
};

// What the process wrote through a mount is on disk before its end is told: the harvest may be done after a crash.
void sync_writable(const RunSpec& spec, const Path& staging);

// Waits for a disk that takes it; the reason for waiting goes to supervisor.log. Where somebody has removed the run's
// directory nobody asks for it any more: then nothing is written.
void publish_patiently(ReservedFile& file, const std::string& text, const char* what);

// What a process or an engine printed may be long, cut inside a character, or no text at all.
std::string reason_text(std::string_view words);

constexpr const char* stopped_unstarted = "stopped before its process was started";

}  // namespace volary
