// engine/exec.cc: the process between a command and the connection of whoever runs it.
#include "engine/exec.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "core/error_of.h"
#include "core/tree_path.h"
#include "engine/deadline.h"
#include "engine/detach.h"
#include "engine/exec_target.h"
#include "engine/run_directory.h"
#include "engine/start_supervisor.h"
#include "net/tunnel.h"

namespace volary {
namespace {

constexpr int connection_place = 3;
constexpr int spec_place = 4;
constexpr int leash_place = STDOUT_FILENO;  // Nobody reads it, so it is broken when the server is gone.
constexpr size_t held_bytes_max = 256 << 10;
constexpr int64_t hangup_seconds = 10;
constexpr size_t engine_header_bytes = 8;
constexpr size_t first_words_max = 512;
constexpr int64_t failed_exit_code = 126;

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

class Relay {
 public:
  Relay(Fd connection, ExecTarget& target)
      : connection_(std::move(connection)), target_(target), output_(target.output()), errors_(target.errors()) {}

  // Whatever goes wrong in between: what nobody sees any more does not go on.
  void run() {
    const auto error = error_of([&] { run_to_end(); });
    if (!error) return;
    target_.signal(SIGKILL);
    throw *error;
  }

 private:
  void run_to_end() {
    while (!is_done()) wait();
    if (is_hung_up_) return;
    const ExecEnd end = target_.finish(first_words_);
    to_user_ += print_frame(FrameKind::exit, fmt::format("{} {}", end.exit_code, end.reason));
    while (!to_user_.empty() && !is_hung_up_) wait_to_send();
  }

  bool is_done() {
    if (kill_at_.has_passed()) {
      target_.signal(SIGKILL);
      return true;
    }
    if (target_.ended() < 0) return output_ < 0 && errors_ < 0;
    return has_ended_ && !has_more_;
  }

  void wait() {
    const bool has_room = to_user_.size() < held_bytes_max;
    const int asked = (to_command_.size() < held_bytes_max ? POLLIN : 0) | POLLRDHUP | (to_user_.empty() ? 0 : POLLOUT);
    std::array<pollfd, 6> waiting = {{{is_hung_up_ ? -1 : connection_.get(), static_cast<short>(asked), 0},
                                      {is_hung_up_ ? -1 : leash_place, 0, 0},
                                      {to_command_.empty() ? -1 : target_.input(), POLLOUT, 0},
                                      {has_room ? output_ : -1, POLLIN, 0},
                                      {has_room ? errors_ : -1, POLLIN, 0},
                                      {has_ended_ ? -1 : target_.ended(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), has_ended_ && has_room ? 0 : kill_at_.millis()) < 0 && errno != EINTR)
      throw error_from_errno(errno, "wait for", "a command");
    if (waiting[0].revents & POLLIN) take_frames();
    if (waiting[0].revents & (POLLRDHUP | POLLHUP | POLLERR) || waiting[1].revents) hang_up();
    if (waiting[2].revents) give_input();
    has_more_ = !has_room;
    if (waiting[3].revents || (has_ended_ && has_room)) has_more_ |= take(output_, FrameKind::output);
    if (waiting[4].revents || (has_ended_ && has_room)) has_more_ |= take(errors_, FrameKind::errors);
    if (waiting[5].revents) has_ended_ = has_more_ = true;  // What it left in its outputs comes first.
    send();
  }

  // Nobody is there any more to see what it does.
  void hang_up() {
    if (is_hung_up_) return;
    is_hung_up_ = true;
    to_user_.clear();
    target_.signal(SIGHUP);
    kill_at_.set(hangup_seconds);
  }

  void take_frames() {
    std::array<char, frame_bytes_max> block;
    const ssize_t size = ::recv(connection_.get(), block.data(), block.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return hang_up();
    frames_.add({block.data(), static_cast<size_t>(size)});
    std::optional<std::string> window;  // The last one of many: only it is still true.
    while (const auto frame = frames_.next()) {
      if (frame->kind == FrameKind::window) window = frame->payload;
      else take_frame(*frame);
    }
    if (window) resize(*window);
  }

  void resize(std::string_view text) {
    const size_t space = text.find(' ');
    const auto rows = number_in(text);
    const auto columns = space == text.npos ? std::nullopt : number_in(text.substr(space + 1));
    if (rows && columns) target_.resize(static_cast<uint64_t>(*rows), static_cast<uint64_t>(*columns));
  }

  void take_frame(const Frame& frame) {
    switch (frame.kind) {
      case FrameKind::input: to_command_ += frame.payload; break;
      case FrameKind::input_end: is_input_over_ = true; break;
      case FrameKind::signal:
        if (const int number = number_in(frame.payload).value_or(0); number > 0 && number < 32) target_.signal(number);
        break;
      default: break;  // Of a client that knows more.
    }
    end_input_if_over();
  }

  void end_input_if_over() {
    if (!is_input_over_ || !to_command_.empty()) return;
    is_input_over_ = false;
    target_.end_input();
  }

  void give_input() {
    const ssize_t size = ::write(target_.input(), to_command_.data(), to_command_.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) to_command_.clear();  // It reads no more.
    else to_command_.erase(0, static_cast<size_t>(size));
    end_input_if_over();
  }

  // False if there is nothing now.
  bool take(int& from, FrameKind kind) {
    if (from < 0) return false;
    std::array<char, frame_bytes_max> block;
    const ssize_t size = ::read(from, block.data(), block.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (size <= 0) from = -1;  // A terminal that nobody has open any more says EIO.
    else if (!is_hung_up_) say(kind, {block.data(), static_cast<size_t>(size)});
    return size > 0;
  }

  void put(FrameKind kind, std::string_view bytes) {
    first_words_ += bytes.substr(0, first_words_max - std::min(first_words_max, first_words_.size()));
    to_user_ += print_frame(kind, bytes);
  }

  void say(FrameKind kind, std::string_view bytes) {
    if (!target_.has_frames()) return put(kind, bytes);
    engine_frames_ += bytes;
    while (engine_frames_.size() >= engine_header_bytes) {
      size_t size = 0;
      for (size_t i = 4; i < engine_header_bytes; ++i) size = size << 8 | static_cast<unsigned char>(engine_frames_[i]);
      if (engine_frames_.size() < engine_header_bytes + size) return;
      const FrameKind what = engine_frames_[0] == 2 ? FrameKind::errors : FrameKind::output;
      for (size_t at = 0; at < size; at += frame_bytes_max)
        put(what, engine_frames_.substr(engine_header_bytes + at, std::min(frame_bytes_max, size - at)));
      engine_frames_.erase(0, engine_header_bytes + size);
    }
  }

  void send() {
    if (to_user_.empty() || is_hung_up_) return;
    const ssize_t size = ::send(connection_.get(), to_user_.data(), to_user_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0) to_user_.erase(0, static_cast<size_t>(size));
    else if (size < 0 && errno != EAGAIN && errno != EINTR) hang_up();
  }

  // The command has ended: only its words are left, which the user takes at his pace, or goes.
  void wait_to_send() {
    std::array<pollfd, 2> waiting = {{{connection_.get(), POLLOUT | POLLRDHUP, 0}, {leash_place, 0, 0}}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
      throw error_from_errno(errno, "wait for", "a connection");
    if (waiting[0].revents & (POLLHUP | POLLERR | POLLRDHUP) || waiting[1].revents) hang_up();
    else send();
  }

  Fd connection_;
  ExecTarget& target_;
  int output_;
  int errors_;
  FrameReader frames_;
  std::string to_command_;
  std::string to_user_;
  std::string engine_frames_;
  std::string first_words_;
  bool is_input_over_ = false;
  bool is_hung_up_ = false;
  bool has_ended_ = false;
  bool has_more_ = false;  // In its outputs, perhaps.
  Deadline kill_at_;
};

// So that a user whose machine died is noticed within two minutes.
void ask_whether_alive(int connection) {
  const int on = 1, idle_seconds = 30, interval_seconds = 15, probes = 5;
  ::setsockopt(connection, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(connection, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
  ::setsockopt(connection, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
  ::setsockopt(connection, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

ExecSpec read_exec_spec() {
  StringSink text(16 << 20);
  FileSource in(Fd(::dup(spec_place)), "the command");
  pump(in, text);
  ::close(spec_place);
  return from_json<ExecSpec>(parse_json(text.text, "the command"), "exec");
}

void exec(Fd connection) {
  const ExecSpec wanted = read_exec_spec();
  const RunSpec spec = RunDirectory(wanted.run).read_spec();
  const auto target = spec.container ? exec_in_container(wanted, spec)
                                     : exec_in_sandbox(wanted, spec, {connection.get(), leash_place});
  Relay(std::move(connection), *target).run();
}

}  // namespace

Fd start_exec(const Path& program, const ExecSpec& spec, Fd connection) {
  ::fcntl(connection.get(), F_SETFL, ::fcntl(connection.get(), F_GETFL) & ~O_NONBLOCK);
  Fd text(::memfd_create("exec", MFD_CLOEXEC));
  if (!text) throw error_from_errno(errno, "make a file in memory for", "a command");
  write_all(text.get(), print_json(to_json(spec)), "a command");
  ::lseek(text.get(), 0, SEEK_SET);
  return start_detached(program, {program.native(), "supervise", exec_word}, supervisor_environment(),
                        Path(spec.run) / "supervisor.log", {connection.get(), text.get()});
}

int run_exec() {
  ::signal(SIGPIPE, SIG_IGN);
  Fd connection(connection_place);
  ask_whether_alive(connection.get());
  const int socket = connection.get();
  const Fd told(::fcntl(socket, F_DUPFD_CLOEXEC, 5));
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  const auto error = error_of([&] { exec(std::move(connection)); });
  if (!error) return 0;
  const std::string last = print_frame(FrameKind::exit, fmt::format("{} {}", failed_exit_code, error->message()));
  ::send(told.get(), last.data(), last.size(), MSG_NOSIGNAL);
  return 1;
}

}  // namespace volary
