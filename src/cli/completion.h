// cli/completion.h: what may stand next on the command line, for shells.
//
// `volary __complete WORD…` answers with one candidate a line, "text TAB what it is", and perhaps a last line ":files"
// or
// ":directories" that leaves it to the shell. The scripts for the shells only ask and show; so they never grow old.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace volary {

// Names that only a server knows: of volumes, jobs, ….
using NamesOf = std::function<std::vector<std::string>(Words)>;

// `words` begin after the program's name; the last is being typed and may be empty.
std::string completion_lines(const std::vector<Command>& commands, const std::vector<std::string>& words,
                             const NamesOf& names_of);
// The same with the names of the session's server, if one runs.
std::string completion_answer(const std::vector<Command>& commands, const std::vector<std::string>& words,
                              Session& session);

// The script that a shell evaluates. `shell`: bash, zsh or fish.
std::string completion_script(const std::string& shell);

}  // namespace volary
