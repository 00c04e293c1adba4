// engine/detach.h: a process that belongs to nobody.
#pragma once

#include <string>
#include <vector>

#include "core/file.h"

namespace volary {

// Starts `program` in a session of its own, with no open files but: standard input /dev/null, standard output a pipe,
// standard error appended to `error_log`. It is nobody's child and outlives the caller, and gets no signals that were
// meant for it. Returns the pipe's other end. If the program cannot be executed, the pipe ends and `error_log` says
// why. Any thread may call.
// `descriptors` become 3, 4, and so on.
Fd start_detached(const Path& program, const std::vector<std::string>& arguments,
                  const std::vector<std::string>& environment, const Path& error_log,
                  const std::vector<int>& descriptors = {});

}  // namespace volary
