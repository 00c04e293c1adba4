// core/disk_reserve.cc: one file, there or not.
#include "core/disk_reserve.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "core/error.h"

namespace volary {

uint64_t DiskReserve::bytes() const {
  struct statvfs disk {};
  const Path directory = file_.parent_path();
  if (::statvfs(directory.c_str(), &disk) < 0) throw error_from_errno(errno, "look at the disk of", directory.native());
  constexpr uint64_t least = 256 << 10;
  constexpr uint64_t most = 16 << 20;
  return std::clamp<uint64_t>(disk.f_blocks * disk.f_frsize / 64, least, most);
}

DiskReserve::Change DiskReserve::keep() {
  const uint64_t reserve = bytes();
  const uint64_t free = free_bytes(file_.parent_path());
  const bool is_there = is_present(file_);
  if (is_there && free < reserve / 2) {
    remove_file(file_);
    return Change::given;
  }
  if (is_there || free < 4 * reserve) return Change::none;
  const Fd file = create_file(file_, 0600);
  if (::posix_fallocate(file.get(), 0, static_cast<off_t>(reserve)) == 0) return Change::taken;
  remove_file(file_);
  return Change::none;
}

}  // namespace volary
