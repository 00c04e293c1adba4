// mount/scratch.h: the directory in which one writable mount keeps its changes.
//
//   upper/       what the job wrote, as overlayfs left it; hostile
//   work/        overlayfs's own
//   mount.json   of which tree and which way; outside upper/, so that no job can say otherwise
#pragma once

#include "mount/kernel_mount.h"
#include "mount/mount.h"

namespace volary {

constexpr const char* upper_name = "upper";

struct Scratch {
  Path upper;
  Path work;
  OverlayXattrs xattrs{};
};

// Makes the scratch directory or takes what is there. Throws `conflict` if it holds changes of another tree or made
// another way.
Scratch make_scratch(const Path& directory, const Digest& tree, OverlayXattrs xattrs, Owner owner);
// Throws `not_found` if nothing was ever mounted there, `conflict` if it was another tree.
Scratch open_scratch(const Path& directory, const Digest& tree);

}  // namespace volary
