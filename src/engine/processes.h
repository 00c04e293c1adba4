// engine/processes.h: the children of this process, and all of this machine, as far as /proc shows them.
#pragma once

#include <vector>

#include "core/file.h"

namespace volary {

// Waits for a child. Its exit code, as shells count it: 128 + n for a signal n.
int wait_for_child(int pid);
// The same of what waitpid() tells.
int exit_code_of(int status);

// Their numbers, at some moment: each may be gone, or be another's, before it is looked at.
std::vector<int> all_processes();

// Whether a process that may still do something is left in the pid namespace with this number (of its inode), or in one
// below it.
bool is_namespace_populated(unsigned long number);

// To the process and all of the group that it leads, if it leads one. `number` is its own.
void signal_group(const Fd& process, int number, int signal);

// Those in pid namespace `number` or below.
std::vector<int> processes_in(unsigned long number);

}  // namespace volary
