// cli/local_server.cc: starting and ending the server of cli/local_server.h.
#include "cli/local_server.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fault.h"

namespace volary {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds start_time_max{15};
constexpr std::chrono::milliseconds look_again{40};
constexpr size_t log_tail_bytes = 2000;

// posix_spawn's two records, freed on the way out.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

// A session of its own, nothing of this terminal, every signal as at birth.
pid_t spawn_detached(const LocalServer& server) {
  SpawnPlan plan;
  const std::string log = server.log().string();
  ::posix_spawn_file_actions_addopen(&plan.actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&plan.actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&plan.actions, 1, 2);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&plan.attributes, &none);
  ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
  ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string program = server.program.string();
  std::string word = "server";
  std::string flag = "--data-dir";
  std::string directory = server.data_directory.string();
  std::array<char*, 5> arguments = {program.data(), word.data(), flag.data(), directory.data(), nullptr};
  pid_t process = 0;
  const int problem =
      ::posix_spawn(&process, program.c_str(), &plan.actions, &plan.attributes, arguments.data(), environ);
  if (problem != 0) throw error_from_errno(problem, "start", program);
  return process;
}

// What the log got since it was `before` bytes long; the end of that.
std::string log_since(const Path& log, uint64_t before) {
  std::string text = try_read_file(log).value_or("");
  text.erase(0, std::min<uint64_t>(before, text.size()));
  while (text.ends_with('\n')) text.pop_back();
  if (text.size() > log_tail_bytes) text.erase(0, text.find('\n', text.size() - log_tail_bytes) + 1);
  return text.empty() ? "it wrote nothing" : "its last words:\n" + text;
}

bool has_ended(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; }

void start_and_wait(const LocalServer& server, Client& client, Steady::time_point deadline) {
  const auto log = stat_of(server.log());
  const uint64_t log_bytes = log ? static_cast<uint64_t>(log->st_size) : 0;
  const pid_t child = spawn_detached(server);
  fault::point("cli.server_started");
  while (!client.is_alive()) {
    // A server that somebody else started at this moment makes ours give up; then that one answers.
    if (has_ended(child) && !client.is_alive())
      throw Error(Errc::unavailable, "the server for '{}' ended at once; {}", server.data_directory.string(),
                  log_since(server.log(), log_bytes));
    if (Steady::now() > deadline)
      throw Error(Errc::unavailable, "the server for '{}' does not answer after {} seconds; its log is '{}'",
                  server.data_directory.string(), start_time_max.count(), server.log().string());
    std::this_thread::sleep_for(look_again);
  }
}

}  // namespace

Endpoint endpoint_of(const LocalServer& server) {
  const std::string socket = server.socket().string();
  if (socket.size() >= sizeof(sockaddr_un::sun_path))
    throw Error(Errc::invalid, "the path '{}' is too long for a socket: choose a data directory with a shorter one",
                socket);
  return {.base = "http://localhost", .unix_socket = socket, .token = "", .project = "",
          .name = "this machine's server"};
}

void ensure_running(const LocalServer& server, HttpClient& http) {
  Client client(http, endpoint_of(server));
  if (is_present(server.socket()) && client.is_alive()) return;
  make_directories(server.data_directory, 0700);
  for (const auto deadline = Steady::now() + start_time_max;;) {
    if (const auto lock = FileLock::try_take(server.data_directory / "start.lock")) {
      if (!client.is_alive()) start_and_wait(server, client, deadline);
      return;
    }
    if (client.is_alive()) return;  // Who holds the lock has started it.
    if (Steady::now() > deadline)
      throw Error(Errc::unavailable,
                  "another command has been starting the server for '{}' for {} seconds; its log is '{}'",
                  server.data_directory.string(), start_time_max.count(), server.log().string());
    std::this_thread::sleep_for(look_again);
  }
}

std::optional<pid_t> listening_process(const Path& socket) {
  const std::string path = socket.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const Fd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connection) throw error_from_errno(errno, "make", "a socket");
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return std::nullopt;
  ucred peer{};  // Of the process that called listen().
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return std::nullopt;
  return peer.pid;
}

void end_process(pid_t process, int seconds) {
  // A descriptor stays with this one process, whatever becomes of its number; it is readable once the process has
  // ended.
  const Fd descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!descriptor && errno == ESRCH) return;
  if (!descriptor) throw error_from_errno(errno, "watch", "process " + std::to_string(process));
  if (::syscall(SYS_pidfd_send_signal, descriptor.get(), SIGTERM, nullptr, 0) != 0 && errno != ESRCH)
    throw error_from_errno(errno, "end", "process " + std::to_string(process));
  pollfd ended{.fd = descriptor.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, seconds * 1000) == 0)
    throw Error(Errc::unavailable, "process {} was asked to end {} seconds ago and is still there", process, seconds);
}

std::string read_token(const Path& file) {
  std::string token = read_file(file, 1 << 16);
  token.erase(std::min(token.find_first_of("\r\n"), token.size()));
  if (token.empty()) throw Error(Errc::invalid, "the token file '{}' is empty", file.string());
  return token;
}

}  // namespace volary
