// engine/container_runner.cc: the Runner of containers, and the choice between it and the sandbox.
//
// As in the sandbox, a supervisor sees each run to its end. But a container runs on without one, so where a supervisor
// has died another one is started, which finds the container by its name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "core/error_of.h"
#include "core/fault.h"
#include "engine/containment.h"
#include "engine/run_directory.h"
#include "engine/runner.h"
#include "engine/start_supervisor.h"

namespace volary {
namespace {

constexpr double adoption_seconds_min = 1;

bool is_in_container(const RunDirectory& run) {
  return is_present(run.file("spec.json")) && run.read_spec().container.has_value();
}

class ContainerRunner final : public Runner {
 public:
  explicit ContainerRunner(const Path& program) : program_(program), files_(make_local_runner(program)) {}

  void start(const Path& directory, const RunSpec& spec) override {
    const RunDirectory run(directory);
    if (is_supervised(run)) return;
    socket_of_engine(spec.container->engine);
    parse_image_name(spec.container->image);
    make_directories(directory, 0700);
    RunSpec kept = spec;
    kept.container->credentials.clear();
    if (!spec.container->credentials.empty())
      write_file_durably(run.file("credentials"), spec.container->credentials, 0600);
    write_file_durably(run.file("spec.json"), print_json(to_json(kept)), 0600);
    const auto error = error_of([&] { start_supervisor(program_, directory); });
    if (!error) return;
    if (!is_supervised(run)) remove_file(run.file("credentials"));  // Who starts it again brings them again.
    throw *error;
  }

  RunStatus poll(const Path& directory) override {
    const RunDirectory run(directory);
    RunStatus status = run.status();
    if (status.phase != RunPhase::lost) return status;
    if (const auto reason = try_read_file(run.file("lost"))) {
      status.error = *reason;
      return status;
    }
    if (!is_time_to_adopt(run)) return poll_later(status);
    fault::point("container.adopting");
    start_supervisor(program_, directory);
    return run.status().phase == RunPhase::lost ? poll_later(status) : run.status();
  }

  void stop(const Path& directory) override { files_->stop(directory); }
  std::optional<ShowAnswer> show(const Path& directory, const std::string& id,
                                 const std::function<ShowRequest()>& request) override {
    return files_->show(directory, id, request);
  }

 private:
  // One that dies at once is not replaced as often as somebody looks. The lock file tells when the last one began.
  static bool is_time_to_adopt(const RunDirectory& run) {
    const Path lock = run.file("lock");
    const auto found = stat_of(lock);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const double age = found ? static_cast<double>(now.tv_sec - found->st_mtim.tv_sec) +
                                   static_cast<double>(now.tv_nsec - found->st_mtim.tv_nsec) / 1e9
                             : adoption_seconds_min;
    if (age >= 0 && age < adoption_seconds_min) return false;
    if (found && ::utimensat(AT_FDCWD, lock.c_str(), nullptr, 0) < 0)
      throw error_from_errno(errno, "change the time of", lock.native());
    return true;
  }

  // The new supervisor died at once: a later look starts another one.
  static RunStatus poll_later(RunStatus status) {
    status.phase = status.started_at ? RunPhase::running : RunPhase::starting;
    status.error.clear();
    return status;
  }

  Path program_;
  std::unique_ptr<Runner> files_;  // The directories are the same.
};

class ChoosingRunner final : public Runner {
 public:
  explicit ChoosingRunner(const Path& program) : sandbox_(make_local_runner(program)), containers_(program) {}

  void start(const Path& directory, const RunSpec& spec) override {
    if (spec.container) containers_.start(directory, spec);
    else sandbox_->start(directory, spec);
  }
  // Looked at often, and spec.json only where it matters: where a supervisor was lost.
  RunStatus poll(const Path& directory) override {
    const RunStatus status = sandbox_->poll(directory);
    if (status.phase != RunPhase::lost || !is_in_container(RunDirectory(directory))) return status;
    return containers_.poll(directory);
  }
  void stop(const Path& directory) override { sandbox_->stop(directory); }
  std::optional<ShowAnswer> show(const Path& directory, const std::string& id,
                                 const std::function<ShowRequest()>& request) override {
    return sandbox_->show(directory, id, request);
  }

 private:
  std::unique_ptr<Runner> sandbox_;
  ContainerRunner containers_;
};

}  // namespace

std::unique_ptr<Runner> make_runner(const Path& program) { return std::make_unique<ChoosingRunner>(program); }

size_t remove_stray_containers(const std::string& engine, const Path& jobs) {
  EngineClient client(engine);
  size_t removed = 0;
  for (const ListedContainer& one : client.list(fmt::format("{}={}", jobs_label, jobs.native()))) {
    const auto directory = one.labels.find(run_label);
    if (directory == one.labels.end()) continue;
    const RunDirectory run(directory->second);
    const bool is_over = run.has_ended() || is_present(run.file("lost"));
    if (run.is_locked() || (run.has_begun() && !is_over)) continue;  // Somebody's.
    client.remove(one.id);
    ++removed;
  }
  return removed;
}

}  // namespace volary
