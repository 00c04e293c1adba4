// cli/job_exec_command.cc: `volary job exec`: a command beside a job's process, and this terminal as its own.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "cli/job_exec_command.h"
#include "cli/session.h"
#include "core/error_table.h"
#include "net/tunnel.h"
#include "record/exec.h"
#include "record/problem.h"

namespace volary {
namespace {

constexpr size_t unsent_bytes_max = 256 << 10;

struct ExecOptions {
  std::string id;
  std::vector<std::string> command;
  bool interactive = false;
  bool terminal = false;
  std::vector<std::string> env;
};

std::vector<CommandField> exec_fields(ExecOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job; it must be RUNNING", .need = Need::required,
           .words = Words::jobs},
          {.name = "COMMAND", .target = &o.command, .help = "what to run, after '--'", .need = Need::required,
           .has_dashes = true},
          {.name = "-i,--interactive", .target = &o.interactive, .help = "let it read what is typed or piped here"},
          {.name = "-t,--tty", .target = &o.terminal, .help = "give it a terminal; with -i, this one becomes it"},
          {.name = "-e,--env", .target = &o.env, .help = "a variable for it; may be given again",
           .value = "NAME=VALUE"}};
}

// The terminal passes every key on while this lives.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) < 0) throw error_from_errno(errno, "ask for the modes of", "the terminal");
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() { ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
};

// The signals that are for the command, as a descriptor. SIGPIPE waits until this is gone, so that the terminal gets
// its modes back before it.
class Signals {
 public:
  Signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGWINCH}) ::sigaddset(&set, number);
    sigset_t blocked = set;
    ::sigaddset(&blocked, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) throw error_from_errno(errno, "make", "a signalfd");
  }
  ~Signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  int fd() const { return fd_.get(); }
  int next() const {
    signalfd_siginfo one{};
    return ::read(fd_.get(), &one, sizeof one) == sizeof one ? static_cast<int>(one.ssi_signo) : 0;
  }

 private:
  sigset_t before_{};
  Fd fd_;
};

winsize window_of_terminal() {
  winsize window{};
  for (const int fd : {STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO})
    if (::ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) break;
  return window;
}

class Talk {
 public:
  Talk(Session& session, const Fd& connection, const ExecOptions& options)
      : session_(session), connection_(connection), is_terminal_(options.terminal),
        is_reading_(options.interactive) {
    if (!is_reading_ && !is_terminal_) unsent_ += print_frame(FrameKind::input_end, "");
  }

  int run() {
    while (!exit_code_) wait();
    return *exit_code_;
  }

  const std::string& reason() const { return reason_; }

 private:
  void wait() {
    std::array<pollfd, 3> waiting = {{
        {connection_.get(), static_cast<short>(POLLIN | (unsent_.empty() ? 0 : POLLOUT)), 0},
        {is_reading_ && unsent_.size() < unsent_bytes_max ? STDIN_FILENO : -1, POLLIN, 0},
        {signals_.fd(), POLLIN, 0},
    }};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
      throw error_from_errno(errno, "wait for", "the command");
    if (waiting[1].revents) read_input();
    if (waiting[2].revents) pass_signals();
    if (waiting[0].revents & POLLOUT) send();
    if (waiting[0].revents & (POLLIN | POLLHUP | POLLERR)) receive();
  }

  void read_input() {
    std::array<char, frame_bytes_max> block;
    const ssize_t size = ::read(STDIN_FILENO, block.data(), block.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    is_reading_ = size > 0;
    if (size > 0) unsent_ += print_frame(FrameKind::input, {block.data(), static_cast<size_t>(size)});
    else unsent_ += print_frame(FrameKind::input_end, "");
  }

  void pass_signals() {
    while (const int number = signals_.next()) {
      if (number == SIGHUP) throw Error(Errc::unavailable, "the terminal is gone");
      if (number != SIGWINCH) {
        unsent_ += print_frame(FrameKind::signal, std::to_string(number));
      } else if (is_terminal_) {
        const winsize window = window_of_terminal();
        unsent_ += print_frame(FrameKind::window, fmt::format("{} {}", window.ws_row, window.ws_col));
      }
    }
  }

  void send() {
    const ssize_t size = ::send(connection_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0) unsent_.erase(0, static_cast<size_t>(size));
    else if (size < 0 && errno != EAGAIN && errno != EINTR) unsent_.clear();  // What it said is still to be read.
  }

  void receive() {
    std::array<char, frame_bytes_max> block;
    const ssize_t size = ::recv(connection_.get(), block.data(), block.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0)
      throw Error(Errc::unavailable, "the connection to the server broke; the command was ended, the job goes on");
    frames_.add({block.data(), static_cast<size_t>(size)});
    while (const auto frame = frames_.next()) take(*frame);
  }

  void take(const Frame& frame) {
    if (frame.kind == FrameKind::output) session_.output().text(frame.payload);
    else if (frame.kind == FrameKind::errors) write_all(STDERR_FILENO, frame.payload, "standard error");
    if (frame.kind != FrameKind::exit) return;
    int code = 0;
    const size_t space = std::min(frame.payload.find(' '), frame.payload.size());
    std::from_chars(frame.payload.data(), frame.payload.data() + space, code);
    reason_ = frame.payload.substr(std::min(space + 1, frame.payload.size()));
    exit_code_ = code & 255;
  }

  Session& session_;
  const Signals signals_;
  const Fd& connection_;
  const bool is_terminal_;
  bool is_reading_;
  FrameReader frames_;
  std::string unsent_;
  std::optional<int> exit_code_;
  std::string reason_;
};

NewExec request_of(const ExecOptions& o) {
  NewExec wanted;
  wanted.command = o.command;
  wanted.terminal = o.terminal;
  for (const std::string& one : o.env) {
    const size_t equals = one.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error(Errc::invalid, "'{}' is no variable: expected NAME=VALUE", one);
    wanted.env[one.substr(0, equals)] = one.substr(equals + 1);
  }
  if (!o.terminal) return wanted;
  const winsize window = window_of_terminal();
  if (window.ws_row > 0) wanted.rows = window.ws_row;
  if (window.ws_col > 0) wanted.columns = window.ws_col;
  if (const char* kind = std::getenv("TERM")) wanted.env.try_emplace("TERM", kind);
  return wanted;
}

Tunnel connect(const Endpoint& endpoint, const std::string& job, const NewExec& wanted) {
  HttpRequest asked;
  asked.method = "POST";
  asked.url = endpoint.base + api_path({"jobs", job, "exec"});
  asked.unix_socket = endpoint.unix_socket;
  asked.headers = {{"accept", "application/json"}, {"content-type", "application/json"}};
  if (!endpoint.token.empty()) asked.headers.emplace_back("authorization", "Bearer " + endpoint.token);
  if (!endpoint.project.empty()) asked.headers.emplace_back("volary-project", endpoint.project);
  asked.body = print_json(to_json(wanted));
  Tunnel tunnel = open_tunnel(asked);
  if (tunnel.response.status == 101) return tunnel;
  if (!tunnel.response.header("content-type").value_or("").starts_with("application/problem+json"))
    throw Error(Errc::unavailable, "{} answered with status {}: it, or a proxy before it, does not let a command have "
                "a connection of its own", endpoint.name, tunnel.response.status);
  const auto problem =
      from_json<Problem>(parse_json(tunnel.response.body, "the server's answer"), "problem", Unknown::ignore);
  throw Error(errc_named(problem.code), Error::Text{problem.detail});
}

int exec(Session& session, const ExecOptions& o) {
  if (o.terminal && o.interactive && ::isatty(STDIN_FILENO) == 0)
    throw Error(Errc::invalid, "standard input is no terminal: expected one with -t, or -i alone");
  const Tunnel tunnel = connect(session.client().endpoint(), o.id, request_of(o));
  Talk talk(session, tunnel.connection, o);
  int code = 0;
  {
    std::optional<RawTerminal> raw;
    if (o.terminal && o.interactive) raw.emplace();  // Else Ctrl-C would go nowhere.
    code = talk.run();
  }
  if (!talk.reason().empty()) session.note("volary: " + talk.reason());
  return code;
}

}  // namespace

std::vector<Command> job_exec_commands() {
  return {make_command<ExecOptions>(
      {.path = {"job", "exec"}, .summary = "run a command beside a job's process, in its sandbox or container",
       .example = "volary job exec -it train -- bash\n"
                  "volary job exec train -- cat /workspace/progress.txt\n"
                  "tar -c patch | volary job exec -i train -- tar -x -C /workspace"},
      exec_fields, exec)};
}

}  // namespace volary
