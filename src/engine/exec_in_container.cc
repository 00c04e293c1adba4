// engine/exec_in_container.cc: the engine runs the command, and hands its connection over.
//
// The engine neither ends a command whose user is gone nor passes signals on. It tells its process id on the host,
// where this process is root, so both are done here, with care: the number may be another process's by now.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/error_of.h"
#include "engine/containment.h"
#include "engine/engine_client.h"
#include "engine/exec_target.h"
#include "engine/processes.h"

namespace volary {
namespace {

constexpr int look_millis = 20;
constexpr int end_looks_max = 500;
constexpr int pid_looks_max = 100;
constexpr int64_t not_executable_exit_code = 126;
constexpr int64_t not_found_exit_code = 127;

class ContainerTarget final : public ExecTarget {
 public:
  ContainerTarget(const ExecSpec& wanted, const RunSpec& spec)
      : container_(container_name(spec.name)), engine_(spec.container->engine), has_frames_(!wanted.terminal) {
    id_ = engine_.create_exec(container_, wanted);
    using Speech = EngineClient::Speech;
    connection_ = engine_.start_exec(id_, wanted.terminal ? Speech::terminal : Speech::frames);
    ::fcntl(connection_.get(), F_SETFL, O_RDWR | O_NONBLOCK);
    if (wanted.terminal) resize(wanted.rows, wanted.columns);
  }

  int input() const override { return connection_.get(); }
  int output() const override { return connection_.get(); }
  int errors() const override { return -1; }
  int ended() const override { return -1; }
  bool has_frames() const override { return has_frames_; }
  void end_input() override { ::shutdown(connection_.get(), SHUT_WR); }
  // The command does without where the engine does not take it.
  void resize(uint64_t rows, uint64_t columns) override {
    const auto error = error_of([&] { engine_.resize_exec(id_, rows, columns); });
    if (error) ::dprintf(STDERR_FILENO, "cannot resize the terminal: %s\n", error->what());
  }
  void signal(int number) override {
    const auto error = error_of([&] {
      if (!process_) find_process();
    });
    if (error) ::dprintf(STDERR_FILENO, "cannot pass signal %d on: %s\n", number, error->what());
    if (process_) signal_group(process_, process_number_, number);
  }
  // Its words may end a moment before it does.
  ExecEnd finish(std::string_view first_words) override {
    EngineClient::ExecState state = engine_.find_exec(id_);
    for (int looks = 0; state.is_running && looks < end_looks_max; ++looks) {
      ::poll(nullptr, 0, look_millis);
      state = engine_.find_exec(id_);
    }
    // Docker has one code for all that cannot be executed, and the words of its runtime.
    const bool is_not_found = state.exit_code == not_executable_exit_code && first_words.starts_with("OCI runtime") &&
                              first_words.find("not found") != std::string_view::npos;
    return {is_not_found ? not_found_exit_code : state.exit_code, ""};
  }

 private:
  // The engine's word for a process number is taken only if the process is in the container, and was when the engine
  // said so again.
  void find_process() {
    if (engine_.process() <= 0) return;  // Its numbers are of another pid namespace.
    EngineClient::ExecState state = engine_.find_exec(id_);
    for (int looks = 0; state.pid <= 0 && looks < pid_looks_max; ++looks) {
      ::poll(nullptr, 0, look_millis);  // It may know a moment later than the command's first words.
      state = engine_.find_exec(id_);
    }
    if (!state.is_running || state.pid <= 1) return;
    Fd process(static_cast<int>(::syscall(SYS_pidfd_open, state.pid, 0)));
    const auto container = engine_.find(container_);
    if (!process || !container || !is_inside(state.pid, container->pid)) return;
    const EngineClient::ExecState again = engine_.find_exec(id_);
    if (!again.is_running || again.pid != state.pid) return;
    process_ = std::move(process);
    process_number_ = static_cast<int>(state.pid);
  }

  static bool is_inside(int64_t process, int64_t container) {
    const auto number_of = [](const std::string& whose) {
      const auto found = stat_of("/proc/" + whose + "/ns/pid", Follow::yes);
      return found ? found->st_ino : 0;
    };
    const ino_t number = number_of(std::to_string(process));
    return number != 0 && number == number_of(std::to_string(container)) && number != number_of("self");
  }

  const std::string container_;
  EngineClient engine_;
  const bool has_frames_;
  std::string id_;
  Fd connection_;
  Fd process_;
  int process_number_ = -1;
};

}  // namespace

std::unique_ptr<ExecTarget> exec_in_container(const ExecSpec& wanted, const RunSpec& spec) {
  return std::make_unique<ContainerTarget>(wanted, spec);
}

}  // namespace volary
