// engine/sandbox_report.cc: trying a sandbox out, for `volary doctor`.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "engine/processes.h"
#include "engine/sandbox.h"

namespace volary {
namespace {

struct Tried {
  int exit_code = 0;
  std::string output;  // Standard output and error.
};

// Only system calls between fork and exec: the server has many threads.
Tried try_command(const std::vector<std::string>& words) {
  Pipe said = make_pipe();
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const SandboxUser user = sandbox_user();
  const pid_t child = ::fork();
  if (child < 0) throw error_from_errno(errno, "fork for", words[0]);
  if (child == 0) {
    ::dup2(said.to_write.get(), STDOUT_FILENO);
    ::dup2(said.to_write.get(), STDERR_FILENO);
    become(user);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  said.to_write.close();
  Tried tried;
  std::array<char, 4096> block;
  while (const size_t size = read_some(said.to_read.get(), block, words[0])) tried.output.append(block.data(), size);
  tried.exit_code = wait_for_child(child);
  while (!tried.output.empty() && tried.output.back() == '\n') tried.output.pop_back();
  return tried;
}

bool is_zero(const Path& setting) { return try_read_file(setting).value_or("1").starts_with("0"); }

std::string why_namespaces_fail(const std::string& output) {
  if (is_zero("/proc/sys/kernel/unprivileged_userns_clone"))
    return "user namespaces are off (kernel.unprivileged_userns_clone = 0)";
  if (is_zero("/proc/sys/user/max_user_namespaces")) return "user namespaces are off (user.max_user_namespaces = 0)";
  if (!try_read_file("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").value_or("0").starts_with("0"))
    return "AppArmor refuses user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1); " + output;
  return output;
}

}  // namespace

SandboxReport describe_sandbox() {
  const auto bubblewrap = find_bubblewrap();
  if (!bubblewrap)
    return {.works = false, .used = "none", .reason = "bubblewrap is not installed: no program 'bwrap' along PATH"};
  const Tried version = try_command({bubblewrap->native(), "--version"});
  const Tried sandbox =
      try_command({bubblewrap->native(), "--unshare-user", "--unshare-pid", "--disable-userns", "--uid",
                   std::to_string(job_uid), "--ro-bind", "/", "/", "--proc", "/proc", "--", "/bin/true"});
  SandboxReport report;
  report.works = sandbox.exit_code == 0;
  report.used = version.output;
  report.reason = report.works ? fmt::format("makes a user and a process namespace; jobs run as uid {} of this machine",
                                             sandbox_user().uid)
                               : why_namespaces_fail(sandbox.output);
  return report;
}

}  // namespace volary
