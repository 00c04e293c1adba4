// engine/replicas.cc: forks, pipes and a loop over them.
#include "engine/replicas.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/error.h"
#include "engine/execute.h"
#include "engine/processes.h"

namespace volary {
namespace {

constexpr size_t line_bytes_max = 64 * 1024 - 64;  // With the rank in front it is one line of the log still.

void say(const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t size = ::write(STDOUT_FILENO, text.data() + written, text.size() - written);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;  // Nobody reads any more.
    written += static_cast<size_t>(size);
  }
}

// A SIGTERM is here to stay: it is blocked.
bool is_stop_asked() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGTERM) == 1;
}

}  // namespace

std::vector<uint16_t> free_ports(size_t count) {
  std::vector<Fd> sockets;
  std::vector<uint16_t> ports;
  for (size_t i = 0; i < count; ++i) {
    Fd& socket = sockets.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (!socket || ::bind(socket.get(), any, size) < 0 || ::getsockname(socket.get(), any, &size) < 0)
      throw error_from_errno(errno, "find", "a free port");
    ports.push_back(ntohs(address.sin_port));
  }
  return ports;
}

std::vector<std::map<std::string, std::string>> environments_of_replicas(
    const std::map<std::string, std::string>& env, size_t count, const std::vector<uint16_t>& ports) {
  std::string workers;
  for (size_t i = 0; i < count; ++i) workers += fmt::format("{}\"127.0.0.1:{}\"", i ? "," : "", ports.at(i));
  std::vector<std::map<std::string, std::string>> all;
  for (size_t rank = 0; rank < count; ++rank) {
    auto& own = all.emplace_back(env);
    own["RANK"] = own["LOCAL_RANK"] = std::to_string(rank);
    own["WORLD_SIZE"] = own["LOCAL_WORLD_SIZE"] = std::to_string(count);
    own.insert({"MASTER_ADDR", "127.0.0.1"});
    own.insert({"MASTER_PORT", std::to_string(ports.at(0))});
    own.insert({"TF_CONFIG", fmt::format(R"({{"cluster":{{"worker":[{}]}},"task":{{"type":"worker","index":{}}}}})",
                                         workers, rank)});
  }
  return all;
}

int Replicas::begin() {
  const size_t count = *spec_.replicas;
  const auto environments = environments_of_replicas(spec_.env, count, free_ports(count));
  sigset_t term;  // Everything here gets one at a stop; this goes on to bury the others.
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &term, nullptr);
  Pipe failed = make_pipe();
  for (size_t rank = 0; rank < count; ++rank) {
    Pipe output = make_pipe();
    const pid_t pid = ::fork();
    if (pid < 0) throw error_from_errno(errno, "start", fmt::format("replica {}", rank));
    if (pid == 0) {
      ::dup2(output.to_write.get(), STDOUT_FILENO);
      ::dup2(output.to_write.get(), STDERR_FILENO);
      const int number = execute(spec_.command, environments[rank]);
      if (::write(failed.to_write.get(), &number, sizeof number) < 0) ::_exit(125);
      ::_exit(exit_code_of_failure(number));
    }
    Replica& replica = replicas_.emplace_back();
    replica.pid = pid;
    replica.process = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!replica.process) throw error_from_errno(errno, "watch", fmt::format("replica {}", rank));
    replica.output = std::move(output.to_read);
  }
  failed.to_write.close();
  int number = 0;
  if (::read(failed.to_read.get(), &number, sizeof number) != sizeof number) return 0;
  ::kill(-1, SIGKILL);
  for (const Replica& replica : replicas_) wait_for_child(replica.pid);
  return number;
}

int Replicas::wait() {
  const size_t count = replicas_.size();
  for (;;) {
    std::vector<pollfd> waiting;
    for (const Replica& one : replicas_) waiting.push_back({one.process ? one.process.get() : -1, POLLIN, 0});
    if (std::all_of(waiting.begin(), waiting.end(), [](const pollfd& one) { return one.fd < 0; })) break;
    for (const Replica& one : replicas_) waiting.push_back({one.output ? one.output.get() : -1, POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), kill_at_.millis()) < 0) continue;
    for (size_t rank = 0; rank < count; ++rank)
      if (waiting[count + rank].revents) take_output(rank);
    for (size_t rank = 0; rank < count; ++rank)
      if (waiting[rank].revents) bury(rank);
    if (kill_at_.has_passed()) {
      ::kill(-1, SIGKILL);
      kill_at_.clear();
    }
  }
  ::kill(-1, SIGKILL);  // What they left would print on for ever.
  for (size_t rank = 0; rank < count; ++rank) {  // What others still hold open is not waited for.
    if (replicas_[rank].output) ::fcntl(replicas_[rank].output.get(), F_SETFL, O_NONBLOCK);
    while (replicas_[rank].output && take_output(rank)) {
    }
    if (!replicas_[rank].line.empty()) end_line(rank);
  }
  return failure_.value_or(0);
}

// False if there was nothing.
bool Replicas::take_output(size_t rank) {
  Replica& replica = replicas_[rank];
  std::array<char, 65536> block;
  const ssize_t size = ::read(replica.output.get(), block.data(), block.size());
  if (size == 0) replica.output.close();
  for (ssize_t i = 0; i < size; ++i) {
    if (block[static_cast<size_t>(i)] != '\n') replica.line += block[static_cast<size_t>(i)];
    if (block[static_cast<size_t>(i)] == '\n' || replica.line.size() == line_bytes_max) end_line(rank);
  }
  return size > 0;
}

void Replicas::end_line(size_t rank) {
  say(fmt::format("[{}] {}\n", rank, replicas_[rank].line));
  replicas_[rank].line.clear();
}

void Replicas::bury(size_t rank) {
  Replica& replica = replicas_[rank];
  replica.process.close();
  if (const int code = wait_for_child(replica.pid); code != 0 && !failure_) {
    failure_ = code;
    end_all();
  }
}

// At a stop the others were asked already.
void Replicas::end_all() {
  if (!is_stop_asked()) ::kill(-1, SIGTERM);
  kill_at_.set(spec_.grace_seconds.value_or(10));
}

}  // namespace volary
