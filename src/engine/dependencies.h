// engine/dependencies.h: what pip installs for a run before its command begins.
//
// It runs inside the sandbox as the job's user, so it needs python3 and pip on this machine, and the network or what
// the job's PIP_ variables name instead. What it prints is in the run's log. The packages lie below the working
// directory; wheels that it fetches or builds are kept in a cache for later runs, if there is one.
#pragma once

#include <string>

#include "engine/inside.h"

namespace volary {

constexpr const char* dependencies_directory = ".dependencies";  // Below the working directory, which is entered.

// "" when all are there, or why not, in pip's words; or that it took too long.
std::string install_dependencies(const InsideSpec& spec);

}  // namespace volary
