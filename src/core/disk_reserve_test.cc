// core/disk_reserve_test.cc: on a real small disk that becomes full and empty again.
#include "core/disk_reserve.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/random.h"

namespace volary {
namespace {

using enum DiskReserve::Change;

// A file system of its own of `size`.
class SmallDisk {
 public:
  explicit SmallDisk(const char* size) : path_("/dev/shm/volary-disk-" + random_hex(8)) {
    make_directory(path_);
    is_mounted = ::mount("none", path_.c_str(), "tmpfs", 0, (std::string("size=") + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (is_mounted) ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
  }
  // Takes all of the disk but `left` bytes.
  void fill(uint64_t left) const {
    const Fd file = create_file(path_ / "filler");
    const uint64_t free = free_bytes(path_);
    write_all(file.get(), std::string(free > left ? free - left : 0, 'x'), "filler");
  }
  const Path& path() const { return path_; }
  bool is_mounted = false;

 private:
  Path path_;
};

TEST(DiskReserve, IsGivenBackWhenTheDiskIsFullAndTakenAgainWhenItIsNot) {
  const SmallDisk disk("8m");
  if (!disk.is_mounted) GTEST_SKIP() << "mounting needs root";
  DiskReserve reserve(disk.path() / "reserve");
  EXPECT_EQ(reserve.bytes(), 256u << 10);
  const uint64_t before = free_bytes(disk.path());
  EXPECT_EQ(reserve.keep(), taken);
  EXPECT_EQ(before - free_bytes(disk.path()), reserve.bytes());
  EXPECT_EQ(reserve.keep(), none);

  disk.fill(0);
  EXPECT_EQ(reserve.keep(), given);
  EXPECT_EQ(free_bytes(disk.path()), reserve.bytes());
  EXPECT_EQ(reserve.keep(), none) << "what was given back is not taken at once again";

  remove_file(disk.path() / "filler");
  EXPECT_EQ(reserve.keep(), taken);
}

TEST(DiskReserve, IsNotTakenOfADiskThatIsFullFromTheStart) {
  const SmallDisk disk("1m");
  if (!disk.is_mounted) GTEST_SKIP() << "mounting needs root";
  disk.fill(100'000);
  DiskReserve reserve(disk.path() / "reserve");
  EXPECT_EQ(reserve.keep(), none);
  EXPECT_FALSE(is_present(disk.path() / "reserve"));
}

}  // namespace
}  // namespace volary
