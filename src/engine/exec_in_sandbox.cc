// engine/exec_in_sandbox.cc: joining the namespaces of a run's sandbox.
//
// Two processes, because a pid namespace is entered by children only: the doorkeeper joins and waits, the command's own
// process gives up what the run's does not have and becomes the command. Each dies with the one before. The command's
// alone is in the run's control groups, so that these are empty as soon as the run's namespace has ended.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sstream>

#include "engine/exec_target.h"
#include "engine/guard.h"
#include "engine/execute.h"
#include "engine/processes.h"
#include "engine/run_directory.h"

namespace volary {
namespace {

constexpr int joined = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID;
constexpr std::string_view oom_score = "300";  // As of the run's process.
constexpr size_t word_bytes_max = 8192;
constexpr int joining_exit_code = 126;

struct Ends {
  Fd ours;
  Fd theirs;
};

enum class Direction { to_command, from_command };

Ends make_ends(Direction direction) {
  Pipe pipe = make_pipe();
  Ends made{std::move(pipe.to_read), std::move(pipe.to_write)};
  if (direction == Direction::to_command) std::swap(made.ours, made.theirs);
  ::fcntl(made.ours.get(), F_SETFL, O_NONBLOCK);
  give_to(sandbox_user(), made.theirs);
  return made;
}

// What the two processes are given; all of it is laid out before they are forked.
struct Wanted {
  std::vector<std::string> command;
  std::vector<std::string> variables;
  std::string path;  // Where commands are looked for.
  std::string working_directory;
  bool terminal = false;
  winsize window{};
  cpu_set_t cores{};
  Fd process;                      // One that is inside already.
  std::vector<Fd> groups;          // cgroup.procs
  Fd channel;                      // To say how it went: "p NUMBER", "t" with the terminal, "CODE REASON".
  std::array<Fd, 3> pipes;
};

void say(const Fd& channel, const std::string& text, int descriptor = -1) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  if (::sendmsg(channel.get(), &message, MSG_NOSIGNAL) < 0) ::_exit(joining_exit_code);
}

[[noreturn]] void give_up(const Wanted& wanted, const char* action) {
  say(wanted.channel, fmt::format("{} cannot {}: {}", joining_exit_code, action, std::strerror(errno)));
  ::_exit(joining_exit_code);
}

void become_users_process(const Wanted& wanted) {
  for (int capability = 0; capability < 64; ++capability) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (::syscall(SYS_setresgid, job_uid, job_uid, job_uid) < 0) give_up(wanted, "become the group of the job");
  if (::syscall(SYS_setresuid, job_uid, job_uid, job_uid) < 0) give_up(wanted, "become the user of the job");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) < 0) give_up(wanted, "give up all capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(wanted, "refuse new privileges");
  ::prctl(PR_SET_DUMPABLE, 0);           // A change of the user sets it as the machine is told to.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Not before: a change of the user clears it.
}

// One of the sandbox's own, so that it has a name in there.
void open_terminal(const Wanted& wanted) {
  const int leader = ::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  const int unlocked = 0;
  if (leader < 0 || ::ioctl(leader, TIOCSPTLCK, &unlocked) < 0) give_up(wanted, "open a terminal");
  const int terminal = ::ioctl(leader, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0 || ::ioctl(terminal, TIOCSCTTY, 0) < 0) give_up(wanted, "open a terminal");
  ::ioctl(terminal, TIOCSWINSZ, &wanted.window);
  for (int place = 0; place < 3; ++place) ::dup2(terminal, place);
  say(wanted.channel, "t", leader);
}

[[noreturn]] void become_command(Wanted& wanted) {
  for (const Fd& group : wanted.groups)
    if (::write(group.get(), "0", 1) != 1) give_up(wanted, "enter the control groups of the job");
  ::sched_setaffinity(0, sizeof wanted.cores, &wanted.cores);
  become_users_process(wanted);
  ::umask(022);
  ::setsid();
  if (wanted.terminal) open_terminal(wanted);
  else
    for (int place = 0; place < 3; ++place) ::dup2(wanted.pipes[static_cast<size_t>(place)].get(), place);
  if (::chdir(wanted.working_directory.empty() ? "/" : wanted.working_directory.c_str()) < 0)
    give_up(wanted, "enter the working directory");
  ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  std::vector<char*> arguments, environment;
  for (std::string& one : wanted.command) arguments.push_back(one.data());
  for (std::string& one : wanted.variables) environment.push_back(one.data());
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  reset_signals();
  char** const own = std::exchange(environ, environment.data());  // execvp looks for the command along this PATH.
  ::execvp(arguments[0], arguments.data());
  const int number = errno;
  environ = own;
  say(wanted.channel, fmt::format("{} {}", exit_code_of_failure(number), why_not_executed(wanted.command[0], number)));
  ::_exit(exit_code_of_failure(number));
}

// What is open here is nothing for the sandbox.
void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned first = STDERR_FILENO + 1;
  for (const int one : kept) {
    if (one < static_cast<int>(first)) continue;
    if (one > static_cast<int>(first)) ::close_range(first, static_cast<unsigned>(one) - 1, 0);
    first = static_cast<unsigned>(one) + 1;
  }
  ::close_range(first, ~0u, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int place = 0; place <= STDERR_FILENO; ++place) ::dup2(null, place);
  ::close(null);
}

[[noreturn]] void keep_door(Wanted& wanted) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<int> kept = {wanted.process.get(), wanted.channel.get()};
  for (const Fd& one : wanted.groups) kept.push_back(one.get());
  for (const Fd& one : wanted.pipes) kept.push_back(one.get());
  close_all_but(kept);
  const Fd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (score && ::write(score.get(), oom_score.data(), oom_score.size()) < 0) ::prctl(PR_GET_DUMPABLE);  // A hint.
  if (::geteuid() == 0 && ::syscall(SYS_setgroups, 0, nullptr) < 0) give_up(wanted, "drop the supplementary groups");
  ::prctl(PR_SET_DUMPABLE, 0);  // From here on the job sees this process, and may not look into it.
  if (::setns(wanted.process.get(), joined) < 0) give_up(wanted, "enter the sandbox of the job");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Joining has cleared it.
  const pid_t child = ::fork();
  if (child < 0) give_up(wanted, "make a process");
  if (child == 0) become_command(wanted);
  say(wanted.channel, fmt::format("p {}", child));
  ::close_range(0, ~0u, 0);
  ::_exit(wait_for_child(child));
}

bool has_ended(const Fd& process) {
  pollfd one{process.get(), POLLIN, 0};
  return ::poll(&one, 1, 0) != 0;
}

// A child that ends with this.
class Child {
 public:
  Child() = default;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void hold(pid_t pid) {
    pid_ = pid;
    ended_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!ended_) throw error_from_errno(errno, "open", "a pidfd");
  }
  int ended() const { return ended_.get(); }
  int wait() { return wait_for_child(std::exchange(pid_, -1)); }

 private:
  pid_t pid_ = -1;
  Fd ended_;
};

class SandboxTarget final : public ExecTarget {
 public:
  SandboxTarget(Wanted wanted, ExecUser user) : is_terminal_(wanted.terminal) {
    std::array<Fd, 3> ours;
    if (!is_terminal_)
      for (size_t i = 0; i < ours.size(); ++i) {
        Ends ends = make_ends(i == 0 ? Direction::to_command : Direction::from_command);
        ours[i] = std::move(ends.ours);
        wanted.pipes[i] = std::move(ends.theirs);
      }
    int channel[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
      throw error_from_errno(errno, "make", "a socket");
    const Fd reports(channel[0]);
    wanted.channel = Fd(channel[1]);
    const pid_t door = ::fork();
    if (door < 0) throw error_from_errno(errno, "fork", "the doorkeeper");
    if (door == 0) keep_door(wanted);
    door_.hold(door);
    wanted.channel.close();
    for (Fd& one : wanted.pipes) one.close();
    input_ = std::move(ours[0]);
    output_ = std::move(ours[1]);
    errors_ = std::move(ours[2]);
    do wait_for_report(reports, user);
    while (take_report(reports));
  }

  int input() const override { return is_terminal_ ? output_.get() : input_.get(); }
  int output() const override { return output_.get(); }
  int errors() const override { return errors_.get(); }
  int ended() const override { return door_.ended(); }
  bool has_frames() const override { return false; }

  // A terminal has no end: what ends its reader's line is as good.
  void end_input() override {
    if (!is_terminal_) input_.close();
    else if (output_ && ::write(output_.get(), "\4", 1) < 0) return;
  }

  void resize(uint64_t rows, uint64_t columns) override {
    winsize window{};
    window.ws_row = static_cast<unsigned short>(rows);
    window.ws_col = static_cast<unsigned short>(columns);
    if (is_terminal_) ::ioctl(output_.get(), TIOCSWINSZ, &window);
  }

  void signal(int number) override {
    if (command_) signal_group(command_, command_number_, number);
  }

  ExecEnd finish(std::string_view) override {
    const int exit_code = door_.wait();
    return failure_.value_or(ExecEnd{exit_code, ""});
  }

 private:
  static void wait_for_report(const Fd& reports, ExecUser user) {
    for (;;) {
      std::array<pollfd, 3> waiting = {
          {{reports.get(), POLLIN, 0}, {user.connection, POLLRDHUP, 0}, {user.leash, 0, 0}}};
      if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
        throw error_from_errno(errno, "wait for", "the sandbox");
      if (waiting[1].revents || waiting[2].revents) throw Error(Errc::unavailable, "nobody waits for the command");
      if (waiting[0].revents) return;
    }
  }

  // The channel ends when the command is executed, or could not be.
  bool take_report(const Fd& reports) {
    std::array<char, word_bytes_max> word;
    iovec part{word.data(), word.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    const ssize_t size = ::recvmsg(reports.get(), &message, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) return true;
    if (size <= 0) return false;
    const std::string_view text(word.data(), static_cast<size_t>(size));
    int64_t number = 0;
    const size_t digits = text.starts_with("p ") ? 2 : 0;
    const auto [end, error] = std::from_chars(text.data() + digits, text.data() + text.size(), number);
    if (text == "t") {
      const cmsghdr* const header = CMSG_FIRSTHDR(&message);
      int terminal = -1;
      if (header) std::memcpy(&terminal, CMSG_DATA(header), sizeof terminal);
      output_ = Fd(terminal);
      ::fcntl(terminal, F_SETFL, O_RDWR | O_NONBLOCK);
    } else if (digits > 0) {
      command_number_ = static_cast<pid_t>(number);
      command_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, number, 0)));
    } else {
      const size_t space = std::min<size_t>(text.size(), static_cast<size_t>(end - text.data()) + 1);
      failure_ = ExecEnd{number, std::string(text.substr(space))};
    }
    return true;
  }

  const bool is_terminal_;
  Child door_;
  Fd command_;
  pid_t command_number_ = -1;
  Fd input_;
  Fd output_;  // Or the terminal.
  Fd errors_;
  std::optional<ExecEnd> failure_;
};

// A process of the run, its control groups and its cores. The kernel hands out the numbers of processes and of pid
// namespaces again, so all that was found by them is the run's only if, afterwards, the process has not ended, the
// supervisor lives and it has not yet seen the end of the namespace.
void join(const RunDirectory& run, const RunSpec& spec, Wanted& wanted) {
  const Error gone(Errc::conflict, "the job's process is not there any more");
  const int inside = run.find_inside();
  if (inside == 0) throw gone;
  wanted.process = Fd(static_cast<int>(::syscall(SYS_pidfd_open, inside, 0)));
  if (!wanted.process || ::sched_getaffinity(inside, sizeof wanted.cores, &wanted.cores) < 0) throw gone;
  std::istringstream groups(try_read_file(run.file("cgroups")).value_or(""));
  for (std::string path; std::getline(groups, path);) {
    Fd members(::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!members) throw gone;
    wanted.groups.push_back(std::move(members));
  }
  const bool has_limit = spec.memory_bytes.has_value();  // That of cores needs no group.
  if ((has_limit && wanted.groups.empty()) || run.find_inside() != inside || has_ended(wanted.process)) throw gone;
  if (!run.is_locked() || run.has_ended() || !is_present(run.file("namespace"))) throw gone;
}

}  // namespace

std::unique_ptr<ExecTarget> exec_in_sandbox(const ExecSpec& asked, const RunSpec& spec, ExecUser user) {
  const RunDirectory run(asked.run);
  Wanted wanted;
  join(run, spec, wanted);
  wanted.command = asked.command;
  std::map<std::string, std::string> env = spec.env;
  for (const auto& [name, value] : asked.env) env[name] = value;
  for (const auto& [name, value] : env) wanted.variables.push_back(name + "=" + value);
  wanted.working_directory = spec.working_directory;
  wanted.terminal = asked.terminal;
  wanted.window.ws_row = static_cast<unsigned short>(asked.rows);
  wanted.window.ws_col = static_cast<unsigned short>(asked.columns);
  return std::make_unique<SandboxTarget>(std::move(wanted), user);
}

}  // namespace volary
