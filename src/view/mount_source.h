// view/mount_source.h: how a mount of ours is known among all others of the machine. For this folder only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mount/host_mount.h"
#include "view/mount_rows.h"

namespace volary {

// What its overlay is called. A bind mount has no name of its own; it is known by what it binds, a link farm or the
// tree in a packed image, and by the path.
std::string source_of(const MountRow& row);
std::optional<HostMount> find_standing(const std::vector<HostMount>& mounts, const MountRow& row);

}  // namespace volary
