// engine/local_runner.cc: the Runner of this machine. It starts supervisors and reads what they leave in their
// directories.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/limits.h"
#include "engine/run_directory.h"
#include "engine/runner.h"
#include "engine/sandbox.h"
#include "engine/showing.h"
#include "engine/start_supervisor.h"

namespace volary {
namespace {

void check(const RunSpec& spec) {
  if (spec.command.empty()) throw Error(Errc::invalid, "run '{}' has an empty command", spec.name);
  const auto has_zero = [](const std::string& text) { return text.find('\0') != text.npos; };
  if (std::any_of(spec.command.begin(), spec.command.end(), has_zero))
    throw Error(Errc::invalid, "the command of run '{}' has a zero byte in it", spec.name);
  for (const auto& [name, value] : spec.env)
    if (name.empty() || name.find('=') != name.npos || has_zero(name) || has_zero(value))
      throw Error(Errc::invalid, "run '{}' has a variable '{}': expected a name without '=' and no zero bytes",
                  spec.name, name);
  if (const auto reason = why_unenforceable(spec)) throw Error(Errc::unavailable, "{}", *reason);
}

class LocalRunner final : public Runner {
 public:
  explicit LocalRunner(const Path& program) : program_(program) {}

  void start(const Path& directory, const RunSpec& spec) override {
    if (is_supervised(RunDirectory(directory))) return;
    check(spec);
    get_bubblewrap();
    make_directories(directory, 0700);
    write_file_durably(directory / "spec.json", print_json(to_json(spec)), 0600);
    start_supervisor(program_, directory);
  }

  RunStatus poll(const Path& directory) override { return RunDirectory(directory).status(); }

  // The file is the request; the byte only wakes the supervisor, if there is one, and it looks for the file after it
  // opened the fifo.
  void stop(const Path& directory) override {
    const RunDirectory run(directory);
    if (run.has_ended()) return;
    make_directories(directory, 0700);
    if (!run.is_stop_asked()) write_file_durably(run.file("stop"), to_text(system_clock().now()), 0600);
    wake(run);
  }

  std::optional<ShowAnswer> show(const Path& directory, const std::string& id,
                                 const std::function<ShowRequest()>& request) override {
    const RunDirectory run(directory);
    if (!is_asked_to_show(run, id)) {
      if (!run.read_spec().shows.value_or(false))
        return ShowAnswer{"it was begun by an older version of this program: expected one that was begun since", false};
      ask_to_show(run, request());
    }
    auto answer = answer_to(run, id);
    if (!answer) wake(run);
    return answer;
  }

 private:
  static void wake(const RunDirectory& run) {
    const Fd control(::open(run.file("control").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (control && ::write(control.get(), "s", 1) < 0) return;  // Full: it has plenty of reasons to look.
  }

  Path program_;
};

}  // namespace

std::unique_ptr<Runner> make_local_runner(const Path& program) { return std::make_unique<LocalRunner>(program); }

}  // namespace volary
