// engine/inside.h: the last step, taken inside the sandbox: this program becomes the process.
//
// Bubblewrap cannot say when its command really began, nor in words why it did not. So it runs "program supervise -"
// first, which
//
//   reads its InsideSpec from standard input     and puts /dev/null in its place
//   sends "ready" on descriptor 3, gets a byte   so that a stop that came before is before
//   executes the command                         and 3 closes by itself: the supervisor sees the end, the process runs
//   or sends "CODE TEXT" and exits with CODE     127: no such command, 126: it cannot be executed
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

constexpr int inside_channel = 3;  // A SOCK_SEQPACKET socket.

struct InsideSpec {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string working_directory;
};
BOOST_DESCRIBE_STRUCT(InsideSpec, (), (command, env, working_directory))

// Returns only if the command could not be executed: the exit code.
int run_inside();

}  // namespace volary
