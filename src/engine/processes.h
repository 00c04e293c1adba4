// engine/processes.h: the processes of this machine, as far as /proc shows them.
#pragma once

#include <vector>

namespace volary {

// Their numbers, at some moment: each may be gone, or be another's, before it is looked at.
std::vector<int> all_processes();

// Whether a process that may still do something is left in the pid namespace with this number (of its inode), or in one
// below it.
bool is_namespace_populated(unsigned long number);

}  // namespace volary
