// core/disk_reserve.h: room that is kept on a disk for the moment when it is full, so that there is a way out.
//
// On a disk without a byte left nothing starts: not the database, whose log must grow before a volume can be deleted,
// not the probing of mounts. So a file of some megabytes holds room that the server gives up then. What it may be used
// for, deleting and sweeping, makes enough room to take it back.
#pragma once

#include <cstdint>

#include "core/file.h"

namespace volary {

class DiskReserve {
 public:
  enum class Change { none, given, taken };

  // `file` need not exist; its directory must. One thread.
  explicit DiskReserve(Path file) : file_(std::move(file)) {}

  // Gives the room back if the disk has less than half of it free, takes it if four times as much is; what was done.
  // Not being able to take it is no error: then the disk is full already.
  Change keep();
  // How much it is on this disk: a 64th, 256 KiB to 16 MiB.
  uint64_t bytes() const;

 private:
  Path file_;
};

}  // namespace volary
