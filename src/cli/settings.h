// cli/settings.h: where the server is, who asks, and how answers are printed.
//
// Each value is taken from the first place that has it: flag, VOLARY_* variable, .volary.yaml in the working directory,
// the user's ~/.config/volary/config.yaml, /etc/volary/config.yaml. The files have the keys server, token_file,
// data_dir, project, output.
//
// A project's file comes with a project, perhaps from a stranger. So a server that it names gets only a token that it
// names too, from a file beside it, and it cannot choose a data directory: the server started there would run what lies
// in it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/output.h"
#include "core/file.h"

namespace volary {

// What may be given with every command.
struct GlobalFlags {
  std::optional<std::string> server;
  std::optional<std::string> token_file;
  std::optional<std::string> data_directory;
  std::optional<std::string> project;
  std::optional<std::string> output;
};

// The world around the program; a test makes its own.
struct Surroundings {
  std::function<std::optional<std::string>(const std::string&)>
      variable;  // Of the environment; empty counts as absent.
  Path working_directory;
  bool is_root = false;
  Path system_file = "/etc/volary/config.yaml";
};

Surroundings real_surroundings();

struct Settings {
  std::string server;  // "https://host", "http://host:port" or "unix:/path"; "" is this machine's own.
  Path data_directory;  // Absolute: of this machine's own server.
  std::optional<std::string> token;       // Itself, or
  std::optional<Path> token_file;         // where it is.
  std::string project;                    // What the commands are about; "" is the one that the server chooses.
  Format format = Format::table;
};

// Throws `invalid` naming the place of a wrong value.
Settings load_settings(const GlobalFlags& flags, const Surroundings& surroundings);

}  // namespace volary
