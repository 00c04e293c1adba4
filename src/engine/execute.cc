// engine/execute.cc: execvp, with everything that a program inherits put right.
#include "engine/execute.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace volary {
namespace {

constexpr int not_found_exit_code = 127;
constexpr int not_executable_exit_code = 126;

}  // namespace

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int execute(const std::vector<std::string>& command, const std::map<std::string, std::string>& env) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  std::vector<char*> environment, arguments;
  for (std::string& one : variables) environment.push_back(one.data());
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  environment.push_back(nullptr);
  arguments.push_back(nullptr);
  reset_signals();
  char** const own = std::exchange(environ, environment.data());  // execvp looks for the command along this PATH.
  ::execvp(arguments[0], arguments.data());
  const int number = errno;
  environ = own;  // What ends with this program looks at it.
  return number;
}

std::string why_not_executed(const std::string& command, int number) {
  if (number == ENOENT)
    return fmt::format("the command '{}' was not found: there is no such file, or its interpreter is missing", command);
  if (number == EACCES) return fmt::format("the command '{}' cannot be executed: it is no executable file", command);
  if (number == E2BIG)
    return fmt::format("the command '{}' cannot be executed: its arguments and environment are too long", command);
  return fmt::format("the command '{}' cannot be executed: {}", command, std::strerror(number));
}

int exit_code_of_failure(int number) { return number == ENOENT ? not_found_exit_code : not_executable_exit_code; }

}  // namespace volary
