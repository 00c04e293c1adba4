// remote/memory_remote.h: a Remote in this process, for tests and for trying things out.
#pragma once

#include <memory>

#include "remote/remote.h"

namespace volary {

// Empty at first; ends with the object. The etag is the content's digest. `clock` gives the time of puts.
std::unique_ptr<Remote> open_memory_remote(Clock& clock = system_clock());

}  // namespace volary
