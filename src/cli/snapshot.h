// cli/snapshot.h: making a directory of the server's machine a version; two commands do.
#pragma once

#include <string>

#include "cli/session.h"
#include "cli/watch.h"
#include "record/transfer.h"

namespace volary {

// Starts the snapshot and waits for its end, unless told not to; the exit code. A relative path counts from here, which
// means something only where the server is this machine's.
int take_snapshot(Session& session, const std::string& volume, NewSnapshot asked, Detach detach);

}  // namespace volary
