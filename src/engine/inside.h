// engine/inside.h: the last step, taken inside the sandbox: this program becomes the process.
//
// Bubblewrap cannot say when its command really began, nor in words why it did not. So it runs "program supervise -"
// first, which
//
//   reads its InsideSpec from standard input     and puts /dev/null in its place
//   installs its dependencies, if it has any     engine/dependencies.h
//   sends "ready" on descriptor 3, gets a byte   so that a stop that came before is before
//   executes the command                         and 3 closes by itself: the supervisor sees the end, the process runs
//   or stays, and executes it several times      engine/replicas.h; then it closes 3 when all of them run
//   or sends "CODE TEXT" and exits with CODE     127: no such command, 126: it cannot be executed
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

constexpr int inside_channel = 3;  // A SOCK_SEQPACKET socket.

struct InsideSpec {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string working_directory;
  std::vector<std::string> dependencies = {};
  std::optional<std::string> pip_cache = {};
  std::optional<uint64_t> replicas = {};
  std::optional<int64_t> grace_seconds = {};
  std::optional<int64_t> install_seconds = {};
};
BOOST_DESCRIBE_STRUCT(InsideSpec, (), (command, env, working_directory, dependencies, pip_cache, replicas,
                                       grace_seconds, install_seconds))

// Returns the exit code, if it did not become the command.
int run_inside();

}  // namespace volary
