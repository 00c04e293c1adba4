// engine/supervision.cc: the lock, the outcome, and between them one execution.
#include "engine/supervision.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/fault.h"
#include "core/tree_path.h"
#include "engine/containment.h"
#include "engine/execution.h"

namespace volary {
namespace {

constexpr size_t reason_bytes_max = 4096;
constexpr int outcome_retry_millis = 1000;

// Opened for both directions: then it never reads as ended, and a writer always finds a reader.
Fd open_control(const Path& path) {
  if (::mkfifo(path.c_str(), 0600) < 0 && errno != EEXIST)
    throw error_from_errno(errno, "make the fifo", path.native());
  Fd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw error_from_errno(errno, "open", path.native());
  return fd;
}

// The starter waits at the other end of our standard output.
void tell_starter() {
  if (::write(STDOUT_FILENO, "up\n", 3) < 0) return;  // It is gone; the run goes on.
}

void close_output() {
  const Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  ::dup2(null.get(), STDOUT_FILENO);
}

}  // namespace

void publish_patiently(ReservedFile& file, const std::string& text, const char* what) {
  for (int said = 0; !file.publish(text);) {
    if (errno != said) ::dprintf(STDERR_FILENO, "cannot write %s: %s\n", what, std::strerror(said = errno));
    if (said == ENOENT) return;
    ::poll(nullptr, 0, outcome_retry_millis);
  }
}

std::string reason_text(std::string_view words) {
  std::string text = printable(words.substr(0, reason_bytes_max));
  if (text.size() > reason_bytes_max) text.resize(reason_bytes_max);
  while (!is_utf8(text)) text.pop_back();
  return text;
}

void sync_writable(const RunSpec& spec, const Path& staging) {
  for (const RunBind& bind : spec.binds) {
    if (!bind.writable) continue;
    const Path source = staging / bind.source;  // An absolute source stays what it is.
    sync_file_system(open_to_read(source).get(), source);
  }
}

Supervision::Supervision(RunDirectory run, Fd lock, RunSpec spec, Fd control)
    : run_(std::move(run)), lock_(std::move(lock)), spec_(std::move(spec)), control_(std::move(control)),
      started_(run_.path(), "started"), outcome_(run_.path(), "outcome.json") {
  if (spec_.container) ending_.emplace(run_.path(), "ending.json");
}

std::optional<Supervision> Supervision::begin(const Path& directory) {
  ::signal(SIGPIPE, SIG_IGN);
  RunDirectory run(directory);
  auto lock = run.try_lock();
  if (!lock || run.has_ended()) return std::nullopt;
  RunSpec spec = run.read_spec();
  if (run.has_begun() && !spec.container) return std::nullopt;
  Fd control = open_control(run.file("control"));
  Supervision supervision(run, std::move(*lock), std::move(spec), std::move(control));
  write_file_durably(run.file("begun"), to_text(system_clock().now()), 0600);
  tell_starter();
  close_output();
  return supervision;
}

void Supervision::execute(const Path& staging, SandboxUser user, OwnFiles own_files, ShowOver show_over) {
  RunOutcome outcome;
  {
    const Limits limits(spec_, run_.file("cgroups"));
    Showing showing(run_, spec_, staging, std::move(show_over));
    Execution execution(run_, control_, started_, showing, spec_.log_bytes.value_or(log_bytes_default));
    outcome = execution.run(spec_, prepare_sandbox(spec_, staging, own_files), user, limits);
    fault::point("supervisor.exited");
    const auto exceeded = limits.exceeded();
    if (exceeded && outcome.exit_code != 0) outcome.error = *exceeded;
  }
  remove_control_groups(run_.file("cgroups"));
  sync_writable(spec_, staging);
  ::umount2(staging.c_str(),
            MNT_DETACH);  // Nobody uses the mounts any more; whoever reads the outcome finds them gone.
  write_outcome(outcome);
}

void Supervision::contain(const std::function<void(const Path& staging)>& make_mounts, ShowOver show_over) {
  Containment containment(run_, spec_, control_, started_, *ending_, std::move(show_over));
  const auto outcome = containment.run(make_mounts);
  if (outcome) write_outcome(*outcome);
}

void Supervision::fail(const std::string& reason) {
  remove_control_groups(run_.file("cgroups"));
  remove_file(run_.file("credentials"));
  write_outcome({.exit_code = {}, .error = reason, .started_at = run_.read_started(), .ended_at = {}});
}

// An outcome that is lost cannot be found again, so this waits for a disk that takes it, and the lock keeps the run
// alive until then.
void Supervision::write_outcome(RunOutcome outcome) {
  outcome.ended_at = system_clock().now();
  outcome.error = reason_text(outcome.error);
  publish_patiently(outcome_, print_json(to_json(outcome)), "the outcome");
  fault::point("supervisor.outcome");
}

}  // namespace volary
