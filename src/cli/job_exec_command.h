// cli/job_exec_command.h: one of the nouns of cli/command_tree.cc.
#pragma once

#include <vector>

#include "cli/command.h"

namespace volary {

std::vector<Command> job_exec_commands();

}  // namespace volary
