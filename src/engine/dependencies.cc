// engine/dependencies.cc: pip as a child, its words passed on and remembered.
#include "engine/dependencies.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/file.h"
#include "core/quantity.h"
#include "engine/deadline.h"
#include "engine/execute.h"
#include "engine/pip_words.h"
#include "engine/processes.h"

namespace volary {
namespace {

std::vector<std::string> command_of(const InsideSpec& spec) {
  std::vector<std::string> words = {"python3", "-m", "pip", "install", "--target", dependencies_directory,
                                    "--disable-pip-version-check", "--no-input", "--progress-bar", "off"};
  for (const std::string& one : spec.dependencies) {
    if (one.starts_with("-r ")) {
      words.push_back("-r");
      words.push_back(one.substr(3));
    } else {
      words.push_back(one);
    }
  }
  return words;
}

// Passes on what pip prints until it has ended. False if that took too long.
bool listen(const Fd& output, std::optional<int64_t> seconds, PipWords& words) {
  Deadline deadline;
  if (seconds) deadline.set(*seconds);
  std::array<char, 4096> block;
  for (;;) {
    pollfd waiting{output.get(), POLLIN, 0};
    if (deadline.has_passed()) return false;
    if (::poll(&waiting, 1, deadline.millis()) <= 0) continue;
    const ssize_t size = ::read(output.get(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return true;
    const std::string_view text(block.data(), static_cast<size_t>(size));
    write_all(STDOUT_FILENO, text, "the log");
    words.take(text);
  }
}

}  // namespace

std::string install_dependencies(const InsideSpec& spec) {
  auto env = spec.env;
  env["PIP_BREAK_SYSTEM_PACKAGES"] = "1";  // Nothing of the system is touched: there is a target.
  if (spec.pip_cache) env["PIP_CACHE_DIR"] = *spec.pip_cache;
  Pipe output = make_pipe();
  const pid_t pid = ::fork();
  if (pid < 0) throw error_from_errno(errno, "start", "pip");
  if (pid == 0) {
    ::dup2(output.to_write.get(), STDOUT_FILENO);
    ::dup2(output.to_write.get(), STDERR_FILENO);
    ::_exit(exit_code_of_failure(execute(command_of(spec), env)));
  }
  output.to_write.close();
  PipWords words;
  const bool in_time = listen(output.to_read, spec.install_seconds, words);
  if (!in_time) ::kill(-1, SIGKILL);  // Nothing else runs in this process namespace yet.
  const int exit_code = wait_for_child(pid);
  if (!in_time)
    return fmt::format("the dependencies could not be installed within {}, the job's timeout",
                       seconds_text(*spec.install_seconds));
  if (exit_code == 0) return "";
  constexpr std::string_view failed = "the dependencies could not be installed: ";
  if (exit_code == exit_code_of_failure(ENOENT))
    return std::string(failed) + "there is no python3 on this machine's PATH, which pip needs";
  if (words.lacks_pip())
    return std::string(failed) + "python3 on this machine has no pip: install it (Debian: python3-pip)";
  return std::string(failed) + words.text();
}

}  // namespace volary
