// cli/cli.h: the command line: everything after `volary`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"

namespace volary {

// What `volary server` was told.
struct ServerConfig {
  Path data_directory;  // Absolute.
  std::string socket;   // Of the Unix socket; DATA/volary.sock unless told.
  std::string host;     // "" for no TCP.
  uint16_t port = 0;    // 0: any free one.
  std::vector<std::string> snapshot_from;  // Directories of which anybody may take snapshots, with all below them.
};

// Runs one command and gives the exit code. `serve` runs the server in the foreground until it is told to end.
// Data goes to stdout, everything else to stderr. Never throws an Error: it is printed, and its code is the exit code.
int run_cli(int argc, char** argv, const std::function<int(const ServerConfig&)>& serve,
            std::string_view version = "0.1.0");

}  // namespace volary
