// store/sweep.h: what lies in quarantine, and images that nobody needs: the last steps of a sweep.
//
//   quarantine/objects/ab/cdef…, quarantine/trees/ab/cdef…
//
// Who may go there, and for how long, is decided where the versions are known (volume/upkeep_sweep.cc).
#pragma once

#include <functional>
#include <vector>

#include "core/clock.h"
#include "store/check.h"
#include "store/store.h"

namespace volary {

Path quarantine_path(const Store& store, ObjectKind kind, const Digest& digest);

// Everything in quarantine: trees, then blobs, each in order of digests.
void each_quarantined(const Store& store,
                      const std::function<void(ObjectKind, const Digest& digest, uint64_t bytes)>& visit);
// Deletes it for good. Absent is success.
void unlink_quarantined(const Store& store, ObjectKind kind, const Digest& digest);

// Entries of images/ that were made from trees which are not in `marks`, before `until`. They are derived, and made
// again when needed; without a version no mount of them can be.
std::vector<Path> idle_images(const Store& store, const Marks& marks, Time until);
// The tree that the entry of images/ with this name was made from, or nothing.
std::optional<Digest> tree_of_image(const std::string& name);

}  // namespace volary
