// remote/git_process.h: the program git, run where it can do nothing but what is wanted of it.
//
// It sees no configuration of this machine or user, runs no hook, asks for no password, and speaks only the protocols
// named. Secrets reach it by its environment, which only its own user can read, never as words.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "core/error.h"
#include "core/file.h"

namespace volary {

struct GitSurroundings {
  Path directory{};                             // Where it runs, and its home unless the variables name one.
  std::string protocols = "http:https";         // GIT_ALLOW_PROTOCOL
  std::map<std::string, std::string> settings{};   // As in git's configuration: {"http.proxy", "http://…"}.
  std::map<std::string, std::string> variables{};  // More of the environment.
  std::stop_token stop{};                          // Of run_git(): kills it.
};

// A git that runs; killed, with all that it started, when the object goes before wait().
class GitProcess {
 public:
  GitProcess(const std::vector<std::string>& words, const GitSurroundings& surroundings);
  ~GitProcess();
  GitProcess(const GitProcess&) = delete;
  GitProcess& operator=(const GitProcess&) = delete;

  void write(std::string_view bytes);
  // No more will be written.
  void end_input() { input_.close(); }
  // Up to and without `end`; false where the output ended before it, with what there was.
  bool read_until(char end, std::string& text);
  // What there is by now, at least a byte; false at the end of the output.
  bool read_some(Sink& sink);
  // Exactly so many bytes into `sink`; throws `corrupt` if fewer come.
  void read(uint64_t size, Sink& sink);
  // Any thread, before wait().
  void kill();
  // To its end, which is a failure unless its exit status is 0: `unavailable`, with what it said.
  void wait();

 private:
  bool read_more();
  std::string said() const;
  Error failure() const;

  std::string command_;  // "git fetch": for messages.
  Fd input_;
  Fd output_;
  Fd errors_;
  pid_t process_ = -1;
  std::string buffer_;
  size_t used_ = 0;  // Of buffer_.
};

// Runs it to its end; what it printed, at most bytes_max of it. Throws `unavailable` if it was stopped.
std::string run_git(const std::vector<std::string>& words, const GitSurroundings& surroundings,
                    uint64_t bytes_max = 1 << 30);

}  // namespace volary
