// mount/host_mount_test.cc: places that may be mounted at, and mounts that are found again by their names.
#include "mount/host_mount.h"

#include <gmock/gmock.h>
#include <sys/mount.h>

#include "mount/kernel_mount.h"
#include "mount/mount_test.h"

namespace volary {
namespace {

using namespace std::string_literals;

class HostMountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  TestDirectory directory_;
};

TEST_F(HostMountTest, PlacesAreReachedWithoutSymbolicLinks) {
  make_directories(directory_ / "a/b");
  make_symlink("a", directory_ / "link");
  make_symlink("b", directory_ / "a/last");
  write_text(directory_ / "a/b/file", "");
  const std::string root = directory_.path().native();
  EXPECT_EQ(open_place(root + "/a/b/").name, "b");
  for (const std::string& path : {"relative"s, "/"s, root + "/a/../a/b", root + "/./a", root + "//a"})
    EXPECT_THAT(error_of([&] { open_place(path); }), testing::HasSubstr("is no place for a mount")) << path;
  EXPECT_THAT(error_of([&] { open_place(root + "/link/b"); }),
              testing::HasSubstr("leads through a symbolic link: expected a path without one"));
  EXPECT_THAT(error_of([&] { open_place(root + "/absent/b"); }), testing::StartsWith("not_found: "));
  const auto opened = [&](const char* path) {
    return error_of([&] { open_empty_directory(open_place(root + path)); });
  };
  EXPECT_THAT(opened("/a/last"), testing::HasSubstr("is no directory: expected an empty one"));
  EXPECT_THAT(opened("/a/b"), testing::HasSubstr("is not empty: expected an empty directory"));
  EXPECT_THAT(opened("/a/b/file"), testing::HasSubstr("is no directory"));
  EXPECT_THAT(opened("/a/c"), testing::StartsWith("not_found: "));
}

TEST_F(HostMountTest, MountsAreFoundByTheirNamesUnderAnyPath) {
  const Path odd = directory_ / "a b\tc\\d\ne";
  EXPECT_EQ(in_child([&]() -> std::string {
              enter_mount_namespace(false);
              for (const char* name : {"lower", "upper", "work"}) make_directories(directory_ / "s" / name);
              make_directories(odd);
              OverlayLayers layers{.lower = directory_ / "s/lower", .data = {}, .upper = directory_ / "s/upper",
                                   .work = directory_ / "s/work"};
              layers.source = "volary:one";
              mount_overlay(layers, odd);
              const auto find = [&] {
                for (const HostMount& mount : host_mounts())
                  if (mount.source == "volary:one") return mount;
                return HostMount{};
              };
              if (find().path != odd) return "not found at " + printable(find().path.native());
              const Fd user = open_directory(odd);
              if (unmount_from_host(find()) != Unmounting::busy) return "it was not busy";
              const std::string users = users_of(find(), 3).at(0);
              if (users != fmt::format("mount_test ({})", ::getpid())) return users;
              mount_tmpfs(odd);
              const std::string over = error_of([&] { unmount_from_host(find()); });
              if (over.find("something else is mounted over") == over.npos) return over;
              detach_all_below(directory_.path());
              return find().id == 0 ? "gone" : "still there";
            }),
            "gone");
}

}  // namespace
}  // namespace volary
