// remote/git_process.cc: posix_spawn, one socket for its input and output each, and a file without a name for what it
// says.
#include "remote/git_process.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr const char* git_path = "/usr/bin/git";
constexpr size_t read_bytes = 256 * 1024;
constexpr off_t said_bytes_max = 2000;

// posix_spawn's two records, freed on the way out.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

std::pair<Fd, Fd> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw error_from_errno(errno, "make", "a socket");
  return {Fd(ends[0]), Fd(ends[1])};
}

std::vector<std::string> environment_of(const GitSurroundings& surroundings) {
  std::map<std::string, std::string> settings = {{"core.hooksPath", "/dev/null"},
                                                 {"core.askPass", "/bin/false"},
                                                 {"credential.helper", ""},
                                                 {"gc.auto", "0"},
                                                 {"maintenance.auto", "false"},
                                                 {"http.followRedirects", "false"},
                                                 {"http.lowSpeedLimit", "1"},
                                                 {"http.lowSpeedTime", "60"},
                                                 {"protocol.version", "2"},
                                                 {"submodule.recurse", "false"}};
  settings.insert(surroundings.settings.begin(), surroundings.settings.end());
  std::map<std::string, std::string> variables = {{"PATH", "/usr/bin:/bin"},
                                                  {"HOME", surroundings.directory.native()},
                                                  {"LC_ALL", "C"},
                                                  {"GIT_TERMINAL_PROMPT", "0"},
                                                  {"GIT_ASKPASS", "/bin/false"},
                                                  {"GIT_CONFIG_NOSYSTEM", "1"},
                                                  {"GIT_CONFIG_GLOBAL", "/dev/null"},
                                                  {"GIT_ATTR_NOSYSTEM", "1"},
                                                  {"GIT_NO_REPLACE_OBJECTS", "1"},
                                                  {"GIT_PROTOCOL_FROM_USER", "0"},
                                                  {"GIT_ALLOW_PROTOCOL", surroundings.protocols},
                                                  {"GIT_CONFIG_COUNT", std::to_string(settings.size())}};
  size_t number = 0;
  for (const auto& [name, value] : settings) {
    variables[fmt::format("GIT_CONFIG_KEY_{}", number)] = name;
    variables[fmt::format("GIT_CONFIG_VALUE_{}", number++)] = value;
  }
  for (const auto& [name, value] : surroundings.variables) variables[name] = value;
  std::vector<std::string> list;
  for (const auto& [name, value] : variables) list.push_back(name + "=" + value);
  return list;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

GitProcess::GitProcess(const std::vector<std::string>& words, const GitSurroundings& surroundings)
    : command_("git " + words.at(0)) {
  auto [input, its_input] = socket_pair();
  auto [output, its_output] = socket_pair();
  errors_ = Fd(::memfd_create("git", MFD_CLOEXEC));
  if (!errors_) throw error_from_errno(errno, "make", "a file in memory");
  SpawnPlan plan;
  ::posix_spawn_file_actions_adddup2(&plan.actions, its_input.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&plan.actions, its_output.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&plan.actions, errors_.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addchdir_np(&plan.actions, surroundings.directory.c_str());
  std::vector<std::string> arguments = {"git"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  std::vector<std::string> environment = environment_of(surroundings);
  const int problem = ::posix_spawn(&process_, git_path, &plan.actions, &plan.attributes,
                                    pointers_to(arguments).data(), pointers_to(environment).data());
  if (problem != 0) {
    process_ = -1;
    if (problem == ENOENT)
      throw Error(Errc::invalid, "there is no {} on this machine: expected the package git", git_path);
    throw error_from_errno(problem, "start", git_path);
  }
  input_ = std::move(input);
  output_ = std::move(output);
}

GitProcess::~GitProcess() {
  if (process_ < 0) return;
  kill();
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void GitProcess::kill() {
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);
}

void GitProcess::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw Error(Errc::unavailable, "{} ended by itself: {}", command_, said());
    bytes.remove_prefix(static_cast<size_t>(size));
  }
}

bool GitProcess::read_more() {
  buffer_.erase(0, used_);
  used_ = 0;
  const size_t had = buffer_.size();
  buffer_.resize(had + read_bytes);
  ssize_t size = 0;
  do {
    size = ::recv(output_.get(), buffer_.data() + had, read_bytes, 0);
  } while (size < 0 && errno == EINTR);
  buffer_.resize(had + static_cast<size_t>(std::max<ssize_t>(size, 0)));
  return size > 0;
}

bool GitProcess::read_until(char end, std::string& text) {
  text.clear();
  for (;;) {
    const size_t at = buffer_.find(end, used_);
    const size_t stop = std::min(at, buffer_.size());
    text.append(buffer_, used_, stop - used_);
    used_ = stop;
    if (at != std::string::npos) {
      ++used_;
      return true;
    }
    if (!read_more()) return false;
  }
}

bool GitProcess::read_some(Sink& sink) {
  if (used_ == buffer_.size() && !read_more()) return false;
  sink.write(std::string_view(buffer_).substr(used_));
  used_ = buffer_.size();
  return true;
}

void GitProcess::read(uint64_t size, Sink& sink) {
  while (size > 0) {
    if (used_ == buffer_.size() && !read_more())
      throw Error(Errc::corrupt, "{} ended {} bytes too early: {}", command_, size, said());
    const size_t part = std::min<uint64_t>(size, buffer_.size() - used_);
    sink.write({buffer_.data() + used_, part});
    used_ += part;
    size -= part;
  }
}

void GitProcess::wait() {
  input_.close();
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(process_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  process_ = -1;
  if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw failure();
}

// What git says has no codes: the words are all there is, and they are English, for LC_ALL says so. Among them are
// hashes and URLs, which must not be taken for what it means.
Error GitProcess::failure() const {
  const std::string words = said();
  const auto speaks_of = [&](std::string_view some) { return words.find(some) != std::string::npos; };
  Errc code = Errc::unavailable;
  if (speaks_of("could not read Username") || speaks_of("Authentication failed") ||
      speaks_of("returned error: 403"))
    code = Errc::denied;
  else if (speaks_of("not found") || speaks_of("does not appear to be a git repository") ||
           speaks_of("does not exist") || speaks_of("couldn't find remote ref") || speaks_of("not our ref"))
    code = Errc::not_found;
  else if (speaks_of("returned error: 30") || speaks_of("not allowed") || speaks_of("dubious ownership"))
    code = Errc::invalid;
  return Error(code, "{} failed: {}", command_, words);
}

// Its last words, in one line.
std::string GitProcess::said() const {
  struct stat status = stat_of(errors_.get(), "what git said");
  const off_t start = std::max<off_t>(0, status.st_size - said_bytes_max);
  std::string text(static_cast<size_t>(status.st_size - start), '\0');
  text.resize(read_some_at(errors_.get(), text, static_cast<uint64_t>(start), "what git said"));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text.empty() ? "it said nothing" : printable(text);
}

std::string run_git(const std::vector<std::string>& words, const GitSurroundings& surroundings, uint64_t bytes_max) {
  const auto check_stop = [&] {
    if (surroundings.stop.stop_requested()) throw Error(Errc::unavailable, "git {} was stopped", words.at(0));
  };
  check_stop();
  GitProcess git(words, surroundings);
  StringSink output(bytes_max);
  {
    const std::stop_callback killing(surroundings.stop, [&] { git.kill(); });  // Gone before its number is another's.
    while (git.read_some(output)) {
    }
  }
  check_stop();
  git.wait();
  return std::move(output.text);
}

}  // namespace volary
