// cli/help.h: the help pages, made from the table of commands.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace volary {

// Of the command or group at `path`; {} is the whole program.
std::string help_text(const std::vector<Command>& commands, const std::vector<std::string>& path);

}  // namespace volary
