// engine/runs_test.h: for tests: runs in directories of their own, supervised by the test program itself.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/random.h"
#include "engine/guard.h"
#include "engine/log_pieces.h"
#include "engine/processes.h"
#include "engine/runner.h"

namespace volary::testing {

// A directory that is gone at the end; anybody may pass through it.
class Scratch {
 public:
  Scratch() : path_(std::filesystem::temp_directory_path() / new_id("volary-test")) { make_directory(path_); }
  ~Scratch() { remove_tree(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

// Waits until `ready`; gives up only when something is truly stuck.
inline bool wait_until(const std::function<bool()>& ready) {
  for (int i = 0; i < 12'000; ++i) {
    if (ready()) return true;
    ::poll(nullptr, 0, 5);
  }
  return false;
}

// Runs `work` in a child as another user (or the same one) and returns what it returned.
inline std::string in_child(uint32_t uid, const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe(ends) < 0) ::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    if (uid != 0) become({uid, uid});
    std::string text;
    try {
      text = work();
    } catch (const std::exception& error) {
      text = error.what();
    }
    if (::write(ends[1], text.data(), text.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(ends[1]);
  const Fd from(ends[0]);
  StringSink text;
  FileSource source(Fd(::dup(from.get())), "the child");
  pump(source, text);
  ::waitpid(child, nullptr, 0);
  return text.text;
}

// The log without the times.
inline std::string texts(const std::string& log) {
  std::istringstream in(log);
  std::string all;
  for (std::string line; std::getline(in, line);) all += line.substr(std::min<size_t>(line.size(), 28)) + "\n";
  return all;
}

inline bool is_over(const RunStatus& status) {
  return status.phase == RunPhase::exited || status.phase == RunPhase::lost;
}

class Runs : public ::testing::Test {
 protected:
  // A run of its own: a directory, and a workspace that its process may write to.
  struct Run {
    Path directory;
    RunSpec spec;
  };

  Run new_run(const std::vector<std::string>& command, const Path& parent = {}) {
    Run run;
    const Path base = parent.empty() ? scratch_.path() : parent;
    run.directory = base / new_id("job");
    make_directory(run.directory, 0700);
    const Path workspace = run.directory / "workspace";
    make_directory(workspace);
    const SandboxUser user = sandbox_user();
    if (::chown(workspace.c_str(), user.uid, user.gid) < 0) ::abort();
    run.spec.name = run.directory.filename();
    run.spec.command = command;
    run.spec.env = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/workspace"}};
    run.spec.working_directory = "/workspace";
    run.spec.binds = {{workspace.native(), "/workspace", true}};
    run.spec.mounts = json::array();
    return run;
  }
  Run new_shell(const std::string& script, const Path& parent = {}) {
    return new_run({"/bin/sh", "-c", script}, parent);
  }

  RunStatus wait(const Run& run) {
    EXPECT_TRUE(wait_until([&] { return is_over(runner_->poll(run.directory)); })) << "the run never ended";
    return runner_->poll(run.directory);
  }
  RunStatus complete(const Run& run) {
    runner_->start(run.directory, run.spec);
    return wait(run);
  }
  static std::string log(const Run& run) {
    std::string all;
    for (;;) {
      const LogText more = read_log(run.directory / "log", all.size(), 1 << 30);
      if (more.text.empty()) return all;
      all += more.text;
    }
  }
  void wait_for_line(const Run& run, const std::string& line) {
    const auto is_there = [&] { return texts(log(run)).find(line + "\n") != std::string::npos; };
    wait_until([&] { return is_there() || is_over(runner_->poll(run.directory)); });
    ASSERT_TRUE(is_there()) << runner_->poll(run.directory).error << "\n" << log(run);
  }
  // "exit 0: text of the log", or why there is no exit code.
  std::string told(const Run& run) {
    const RunStatus status = complete(run);
    const std::string code = status.exit_code ? "exit " + std::to_string(*status.exit_code) : "no exit code";
    return code + (status.error.empty() ? "" : " (" + status.error + ")") + "\n" + texts(log(run));
  }
  // The processes of the host that have `marker` among their arguments, except this one.
  static std::vector<int> processes_with(const std::string& marker) {
    std::vector<int> found = all_processes();
    std::erase_if(found, [&](int pid) {
      std::string arguments;
      try {
        arguments = try_read_file("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
      } catch (const Error&) {  // It ended while it was read.
      }
      return pid == ::getpid() || arguments.find(marker) == std::string::npos;
    });
    return found;
  }
  static bool is_running(const std::string& marker) { return !processes_with(marker).empty(); }
  // The guard is a fork of the supervisor and looks like it, but is younger.
  static void kill_supervisor(const Run& run) {
    const std::vector<int> found = processes_with(run.directory.native());
    ASSERT_FALSE(found.empty());
    ::kill(*std::min_element(found.begin(), found.end()), SIGKILL);
  }

  Scratch scratch_;
  // Seconds for `sleep` by which a run's processes are told from those of tests that run at the same time.
  const std::string nap_ = "1000000." + std::to_string(std::random_device()());
  std::unique_ptr<Runner> runner_ = make_local_runner("/proc/self/exe");
};

}  // namespace volary::testing
