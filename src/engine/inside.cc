// engine/inside.cc: from this program to the job's process.
#include "engine/inside.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/file.h"

namespace volary {
namespace {

constexpr int not_found_exit_code = 127;
constexpr int not_executable_exit_code = 126;
constexpr uint64_t spec_bytes_max = 16 << 20;

int fail(int code, const std::string& reason) {
  const std::string message = fmt::format("{} {}", code, reason);
  ::send(inside_channel, message.data(), message.size(), MSG_NOSIGNAL);
  return code;
}

InsideSpec read_spec() {
  StringSink text(spec_bytes_max);
  FileSource in(Fd(::dup(STDIN_FILENO)), "standard input");
  pump(in, text);
  return from_json<InsideSpec>(parse_json(text.text, "standard input"), "spec");
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

std::string why_not(const std::string& command, int number) {
  if (number == ENOENT)
    return fmt::format("the command '{}' was not found: there is no such file, or its interpreter is missing", command);
  if (number == EACCES) return fmt::format("the command '{}' cannot be executed: it is no executable file", command);
  if (number == E2BIG)
    return fmt::format("the command '{}' cannot be executed: its arguments and environment are too long", command);
  return fmt::format("the command '{}' cannot be executed: {}", command, std::strerror(number));
}

}  // namespace

int run_inside() {
  const InsideSpec spec = read_spec();
  if (spec.command.empty()) return fail(not_executable_exit_code, "the command is empty");
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(null.get(), STDIN_FILENO);
  ::fcntl(inside_channel, F_SETFD, FD_CLOEXEC);
  ::close_range(inside_channel + 1, ~0u, CLOSE_RANGE_CLOEXEC);

  std::vector<std::string> variables;
  for (const auto& [name, value] : spec.env) variables.push_back(name + "=" + value);
  std::vector<char*> environment, arguments;
  for (std::string& one : variables) environment.push_back(one.data());
  for (const std::string& one : spec.command) arguments.push_back(const_cast<char*>(one.c_str()));
  environment.push_back(nullptr);
  arguments.push_back(nullptr);

  if (!spec.working_directory.empty() && ::chdir(spec.working_directory.c_str()) < 0)
    return fail(not_executable_exit_code, fmt::format("the working directory '{}' cannot be entered: {}",
                                                      spec.working_directory, std::strerror(errno)));
  char go = 0;
  if (::send(inside_channel, "ready", 5, MSG_NOSIGNAL) != 5 || ::recv(inside_channel, &go, 1, 0) != 1)
    return not_executable_exit_code;
  reset_signals();
  char** const own = std::exchange(environ, environment.data());  // execvp looks for the command along this PATH.
  ::execvp(arguments[0], arguments.data());
  const int number = errno;
  environ = own;  // What ends with this program looks at it.
  return fail(number == ENOENT ? not_found_exit_code : not_executable_exit_code, why_not(spec.command[0], number));
}

}  // namespace volary
