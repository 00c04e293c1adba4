// mount/held_image.h: a packed image that is mounted, but at no path.
//
// The kernel forgets what was read through a mount when the last mount of its file system ends. Held, a packed image
// has one for as long as the server runs: what one job has read of it, the next one finds in memory. What is held needs
// no cleaning up, it ends with the process.
#pragma once

#include <functional>

#include "core/file.h"

namespace volary {

class HeldImage {
 public:
  // Throws what keeps it from being mounted by a loop device: then each mount of it reads for itself.
  explicit HeldImage(const Path& image);

  // Reads all of its files once, so that the first who mounts it finds them in memory; nothing where that would take
  // more than a quarter of the memory that is free. `check` is called again and again; what it throws ends it.
  void read_all(const std::function<void()>& check) const;

 private:
  Path image_;
  Fd root_;
};

}  // namespace volary
