// engine/exec.h: a command beside a run's process: in its sandbox or container, as the same user, within the same
// limits, with no more rights.
//
// A process of its own, "volary supervise +", stands between the command and its user's connection (net/tunnel.h): it
// holds at most a few buffers, so whoever is slow holds the other back. It ends the command with SIGHUP, and soon after
// with SIGKILL, when the connection or the server that started it is gone. The run's end ends the command as well.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/json.h"

namespace volary {

struct ExecSpec {
  std::string run;  // Its directory.
  std::vector<std::string> command;
  bool terminal = false;
  uint64_t rows = 24;
  uint64_t columns = 80;
  std::map<std::string, std::string> env;  // Besides the run's own.
};
BOOST_DESCRIBE_STRUCT(ExecSpec, (), (run, command, terminal, rows, columns, env))

// Gives `connection`, which is past its 101, to such a process. It lives no longer than the Fd that is returned, which
// reads as ended when it is gone. Any thread may call.
Fd start_exec(const Path& program, const ExecSpec& spec, Fd connection);

constexpr const char* exec_word = "+";  // As the directory of "volary supervise".
// That process. Its exit status.
int run_exec();

}  // namespace volary
