// mount/harvest_renames_test.cc: renames of renames, over others, and deep; harvested without reading a byte.
#include <fcntl.h>
#include <sys/stat.h>

#include "mount/mount_test.h"

namespace volary {
namespace {

const MountWays image_ways{ReadOnlyWay::erofs_overlay, WritableWay::overlay, "", "", Layering::ordinary};

class HarvestRenames : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    for (const char* name : {"a/b/c/one", "a/b/two", "x/one", "y/z/three"})
      write_text(directory_ / "tree" / name, name);
    write_text(directory_ / "tree/large", std::string(3 << 20, 'l'));
    tree_ = add_all_of(*store_, directory_ / "tree");
  }
  // What `work` leaves of the tree, and how many bytes the harvest read; the merged view if they differ.
  std::string result_of(const std::function<void(const Path&)>& work) {
    const MountPlan plan = mounter_->prepare_writable(tree_, "0", directory_ / "scratch");
    const Path at = directory_ / "staging" / plan.root;
    const Path other = directory_ / "other";
    const std::string seen = with_mounts({plan}, directory_ / "staging", [&] {
      work(at);
      return add_all_of(*open_store(other), at).hex();
    });
    const auto commit = store_->begin_commit();
    Progress progress;
    const Harvest harvested =
        harvest(*store_, *commit, tree_, directory_ / "scratch", Deletions::keep, progress);
    const TreeSummary made = apply_changes(*store_, *commit, tree_, harvested.changes);
    return made.tree.hex() == seen ? fmt::format("as seen, {} bytes read", harvested.bytes) : "not as seen: " + seen;
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_ = open_store(directory_ / "store");
  std::unique_ptr<Mounter> mounter_ = open_mounter(*store_, image_ways, {0, 0});
  Digest tree_;
};

TEST_F(HarvestRenames, OfARenamedDirectoryAndOfOneWithinIt) {
  EXPECT_EQ(result_of([](const Path& at) {
              rename_file(at / "a", at / "first");
              rename_file(at / "first/b", at / "first/inner");
              rename_file(at / "first", at / "y/z/second");
              rename_file(at / "y/z/second/inner/c", at / "top");
              rename_file(at / "top", at / "x/c");
            }),
            "as seen, 0 bytes read");
}

TEST_F(HarvestRenames, OverFilesAndEmptiedDirectoriesAndBack) {
  EXPECT_EQ(result_of([](const Path& at) {
              rename_file(at / "a/b/two", at / "x/one");
              remove_file(at / "y/z/three");
              rename_file(at / "a/b", at / "y/z");
              rename_file(at / "y/z", at / "a/b");
              rename_file(at / "x", at / "a/b/x");
              make_directory(at / "x");
            }),
            "as seen, 0 bytes read");
}

TEST_F(HarvestRenames, AChmodOfALargeFileAndOfARenamedOneReadNothing) {
  EXPECT_EQ(result_of([](const Path& at) {
              change_mode(at / "large", 0755);
              rename_file(at / "large", at / "a/moved");
              rename_file(at / "a", at / "e");
              change_mode(at / "x/one", 0700);
            }),
            "as seen, 0 bytes read");
}

}  // namespace
}  // namespace volary
