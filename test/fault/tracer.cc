// fault/tracer.cc: runs a command and does something to it at exactly one of the system calls by which it changes files.
//
//   volary_tracer [OPTION…] -- COMMAND…
//     --below DIR     only calls on files below it count (and writes to descriptor 1: what the command acknowledges)
//     --act ACT       count (nothing, the default)
//                     kill      SIGKILL before the call happens
//                     cut       the power: the file system of DIR forgets all that is not durable, then SIGKILL; before the
//                               call, but for an acknowledgement after it
//                     fail      the call does not happen and fails with --errno
//     --at N          at the N-th call that counts, from 1
//     --from-then-on  with fail: all later ones of its class too
//     --class CLASS   all (default), write (calls that need room), sync, or ack: which calls count
//     --errno NUMBER  5 (EIO) unless told
//
// Its last line on standard error is a JSON object: the number of calls that counted, how often it acted, after how many
// acknowledgements and on what, and how the command ended. All threads and children are watched, by a seccomp filter that stops at these calls only:
// so the count is one over all kinds of calls, and nothing else is slower.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#ifndef __x86_64__
#error "the tracer knows the registers of x86-64 only"
#endif

namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(125);
}

// What a call is for, and where it says which file.
enum class Kind { write, sync, name };
enum class Where {
  fd,      // Argument 0 is a descriptor.
  fd_2,    // Argument 2 is (copy_file_range).
  path,    // Argument 0 is a path.
  path_1,  // Argument 1 is a path.
  at,      // Arguments 0 and 1 are a directory and a path.
  at_2,    // Arguments 2 and 3 are.
};

struct Call {
  const char* name;
  Kind kind;
  Where where;
};

const std::map<long, Call> calls = {
    {SYS_openat, {"openat", Kind::write, Where::at}},       // Only with O_CREAT or O_TRUNC: it makes a file.
    {SYS_open, {"open", Kind::write, Where::path}},         // The same.
    {SYS_write, {"write", Kind::write, Where::fd}},
    {SYS_pwrite64, {"pwrite64", Kind::write, Where::fd}},
    {SYS_writev, {"writev", Kind::write, Where::fd}},
    {SYS_pwritev, {"pwritev", Kind::write, Where::fd}},
    {SYS_pwritev2, {"pwritev2", Kind::write, Where::fd}},
    {SYS_sendfile, {"sendfile", Kind::write, Where::fd}},
    {SYS_splice, {"splice", Kind::write, Where::fd_2}},
    {SYS_copy_file_range, {"copy_file_range", Kind::write, Where::fd_2}},
    {SYS_fallocate, {"fallocate", Kind::write, Where::fd}},
    {SYS_ioctl, {"ioctl", Kind::write, Where::fd}},         // Only FICLONE and FICLONERANGE.
    {SYS_ftruncate, {"ftruncate", Kind::write, Where::fd}},
    {SYS_truncate, {"truncate", Kind::write, Where::path}},
    {SYS_fsync, {"fsync", Kind::sync, Where::fd}},
    {SYS_fdatasync, {"fdatasync", Kind::sync, Where::fd}},
    {SYS_syncfs, {"syncfs", Kind::sync, Where::fd}},
    {SYS_sync_file_range, {"sync_file_range", Kind::sync, Where::fd}},
    {SYS_rename, {"rename", Kind::name, Where::path}},
    {SYS_renameat, {"renameat", Kind::name, Where::at}},
    {SYS_renameat2, {"renameat2", Kind::name, Where::at}},
    {SYS_mkdir, {"mkdir", Kind::write, Where::path}},
    {SYS_mkdirat, {"mkdirat", Kind::write, Where::at}},
    {SYS_rmdir, {"rmdir", Kind::name, Where::path}},
    {SYS_unlink, {"unlink", Kind::name, Where::path}},
    {SYS_unlinkat, {"unlinkat", Kind::name, Where::at}},
    {SYS_link, {"link", Kind::write, Where::path_1}},
    {SYS_linkat, {"linkat", Kind::write, Where::at_2}},
    {SYS_symlink, {"symlink", Kind::write, Where::path_1}},
    {SYS_chmod, {"chmod", Kind::name, Where::path}},
    {SYS_fchmod, {"fchmod", Kind::name, Where::fd}},
    {SYS_fchmodat, {"fchmodat", Kind::name, Where::at}},
    {SYS_utimensat, {"utimensat", Kind::name, Where::at}},
    {SYS_setxattr, {"setxattr", Kind::write, Where::path}},
    {SYS_fsetxattr, {"fsetxattr", Kind::write, Where::fd}},
};

struct Options {
  std::string below;
  std::string act = "count";
  std::string of_class = "all";
  long at = 0;
  long error = EIO;
  bool from_then_on = false;
  char** command = nullptr;
};

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (word == "--") {
      options.command = argv + i + 1;
      break;
    }
    if (word == "--below") options.below = value();
    else if (word == "--act") options.act = value();
    else if (word == "--at") options.at = std::atol(value());
    else if (word == "--errno") options.error = std::atol(value());
    else if (word == "--class") options.of_class = value();
    else if (word == "--from-then-on") options.from_then_on = true;
    else std::fprintf(stderr, "volary_tracer: unknown option '%s'\n", argv[i]), std::exit(125);
  }
  if (!options.command || !*options.command) std::fprintf(stderr, "volary_tracer: no command\n"), std::exit(125);
  return options;
}

// Stops at the calls of the list; those that open are looked at once more by Tracer::counts.
void install_filter() {
  std::vector<sock_filter> code;
  const auto load = [&](size_t offset) {
    code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)));
  };
  load(offsetof(seccomp_data, nr));
  for (const auto& [number, call] : calls) {
    if (number == SYS_openat || number == SYS_open) continue;
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  }
  for (const auto& [number, flags] : {std::pair{SYS_openat, 2}, std::pair{SYS_open, 1}}) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 4));
    load(offsetof(seccomp_data, args) + 8 * static_cast<size_t>(flags));
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC, 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) die("prctl");
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) die("seccomp");
}

class Tracer {
 public:
  explicit Tracer(const Options& options) : options_(options) {
    if (options_.act == "cut") {
      mount_ = ::open(options_.below.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (mount_ < 0) die(options_.below.c_str());
    }
  }

  int run() {
    start();
    int status = 0;
    for (;;) {
      const pid_t one = ::waitpid(-1, &status, __WALL);
      if (one < 0) break;
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (one == child_) end_ = status;
        continue;
      }
      if (WIFSTOPPED(status)) go_on(one, status);
    }
    const int code = WIFEXITED(end_) ? WEXITSTATUS(end_) : 128 + WTERMSIG(end_);
    std::fprintf(stderr,
                 "{\"calls\": %ld, \"fired\": %ld, \"after\": %ld, \"call\": \"%s\", \"path\": \"%s\", \"exit\": %d}\n",
                 counted_, fired_, fired_after_, fired_call_.c_str(), fired_path_.c_str(), code);
    return 0;
  }

 private:
  void start() {
    child_ = ::fork();
    if (child_ < 0) die("fork");
    if (child_ == 0) {
      if (::ptrace(PTRACE_TRACEME, 0, 0, 0) < 0) die("ptrace");
      ::raise(SIGSTOP);
      install_filter();
      ::execvp(options_.command[0], options_.command);
      die(options_.command[0]);
    }
    int status = 0;
    if (::waitpid(child_, &status, 0) < 0) die("waitpid");
    const long wanted = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                        PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;
    if (::ptrace(PTRACE_SETOPTIONS, child_, 0, wanted) < 0) die("ptrace options");
    ::ptrace(PTRACE_CONT, child_, 0, 0);
  }

  void go_on(pid_t one, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    int deliver = 0;
    bool to_exit_of_call = false;
    if (event == PTRACE_EVENT_SECCOMP) to_exit_of_call = at_call(one);
    else if (signal == (SIGTRAP | 0x80)) cut(one);  // The acknowledgement is out.
    else if (event == 0 && !(signal == SIGSTOP && seen_.insert(one).second)) deliver = signal;
    ::ptrace(to_exit_of_call ? PTRACE_SYSCALL : PTRACE_CONT, one, 0, deliver);
  }

  // Whether to come back when the call is done.
  bool at_call(pid_t one) {
    user_regs_struct registers{};
    if (::ptrace(PTRACE_GETREGS, one, 0, &registers) < 0) return false;  // It was killed meanwhile.
    const auto found = calls.find(static_cast<long>(registers.orig_rax));
    if (found == calls.end() || !counts(one, found->second, registers)) return false;
    ++counted_;
    const bool now = counted_ == options_.at || (options_.from_then_on && counted_ > options_.at);
    if (options_.act == "count" || !now) return false;
    if (fired_++ == 0) {
      fired_call_ = found->second.name;
      fired_path_ = path_;
      fired_after_ = acknowledgements_;
    }
    if (options_.act == "kill") ::kill(child_, SIGKILL);
    if (options_.act == "cut" && is_acknowledgement_) return true;
    if (options_.act == "cut") cut(one);
    if (options_.act == "fail") {
      registers.orig_rax = static_cast<unsigned long long>(-1);  // No such call: it is skipped, and this is its result.
      registers.rax = static_cast<unsigned long long>(-options_.error);
      ::ptrace(PTRACE_SETREGS, one, 0, &registers);
    }
    return false;
  }

  void cut(pid_t) {
    unsigned how = 2;  // FS_GOING_FLAGS_NOLOGFLUSH: as if the machine had lost its power.
    if (::ioctl(mount_, _IOR('X', 125, unsigned), &how) < 0) die("FS_IOC_SHUTDOWN");
    ::kill(child_, SIGKILL);
  }

  bool counts(pid_t one, const Call& call, const user_regs_struct& registers) {
    const std::array<unsigned long long, 4> arguments = {registers.rdi, registers.rsi, registers.rdx, registers.r10};
    if (call.name == std::string_view("ioctl") && arguments[1] != FICLONE && arguments[1] != FICLONERANGE) return false;
    is_acknowledgement_ = call.where == Where::fd && call.kind == Kind::write && arguments[0] == 1;
    acknowledgements_ += is_acknowledgement_;
    path_ = is_acknowledgement_ ? "(acknowledgement)" : path_of(one, call.where, arguments);
    if (!is_acknowledgement_ && !path_.starts_with(options_.below)) return false;
    if (options_.of_class == "all") return options_.act != "fail" || !is_acknowledgement_;
    if (options_.of_class == "ack") return is_acknowledgement_;
    return !is_acknowledgement_ && call.kind == (options_.of_class == "write" ? Kind::write : Kind::sync);
  }

  static std::string path_of(pid_t one, Where where, const std::array<unsigned long long, 4>& arguments) {
    switch (where) {
      case Where::fd: return of_descriptor(one, static_cast<int>(arguments[0]));
      case Where::fd_2: return of_descriptor(one, static_cast<int>(arguments[2]));
      case Where::path: return below(one, AT_FDCWD, arguments[0]);
      case Where::path_1: return below(one, AT_FDCWD, arguments[1]);
      case Where::at: return below(one, static_cast<int>(arguments[0]), arguments[1]);
      case Where::at_2: return below(one, static_cast<int>(arguments[2]), arguments[3]);
    }
    return {};
  }

  static std::string of_descriptor(pid_t one, int number) {
    const std::string link = "/proc/" + std::to_string(one) +
                             (number == AT_FDCWD ? std::string("/cwd") : "/fd/" + std::to_string(number));
    std::array<char, 4096> text{};
    const ssize_t size = ::readlink(link.c_str(), text.data(), text.size());
    return size < 0 ? std::string() : std::string(text.data(), static_cast<size_t>(size));
  }

  static std::string below(pid_t one, int directory, unsigned long long at) {
    std::string text;
    while (text.size() < 4096) {  // Within one page at a time: the next may not be there.
      std::array<char, 256> block{};
      const size_t room = std::min<size_t>(block.size(), 4096 - at % 4096);
      const iovec to{block.data(), room};
      const iovec from{reinterpret_cast<void*>(at), room};
      const ssize_t size = ::process_vm_readv(one, &to, 1, &from, 1, 0);
      if (size <= 0) break;
      const std::string_view read(block.data(), static_cast<size_t>(size));
      text += read.substr(0, read.find('\0'));
      if (read.find('\0') != read.npos) break;
      at += static_cast<unsigned long long>(size);
    }
    if (text.starts_with('/')) return text;
    return of_descriptor(one, directory) + "/" + text;
  }

  const Options& options_;
  int mount_ = -1;
  pid_t child_ = 0;
  int end_ = 0;
  long counted_ = 0;
  long fired_ = 0;
  long fired_after_ = 0;
  long acknowledgements_ = 0;
  std::string fired_call_;
  std::string fired_path_;
  std::string path_;
  bool is_acknowledgement_ = false;
  std::set<pid_t> seen_;  // Threads and children whose first stop, which is ours, has been passed.
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = options_of(argc, argv);
  return Tracer(options).run();
}
