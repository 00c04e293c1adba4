// mount/layering_test.cc: trees whose root has the names that objects/ has, with either layering.
//
// An ordinary layer would show 00 to ff in the root; the image hides them. Whatever a job does with such names is what
// it would be with any other.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "mount/kernel_mount.h"
#include "mount/mount_test.h"

namespace volary {
namespace {

constexpr Owner job{42420, 42420};
using Listing = std::map<std::string, std::string>;

void make_example(const Path& at) {
  write_text(at / "a/file", "a file");
  write_text(at / "00", "a file of such a name");
  write_text(at / "01", "");
  make_symlink("a/file", at / "02");
  write_text(at / "ab/file", "below such a name");
  write_text(at / "ab/ab/deep", "deep");
  write_text(at / "a/ab", "such a name elsewhere");
  make_directory(at / "ff");
}

class LayeringTest : public ::testing::TestWithParam<Layering> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!is_known_to_kernel(GetParam())) GTEST_SKIP() << "needs Linux 6.5";
    make_example(directory_ / "example");
    store_ = open_store(directory_ / "store");
    tree_ = add_all_of(*store_, directory_ / "example");
    for (const TreeEntry& entry : store_->read_tree(tree_).entries) expected_ += entry.name + " ";
    // Something to be seen, if it could be, under each name.
    for (int byte = 0; byte < 256; ++byte)
      write_text(directory_ / "store/objects" / fmt::format("{:02x}", byte) / "shown", "should not be");
    const MountWays ways{ReadOnlyWay::erofs_overlay, WritableWay::overlay, "", "", GetParam()};
    mounter_ = open_mounter(*store_, ways, job);
  }

  static std::string names_in(const Path& directory) {
    std::string all;
    for (const DirectoryEntry& entry : list_directory(directory)) all += entry.name + " ";
    return all;
  }
  std::string digest_at(const Path& path) const {
    return add_all_of(*open_store(directory_ / "view"), path).hex();
  }
  Digest harvested(Deletions deletions) const {
    const auto commit = store_->begin_commit();
    Progress progress;
    const Harvest found = harvest(*store_, *commit, tree_, directory_ / "scratch", deletions, progress);
    const Digest tree = apply_changes(*store_, *commit, tree_, found.changes).tree;
    commit->publish();
    return tree;
  }
  // Runs `work` on the writable mount, and after a restart compares the view with the harvest. What it returns is the
  // view, or the version with deletions dropped.
  Listing after(const std::function<void(const Path&)>& work, Deletions deletions) {
    const auto plan = [&] { return mounter_->prepare_writable(tree_, "0", directory_ / "scratch"); };
    const Path at = directory_ / "staging" / plan().root;
    EXPECT_EQ(with_mounts({plan()}, directory_ / "staging",
                          [&] {
                            work(at);
                            return digest_at(at);
                          }),
              with_mounts({plan()}, directory_ / "staging", [&] { return digest_at(at); }));
    const std::string view = with_mounts({plan()}, directory_ / "staging", [&] { return digest_at(at); });
    EXPECT_EQ(harvested(Deletions::keep).hex(), view);
    return listing_of(*store_, harvested(deletions));
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Mounter> mounter_;
  Digest tree_;
  std::string expected_;
};

INSTANTIATE_TEST_SUITE_P(Mount, LayeringTest, ::testing::Values(Layering::data_only, Layering::ordinary),
                         [](const auto& one) { return std::string(name_of_value(one.param)); });

TEST_P(LayeringTest, TheRootShowsTheTreeAndNothingOfTheObjects) {
  const std::vector<MountPlan> plans = {mounter_->prepare_read_only(tree_, "in"),
                                        mounter_->prepare_writable(tree_, "out", directory_ / "scratch")};
  for (const MountPlan& plan : plans) {
    const Path at = directory_ / "staging" / plan.root;
    EXPECT_EQ(with_mounts(plans, directory_ / "staging", [&] { return names_in(at); }), expected_);
    EXPECT_EQ(with_mounts(plans, directory_ / "staging", [&] { return names_in(at / "ab") + names_in(at / "ff"); }),
              "ab file ");
    EXPECT_EQ(with_mounts(plans, directory_ / "staging", [&] { return digest_at(at); }), tree_.hex());
    EXPECT_EQ(with_mounts(plans, directory_ / "staging",
                          [&] {
                            int seen = 0;
                            for (int byte = 0; byte < 256; ++byte)
                              seen += is_present(at / fmt::format("{:02x}", byte) / "shown");
                            return fmt::format("{} seen, {}", seen, is_present(at / "fe") ? "fe" : "no fe");
                          }),
              "0 seen, no fe");
  }
}

TEST_P(LayeringTest, StepsSayTheLayering) {
  const MountPlan plan = mounter_->prepare_read_only(tree_, "in");
  const std::string layering(name_of_value(GetParam()));
  EXPECT_NE(plan.steps[1].options.find("\"layering\":\"" + layering + "\""), std::string::npos)
      << plan.steps[1].options;
}

TEST_P(LayeringTest, HiddenNamesAreMadeAndDeletedAgain) {
  const Listing before = listing_of(*store_, tree_);
  const Listing result = after(
      [](const Path& at) {
        write_text(at / "10", "file");
        make_directory(at / "11");
        write_text(at / "12/ab/x", "deep");
        make_symlink("ab", at / "13");
        make_link(at / "10", at / "14");
        remove_file(at / "10");
        remove_file(at / "14");
        remove_tree(at / "11");
        remove_tree(at / "12");
        remove_file(at / "13");
      },
      Deletions::keep);
  EXPECT_EQ(result, before);
}

TEST_P(LayeringTest, HiddenNamesAreMadeAndKept) {
  for (const Deletions deletions : {Deletions::keep, Deletions::drop}) {
    const Listing result = after(
        [](const Path& at) {
          write_text(at / "10", "file");
          make_directories(at / "11");
          write_text(at / "12/ab/x", "deep");
          remove_tree(at / "15");
          make_directories(at / "15");
          remove_tree(at / "15");
          make_directory(at / "15");
        },
        deletions);
    EXPECT_TRUE(result.contains("10") && result.contains("12/ab/x"));
    EXPECT_EQ(result.at("11"), "directory");
    EXPECT_EQ(result.size(), listing_of(*store_, tree_).size() + 6);
  }
}

TEST_P(LayeringTest, DirectoriesAreRenamedOntoHiddenNamesAndAway) {
  const auto work = [](const Path& at) {
    rename_file(at / "a", at / "20");         // A directory of the version: a redirect.
    make_directory(at / "new");
    write_text(at / "new/file", "new");
    rename_file(at / "new", at / "21");       // One of the job.
    rename_file(at / "ab/ab", at / "22");     // From deeper.
    rename_file(at / "ab", at / "plain");     // An opaque one.
    rename_file(at / "00", at / "23");        // A file.
    rename_file(at / "22", at / "ab");        // Where the opaque one was.
    rename_file(at / "ff", at / "20/ff");
    change_mode(at / "20/file", 0755);
  };
  const Listing kept = after(work, Deletions::keep);
  EXPECT_TRUE(kept.contains("20/file") && kept.contains("21/file") && kept.contains("plain/file"));
  EXPECT_TRUE(kept.contains("ab/deep") && kept.contains("23"));
  EXPECT_FALSE(kept.contains("a") || kept.contains("ab/file") || kept.contains("ab/shown") || kept.contains("00"));
  const Listing dropped = listing_of(*store_, harvested(Deletions::drop));
  EXPECT_TRUE(dropped.contains("ab/file") && dropped.contains("ab/deep") && dropped.contains("a/file"));
}

TEST_P(LayeringTest, NamesOfTheTreeAreDeletedAndMadeAnew) {
  const Listing kept = after(
      [](const Path& at) {
        remove_tree(at / "ab");
        make_directory(at / "ab");  // Over what was opaque in the image.
        remove_file(at / "00");
        make_directory(at / "00");  // Over what was a file.
        remove_tree(at / "ff");
        write_text(at / "ff", "now a file");
        remove_file(at / "02");
      },
      Deletions::keep);
  EXPECT_EQ(kept.at("ab"), "directory");
  EXPECT_EQ(kept.at("00"), "directory");
  EXPECT_FALSE(kept.contains("ab/file") || kept.contains("ab/shown") || kept.contains("00/shown"));
  EXPECT_FALSE(kept.contains("02"));
}

TEST_P(LayeringTest, AJobUserWritesIntoFilesInPlace) {
  ::chmod(directory_.path().c_str(), 0755);
  const Listing kept = after(
      [](const Path& at) {
        const std::string said = in_child([&]() -> std::string {
          if (::setresgid(42420, 42420, 42420) < 0 || ::setresuid(42420, 42420, 42420) < 0) std::abort();
          for (const char* name : {"00", "a/file", "ab/file", "a/ab"})
            write_all(open_to_append(at / name).get(), " and more", name);
          change_mode(at / "ab/ab/deep", 0700);
          write_text(at / "30", "mine");
          rename_file(at / "ab", at / "31");
          return read_file(at / "31/file") + read_file(at / "31/ab/deep");
        });
        if (said != "below such a name and moredeep") throw Error(Errc::internal, "the job read '{}'", said);
      },
      Deletions::keep);
  EXPECT_TRUE(kept.contains("31/file") && kept.contains("30"));
  EXPECT_EQ(read_file(store_->blob_path(Digest::of("a file"))), "a file");
}

TEST_P(LayeringTest, TheRootIsListedWhileObjectsAreAdded) {
  const MountPlan plan = mounter_->prepare_read_only(tree_, "in");
  const Path at = directory_ / "staging" / plan.root;
  EXPECT_EQ(with_mounts({plan}, directory_ / "staging",
                        [&] {
                          std::string all = names_in(at) == expected_ ? "" : names_in(at);
                          remove_tree(directory_ / "store/objects/77");
                          write_text(directory_ / "store/objects/77/shown", "should not be");
                          write_text(directory_ / "store/objects/ab/another", "should not be");
                          all += names_in(at) == expected_ ? "" : names_in(at);
                          return all + names_in(at / "ab") + (is_present(at / "77") ? "77" : "");
                        }),
            "ab file ");
}

}  // namespace
}  // namespace volary
