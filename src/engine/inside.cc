// engine/inside.cc: from this program to the job's process.
#include "engine/inside.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/file.h"
#include "engine/dependencies.h"
#include "engine/execute.h"
#include "engine/replicas.h"

namespace volary {
namespace {

constexpr int failed_exit_code = 1;
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

int fail_to_execute(const InsideSpec& spec, int number) {
  return fail(exit_code_of_failure(number), why_not_executed(spec.command[0], number));
}

int run_replicas(const InsideSpec& spec) {
  Replicas replicas(spec);
  if (const int number = replicas.begin()) return fail_to_execute(spec, number);
  ::close(inside_channel);
  return replicas.wait();
}

// One process of a job that says so knows that it is the only one.
std::map<std::string, std::string> environment_of(const InsideSpec& spec) {
  return spec.replicas ? environments_of_replicas(spec.env, 1, free_ports(1)).front() : spec.env;
}

}  // namespace

int run_inside() {
  const InsideSpec spec = read_spec();
  if (spec.command.empty()) return fail(not_executable_exit_code, "the command is empty");
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(null.get(), STDIN_FILENO);
  ::fcntl(inside_channel, F_SETFD, FD_CLOEXEC);
  ::close_range(inside_channel + 1, ~0u, CLOSE_RANGE_CLOEXEC);

  if (!spec.working_directory.empty() && ::chdir(spec.working_directory.c_str()) < 0)
    return fail(not_executable_exit_code, fmt::format("the working directory '{}' cannot be entered: {}",
                                                      spec.working_directory, std::strerror(errno)));
  if (!spec.dependencies.empty())
    if (const std::string why = install_dependencies(spec); !why.empty()) return fail(failed_exit_code, why);
  char go = 0;
  if (::send(inside_channel, "ready", 5, MSG_NOSIGNAL) != 5 || ::recv(inside_channel, &go, 1, 0) != 1)
    return not_executable_exit_code;
  if (spec.replicas.value_or(1) > 1) return run_replicas(spec);
  return fail_to_execute(spec, execute(spec.command, environment_of(spec)));
}

}  // namespace volary
