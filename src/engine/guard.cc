// engine/guard.cc: what happens between fork and exec.
#include "engine/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/processes.h"

namespace volary {
namespace {

constexpr int setup_failed_exit_code = 125;
constexpr std::string_view oom_score = "300";  // When the machine runs out of memory, jobs go before servers.

// In a child: what cannot be returned is printed, into the log, and ends the child.
[[noreturn]] void give_up(const char* action) {
  ::dprintf(STDERR_FILENO, "cannot %s: %s\n", action, std::strerror(errno));
  ::_exit(setup_failed_exit_code);
}

void place_descriptors(const std::vector<int>& wanted) {
  const int above = 64;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (::fcntl(wanted[i], F_DUPFD, above + static_cast<int>(i)) != above + static_cast<int>(i))
      give_up("place descriptors");
  for (size_t i = 0; i < wanted.size(); ++i)
    if (::dup2(above + static_cast<int>(i), static_cast<int>(i)) < 0) give_up("place descriptors");
  ::close_range(static_cast<unsigned>(wanted.size()), ~0u, 0);
}

void raise_oom_score() {
  const Fd fd(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), oom_score.data(), oom_score.size()) < 0) return;  // A hint to the kernel, no more.
}

[[noreturn]] void run_command(const GuardedCommand& command) {
  std::vector<char*> arguments;
  for (const std::string& one : command.arguments) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  raise_oom_score();
  command.limits.enter();
  place_descriptors(command.descriptors);
  become(command.user);
  ::umask(022);
  if (::chdir("/") < 0) give_up("enter /");
  ::execve(arguments[0], arguments.data(), environment);
  give_up(arguments[0]);
}

// SIGUSR1 from the supervisor: everything in the namespace gets a SIGTERM. Bubblewrap's own two processes have it
// blocked.
void terminate_all(int) { ::kill(-1, SIGTERM); }

// From here on the kernel kills this process when the supervisor ends. It may have ended just before, go() said and
// all: then the other end of the leash, which it holds for its life, is closed.
void tie_to_supervisor(int leash) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  char go = 0;
  if (::read(leash, &go, 1) != 1) ::_exit(setup_failed_exit_code);
  pollfd other_end = {leash, 0, 0};
  if (::poll(&other_end, 1, 0) != 0) ::_exit(setup_failed_exit_code);
}

[[noreturn]] void keep_guard(const GuardedCommand& command, int leash) {
  sigset_t term;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &term, nullptr);  // Inherited by bubblewrap; engine/inside.cc unblocks it for the process.
  struct sigaction action {};
  action.sa_handler = terminate_all;
  ::sigaction(SIGUSR1, &action, nullptr);

  tie_to_supervisor(leash);
  // Process numbers in /proc must be those of this namespace, for bubblewrap.
  if (::unshare(CLONE_NEWNS) < 0) give_up("enter a mount namespace");
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) give_up("mount /proc");
  const pid_t child = ::fork();
  if (child < 0) give_up("fork");
  if (child == 0) {
    struct sigaction normal {};
    normal.sa_handler = SIG_DFL;
    ::sigaction(SIGUSR1, &normal, nullptr);
    run_command(command);
  }
  for (const int descriptor : command.descriptors) ::close(descriptor);  // Their ends must be seen by those who read.
  for (;;) {
    int status = 0;
    if (::waitpid(-1, &status, 0) == child) ::_exit(exit_code_of(status));
  }
}

}  // namespace

SandboxUser sandbox_user() {
  if (::geteuid() == 0) return {job_uid, job_uid};
  return {::geteuid(), ::getegid()};
}

// Raw system calls: the library's wrappers would look for the threads of the process that forked.
void become(SandboxUser user) {
  if (::geteuid() == user.uid && ::getegid() == user.gid) return;
  if (::syscall(SYS_setgroups, 0, nullptr) < 0) give_up("drop the supplementary groups");
  if (::syscall(SYS_setresgid, user.gid, user.gid, user.gid) < 0) give_up("change the group");
  if (::syscall(SYS_setresuid, user.uid, user.uid, user.uid) < 0) give_up("change the user");
}

void give_to(SandboxUser user, const Fd& fd) {
  if (::geteuid() == 0 && ::fchown(fd.get(), user.uid, user.gid) < 0 && errno != EINVAL)
    throw error_from_errno(errno, "change the owner of", "a pipe");
}

Guard::Guard(const GuardedCommand& command) {
  Pipe leash = make_pipe();
  leash_ = std::move(leash.to_write);
  if (::unshare(CLONE_NEWPID) < 0) throw error_from_errno(errno, "enter", "a pid namespace");
  pid_ = ::fork();
  if (pid_ < 0) throw error_from_errno(errno, "fork", "the guard");
  if (pid_ == 0) {
    leash_.close();
    keep_guard(command, leash.to_read.get());
  }
  pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) throw error_from_errno(errno, "open", "a pidfd");
}

Guard::~Guard() {
  if (pid_ <= 0) return;
  kill();
  wait();
}

void Guard::go() { write_all(leash_.get(), "g", "the guard's leash"); }

void Guard::terminate() const { ::kill(pid_, SIGUSR1); }
void Guard::kill() const { ::kill(pid_, SIGKILL); }

int Guard::wait() { return wait_for_child(std::exchange(pid_, -1)); }

}  // namespace volary
