// cli/parser.h: from words to a filled row of the command table.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/settings.h"

namespace volary {

enum class Asked { run, help, version };

struct Parsed {
  Asked asked = Asked::run;
  std::vector<std::string> path;     // Canonical words of the command or group.
  const Command* command = nullptr;  // Null for a group.
};

// Fills `flags` and the fields of the command that `arguments` (without the program's name) name.
// Throws `invalid`, naming the word that is wrong and where to read more.
Parsed parse_arguments(const std::vector<Command>& commands, GlobalFlags& flags,
                       const std::vector<std::string>& arguments);

}  // namespace volary
