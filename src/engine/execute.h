// engine/execute.h: becoming another program, inside the sandbox.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace volary {

// Signals as a new process has them.
void reset_signals();

// Replaces this process, with `env` as its whole environment; the command is looked for along the PATH in there.
// Returns only if that failed: the errno.
int execute(const std::vector<std::string>& command, const std::map<std::string, std::string>& env);

// "the command 'x' was not found: …", for people.
std::string why_not_executed(const std::string& command, int number);
// 127: no such command, 126: it cannot be executed.
int exit_code_of_failure(int number);

}  // namespace volary
