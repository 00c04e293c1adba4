// engine/execution.cc: the supervisor's loop.
#include "engine/execution.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "core/error_of.h"
#include "core/fault.h"
#include "engine/inside.h"
#include "engine/sandbox.h"
#include "engine/supervision.h"

namespace volary {
namespace {

constexpr size_t report_bytes_max = 8192;

struct Ends {
  Fd ours;
  Fd theirs;
};

// The process may reopen /dev/stdout, so the pipe belongs to it.
Ends make_output(SandboxUser user) {
  Pipe output = make_pipe();
  ::fcntl(output.to_read.get(), F_SETFL, O_NONBLOCK);
  give_to(user, output.to_write);
  return {std::move(output.to_read), std::move(output.to_write)};
}

Ends make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    throw error_from_errno(errno, "make", "a socket");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {Fd(ends[0]), Fd(ends[1])};
}

// A file in memory, to be read from its start.
Fd text_file(const char* name, std::string_view text) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) throw error_from_errno(errno, "make a file in memory for", name);
  write_all(fd.get(), text, name);
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string ended_by_zeros(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(word).append(1, '\0');
  return text;
}

}  // namespace

Execution::Execution(const RunDirectory& run, const Fd& control, ReservedFile& started, Showing& showing,
                     uint64_t log_bytes)
    : run_(run), control_(control), started_(started), showing_(showing), log_(run.file("log"), log_bytes) {}

RunOutcome Execution::run(const RunSpec& spec, const std::vector<std::string>& sandbox, SandboxUser user,
                          const Limits& limits) {
  if (run_.is_stop_asked()) return {.exit_code = {}, .error = stopped_unstarted, .started_at = {}, .ended_at = {}};
  grace_seconds_ = spec.grace_seconds;
  Ends output = make_output(user);
  Ends channel = make_channel();
  const Fd inside =
      text_file("inside", print_json(to_json(InsideSpec{spec.command, spec.env, spec.working_directory,
                                                        spec.dependencies, spec.pip_cache, spec.replicas,
                                                        spec.grace_seconds, spec.install_seconds})));
  const Fd options = text_file("options", ended_by_zeros(sandbox));
  output_ = std::move(output.ours);
  channel_ = std::move(channel.ours);
  static_assert(inside_channel == 3);
  Guard guard(
      {.arguments = {get_bubblewrap().native(), "--args", "4", "--", inside_program, "supervise", "-"},
       .descriptors = {inside.get(), output.theirs.get(), output.theirs.get(), channel.theirs.get(), options.get()},
       .user = user,
       .limits = limits});
  output.theirs.close();
  channel.theirs.close();
  const auto error = error_of([&] {
    run_.record_namespace(guard.pid());
    guard.go();
    attend(guard);
  });
  if (error) guard.kill();
  const int exit_code = guard.wait();
  remove_file(run_.file("namespace"));  // Its number is another's once the guard's pidfd is closed.
  if (error) throw *error;
  while (channel_) take_report(guard);
  while (take_output()) {
  }
  log_.finish(system_clock().now());
  return outcome_of(exit_code);
}

void Execution::attend(Guard& guard) {
  for (;;) {
    std::array<pollfd, 4> waiting = {{{guard.ended().get(), POLLIN, 0},
                                      {output_ ? output_.get() : -1, POLLIN, 0},
                                      {channel_ ? channel_.get() : -1, POLLIN, 0},
                                      {control_.get(), POLLIN, 0}}};
    const int count = ::poll(waiting.data(), waiting.size(), kill_at_.millis());
    if (count < 0 && errno != EINTR) throw error_from_errno(errno, "wait for", "the process");
    if (count < 0) continue;
    if (waiting[1].revents) take_output();
    if (waiting[2].revents) take_report(guard);
    if (waiting[3].revents) look_for_wishes(guard);
    if (kill_at_.has_passed()) {
      guard.kill();
      kill_at_.clear();
    }
    if (waiting[0].revents) return;
  }
}

// Takes one block, so that a process that prints without pause may still be stopped. False if there was none.
bool Execution::take_output() {
  std::array<char, 65536> block;
  const ssize_t size = ::read(output_.get(), block.data(), block.size());
  if (size > 0) log_.take({block.data(), static_cast<size_t>(size)}, system_clock().now());
  if (size == 0) output_.close();
  return size > 0;
}

void Execution::take_report(Guard& guard) {
  std::array<char, report_bytes_max> packet;
  const ssize_t size = ::recv(channel_.get(), packet.data(), packet.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    channel_.close();
    if (is_released_ && !failure_) note_started();
    return;
  }
  const std::string_view report(packet.data(), static_cast<size_t>(size));
  if (report != "ready") {
    int64_t code = 0;
    const auto [end, error] = std::from_chars(report.data(), report.data() + report.size(), code);
    failure_.emplace(code, std::string(report.substr(std::min<size_t>(report.size(), end - report.data() + 1))));
  } else if (run_.is_stop_asked()) {
    is_stopped_unstarted_ = true;
    guard.kill();
  } else if (!is_released_) {
    is_released_ = ::send(channel_.get(), "g", 1, MSG_NOSIGNAL) == 1;
  }
}

void Execution::look_for_wishes(Guard& guard) {
  std::array<char, 256> bytes;
  while (::read(control_.get(), bytes.data(), bytes.size()) > 0) {
  }
  look_for_stop(guard);
  if (started_at_) showing_.look([&] { return run_.find_inside(); });
}

void Execution::look_for_stop(Guard& guard) {
  if (is_stopping_ || !run_.is_stop_asked()) return;
  is_stopping_ = true;
  if (!is_released_) {
    is_stopped_unstarted_ = true;
    guard.kill();
    return;
  }
  guard.terminate();
  kill_at_.set(grace_seconds_);
}

// A file that cannot be written here costs the knowledge that the process runs, until it ends; not the process.
void Execution::note_started() {
  started_at_ = system_clock().now();
  if (!started_.publish(to_text(*started_at_))) ::dprintf(STDERR_FILENO, "cannot note the start of the process\n");
  fault::point("supervisor.started");
}

RunOutcome Execution::outcome_of(int exit_code) {
  RunOutcome outcome;
  outcome.started_at = started_at_;
  if (failure_) {
    outcome.exit_code = failure_->first;
    outcome.error = failure_->second;
  } else if (started_at_) {
    outcome.exit_code = exit_code;
  } else if (is_stopped_unstarted_) {
    outcome.error = stopped_unstarted;
  } else {
    outcome.error = fmt::format("the sandbox could not be made: {}",
                                log_.last_line().empty() ? "see supervisor.log" : log_.last_line());
  }
  return outcome;
}

}  // namespace volary
