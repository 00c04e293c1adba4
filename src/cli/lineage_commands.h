// cli/lineage_commands.h: the commands about where versions came from, for the table of all: what they were made of
// (lineage_command.cc), and what can be proven of it (receipt_commands.cc).
#pragma once

#include <vector>

#include "cli/command.h"

namespace volary {

std::vector<Command> lineage_commands();
std::vector<Command> receipt_commands();

}  // namespace volary
