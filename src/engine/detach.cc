// engine/detach.cc: fork twice, between them a new session.
//
// The caller may have many threads, so after the first fork only system calls are made: everything they need is laid
// out before.
#include "engine/detach.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "engine/processes.h"

namespace volary {
namespace {

struct Prepared {
  const char* program;
  char* const* arguments;
  char* const* environment;
  int input, output, errors;
  const std::vector<Fd>* descriptors;
};

[[noreturn]] void end_with(std::string_view message) {
  if (::write(STDERR_FILENO, message.data(), message.size()) < 0) ::_exit(126);
  ::_exit(127);
}

[[noreturn]] void become_program(const Prepared& prepared) {
  struct sigaction normal {};
  normal.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &normal, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // The three descriptors are above 2 (try_above), so none is overwritten before it is used.
  ::dup2(prepared.input, STDIN_FILENO);
  ::dup2(prepared.output, STDOUT_FILENO);
  ::dup2(prepared.errors, STDERR_FILENO);
  // These are above where they are to be, too.
  int place = 3;
  for (const Fd& one : *prepared.descriptors) ::dup2(one.get(), place++);
  ::close_range(static_cast<unsigned>(place), ~0u, 0);
  ::umask(022);
  if (::chdir("/") < 0) end_with("cannot enter /\n");
  ::execve(prepared.program, prepared.arguments, prepared.environment);
  end_with("the supervisor's program cannot be executed\n");
}

Fd duplicate_above(int fd, int low) {
  Fd high(::fcntl(fd, F_DUPFD_CLOEXEC, low));
  if (!high) throw error_from_errno(errno, "duplicate", "a descriptor");
  return high;
}

Fd above_two(const Fd& fd) { return duplicate_above(fd.get(), 3); }

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Fd start_detached(const Path& program, const std::vector<std::string>& arguments,
                  const std::vector<std::string>& environment, const Path& error_log,
                  const std::vector<int>& descriptors) {
  Pipe pipe = make_pipe();
  const Fd theirs = above_two(std::exchange(pipe.to_write, Fd()));
  const Fd input = above_two(open_to_read("/dev/null"));
  const Fd errors = above_two(open_to_append(error_log, 0600));
  std::vector<Fd> passed;
  for (const int one : descriptors) passed.push_back(duplicate_above(one, 64));
  const std::vector<char*> argument_list = pointers(arguments);
  const std::vector<char*> environment_list = pointers(environment);
  const Prepared prepared = {program.c_str(), argument_list.data(), environment_list.data(),
                             input.get(),     theirs.get(),         errors.get(),            &passed};

  const pid_t child = ::fork();
  if (child < 0) throw error_from_errno(errno, "fork for", program.native());
  if (child == 0) {
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild == 0) become_program(prepared);
    ::_exit(grandchild < 0 ? 1 : 0);
  }
  if (wait_for_child(child) != 0)
    throw Error(Errc::exhausted, "no process can be made for '{}'", program.native());
  return std::move(pipe.to_read);
}

}  // namespace volary
