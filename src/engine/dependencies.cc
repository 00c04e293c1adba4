// engine/dependencies.cc: pip as a child, its words passed on and remembered.
#include "engine/dependencies.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "core/file.h"
#include "core/quantity.h"
#include "engine/execute.h"

namespace volary {
namespace {

constexpr size_t words_bytes_max = 2000;

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

// What pip says that tells most: its errors, else its last line.
class Words {
 public:
  void take(std::string_view text) {
    for (const char c : text) {
      if (c != '\n') line_ += c;
      else end_line();
    }
  }
  std::string text() {
    end_line();
    std::string told = errors_.empty() ? last_ : errors_;
    if (told.size() > words_bytes_max) told.resize(words_bytes_max);
    return told;
  }
  bool lacks_pip() const { return lacks_pip_; }

 private:
  void end_line() {
    constexpr std::string_view mark = "ERROR: ";
    lacks_pip_ |= line_.ends_with("No module named pip");
    if (line_.starts_with(mark) && errors_.size() < words_bytes_max)
      errors_ += (errors_.empty() ? "" : "; ") + line_.substr(mark.size());
    if (!line_.empty()) last_ = line_;
    line_.clear();
  }

  std::string line_;
  std::string last_;
  std::string errors_;
  bool lacks_pip_ = false;
};

// Passes on what pip prints until it has ended. False if that took too long.
bool listen(const Fd& output, std::optional<int64_t> seconds, Words& words) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(seconds.value_or(0));
  std::array<char, 4096> block;
  for (;;) {
    pollfd waiting{output.get(), POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (seconds && left <= 0) return false;
    const int64_t wait = seconds ? std::min<int64_t>(left, 3'600'000) : -1;
    if (::poll(&waiting, 1, static_cast<int>(wait)) <= 0) continue;
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
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw error_from_errno(errno, "make", "a pipe");
  Fd output(ends[0]), theirs(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) throw error_from_errno(errno, "start", "pip");
  if (pid == 0) {
    ::dup2(theirs.get(), STDOUT_FILENO);
    ::dup2(theirs.get(), STDERR_FILENO);
    ::_exit(exit_code_of_failure(execute(command_of(spec), env)));
  }
  theirs.close();
  Words words;
  const bool in_time = listen(output, spec.install_seconds, words);
  if (!in_time) ::kill(-1, SIGKILL);  // Nothing else runs in this process namespace yet.
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time)
    return fmt::format("the dependencies could not be installed within {}, the job's timeout",
                       seconds_text(*spec.install_seconds));
  if (status == 0) return "";
  constexpr std::string_view failed = "the dependencies could not be installed: ";
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_code_of_failure(ENOENT))
    return std::string(failed) + "there is no python3 on this machine's PATH, which pip needs";
  if (words.lacks_pip())
    return std::string(failed) + "python3 on this machine has no pip: install it (Debian: python3-pip)";
  return std::string(failed) + words.text();
}

}  // namespace volary
