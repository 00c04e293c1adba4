// engine/run_directory.h: the files of a run, and what they say together.
//
//   spec.json      what to run (0600: the environment may hold secrets)
//   lock           locked by the supervisor for its life; the kernel frees it, so no process id is ever trusted
//   begun          the supervisor got the lock: from here on the run is never started again
//   control        a fifo the supervisor reads: a byte in it means "look for the stop file"
//   stop           somebody asked to stop
//   namespace      "BOOT_ID NUMBER": the pid namespace around everything the run starts; removed before the number can
//                  be another's, unless the supervisor was killed
//   show-ID.json   what is to be shown to its process over what it sees (engine/showing.h)
//   shown-ID       the answer to that
//   cgroups        the control groups made for it, one a line
//   started        when its process began to run
//   log, log.*     standard output and error, line by line with times, in pieces (engine/log_pieces.h)
//   supervisor.log what the supervisor itself had to say
//   outcome.json   how it ended; written last, never changed
//
// Of a run in a container also
//
//   credentials    for the registry, until the image is there (0600)
//   note           what it is at while it starts; then where its ports are
//   created        the container was made in this boot of the machine ("BOOT_ID"); it is named after the run
//   mnt            its mounts, in the host's own mount namespace, where the engine sees them
//   ending.json    the outcome to be, from when the process has ended until the container is gone
//   lost           why nobody will ever know how it ended
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/file.h"
#include "engine/runner.h"

namespace volary {

// outcome.json
struct RunOutcome {
  std::optional<int64_t> exit_code;
  std::string error;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
};
BOOST_DESCRIBE_STRUCT(RunOutcome, (), (exit_code, error, started_at, ended_at))

// A file whose place on the disk is taken before it is needed, so that a full disk cannot keep it from being written.
class ReservedFile {
 public:
  // "NAME.reserved" in `directory`.
  ReservedFile(const Path& directory, const std::string& name);
  // Gives the file its content and its name, atomically and durably. False, with errno, if the system refuses even so.
  bool publish(std::string_view bytes);

 private:
  Path directory_;
  Path path_;
  Fd fd_;
};

std::string boot_id();

class RunDirectory {
 public:
  explicit RunDirectory(Path path) : path_(std::move(path)) {}
  const Path& path() const { return path_; }
  Path file(const char* name) const { return path_ / name; }

  // What the files say. Forgets control groups of a run that was lost.
  RunStatus status() const;
  bool has_begun() const { return is_present(file("begun")); }
  bool has_ended() const { return is_present(file("outcome.json")); }
  bool is_stop_asked() const { return is_present(file("stop")); }

  // The lock; nothing if another process has it. Looking (is_locked) takes nothing, so it never gets in a supervisor's
  // way.
  std::optional<Fd> try_lock() const;
  bool is_locked() const;

  RunSpec read_spec() const;
  std::optional<RunOutcome> read_outcome() const;
  std::optional<Time> read_started() const;

  // Records the pid namespace of process `pid`, for is_populated().
  void record_namespace(int pid) const;
  // Whether a process is left in the recorded namespace or below.
  bool is_populated() const;
  // The first process of the innermost pid namespace: bubblewrap's, which lives as long as the run's own. 0: none.
  int find_inside() const;
  // The first process of the recorded namespace: the guard's, which sees the mounts that the supervisor made. 0: none.
  int find_guard() const;

 private:
  enum class Around { the_recorded, another };
  int find_first(Around pid_namespace) const;

  Path path_;
};

}  // namespace volary
