// engine/runner.h: where processes run. One interface; this machine's sandbox and a container engine implement it.
//
// A run has a directory of its own, chosen and recorded by the caller before start(), and everything about it lives
// there: a runner holds no state in memory, so any process may poll or stop a run that another one started, or
// read its log (engine/log_pieces.h), which is standard output and error. All calls are idempotent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/file.h"
#include "core/json.h"

namespace volary {

// The uid and gid of every process of a run inside its sandbox, and outside it too where the server is root.
constexpr uint32_t job_uid = 42420;

// A directory of the staging area (see job/supervisor.h) shown in the sandbox.
struct RunBind {
  std::string source;  // Absolute on the host, or relative to the staging directory.
  std::string target;  // Absolute in the sandbox; not below /usr, /etc, /opt, /sys or /bin, which are the host's.
  bool writable = false;  // Then it belongs to the job's user already.
};
BOOST_DESCRIBE_STRUCT(RunBind, (), (source, target, writable))

// What a run in a container has beyond the rest of its spec.
struct ContainerSpec {
  std::string engine;  // "unix:///var/run/docker.sock"
  std::string image;
  std::string pull = "missing";         // Or "always", "never". With credentials it is always.
  std::string credentials;              // For the registry, as engine/engine_client.h has them; kept in no spec.json.
  std::vector<std::string> entrypoint;  // Empty: the image's.
  std::string user;                     // "UID:GID"
  std::map<std::string, std::string> labels;
  std::vector<std::string> ports;  // "CONTAINER" or "HOST:CONTAINER", on the loopback of where the engine is.
  uint64_t gpus = 0;
  std::vector<uint64_t> gpu_indices = {};  // Which ones.
  bool read_only_root = false;
};
BOOST_DESCRIBE_STRUCT(ContainerSpec, (), (engine, image, pull, credentials, entrypoint, user, labels, ports, gpus,
                                          gpu_indices, read_only_root))

struct RunSpec {
  std::string name;                          // "job-…"
  std::vector<std::string> command;
  std::map<std::string, std::string> env;    // All of it: nothing is added, no PATH and no HOME either.
  std::string working_directory;             // In the sandbox.
  std::vector<RunBind> binds;
  json::value mounts;                        // Mount plans; the supervisor performs them before the binds. Opaque here.
  std::optional<uint64_t> cpus;
  std::optional<uint64_t> memory_bytes;
  int64_t grace_seconds = 10;                // Between SIGTERM and SIGKILL at a stop.
  std::optional<uint64_t> log_bytes = {};    // How much of its log is kept (engine/log_pieces.h).
  std::optional<ContainerSpec> container = {};  // Nothing: the sandbox.
  std::optional<bool> shows = {};            // Its supervisor knows what show() asks for.
  // --- in the sandbox only
  std::optional<uint64_t> replicas = {};        // engine/replicas.h
  std::vector<std::string> dependencies = {};   // engine/dependencies.h
  std::optional<std::string> pip_cache = {};    // A directory in the sandbox.
  std::optional<int64_t> install_seconds = {};  // How long pip may take.
};
BOOST_DESCRIBE_STRUCT(RunSpec, (), (name, command, env, working_directory, binds, mounts, cpus, memory_bytes,
                                    grace_seconds, log_bytes, container, shows, replicas, dependencies, pip_cache,
                                    install_seconds))

enum class RunPhase {
  absent,    // Never started here.
  starting,  // Its supervisor is up, its process not yet.
  running,
  exited,    // The outcome is on disk and will not change. Nothing of it runs any more, and no mount is left.
  lost,      // The supervisor vanished without an outcome: it was killed, or the machine restarted. Nothing of it runs.
};
BOOST_DESCRIBE_ENUM(RunPhase, absent, starting, running, exited, lost)

struct RunStatus {
  RunPhase phase{};
  std::optional<int64_t> exit_code;  // 128 + n for a signal n; 126 or 127 if the command could not be executed.
  // Why there is no exit code (the sandbox could not be made, it was stopped before, it is lost), or what the exit code
  // does not say: "the command 'x' was not found: …", "killed: the process exceeded its memory limit of 64.0 MiB".
  std::string error;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  // What it is at while it starts: "fetches the image python:3.12: 2 of 5 layers". Then where its ports are.
  std::string note = {};
  bool stop_asked = false;  // Of one that has exited: stop() was called first.
};
BOOST_DESCRIBE_STRUCT(RunStatus, (), (phase, exit_code, error, started_at, ended_at, note, stop_asked))

// Something that a run shall see from now on where it was shown something that it can only read.
struct ShowRequest {
  std::string id;      // One word; what was answered is not done again.
  json::value mount;   // A mount plan. Opaque here.
  std::string target;  // Of the bind that it covers.
};
BOOST_DESCRIBE_STRUCT(ShowRequest, (), (id, mount, target))

struct ShowAnswer {
  std::string why_not;       // "": it is shown.
  bool may_be_seen = false;  // Where it is not shown for all that is known: some process may have seen it all the same.
};
BOOST_DESCRIBE_STRUCT(ShowAnswer, (), (why_not, may_be_seen))

class Runner {
 public:
  virtual ~Runner() = default;
  // Starts the run in `directory` unless it was started before. Returns when its supervisor is up; it outlives the
  // caller.
  virtual void start(const Path& directory, const RunSpec& spec) = 0;
  virtual RunStatus poll(const Path& directory) = 0;
  // Asks the process to end: SIGTERM, after the spec's grace SIGKILL. Returns at once. Nothing to do is success.
  virtual void stop(const Path& directory) = 0;
  // Has the supervisor of a run that runs show it something. Returns at once: nothing, until it has answered. `request`
  // is asked for the first time only; what it throws is thrown here, and nothing has been asked for then.
  virtual std::optional<ShowAnswer> show(const Path& directory, const std::string& id,
                                         const std::function<ShowRequest()>& request) = 0;
};

// Runs in containers where the spec has one (engine/container_runner.cc), else in the sandbox.
std::unique_ptr<Runner> make_runner(const Path& program);

// Runs below a bubblewrap sandbox on the host's own read-only system. `program` is this program: "program supervise
// DIRECTORY" is started for each run (job/supervisor.h).
std::unique_ptr<Runner> make_local_runner(const Path& program);

// Removes the containers that `engine` has of runs below `jobs`, and of nobody any more: the run has ended or is gone.
// Says how many.
size_t remove_stray_containers(const std::string& engine, const Path& jobs);

}  // namespace volary
