// mount/harvest_test.cc: the harvest against its definition.
//
// Whatever a job does on a real overlay, harvest and apply_changes give the tree that add_directory gives of the merged
// view; with deletions dropped, the union of that and the tree that was attached.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "mount/scratch.h"
#include "mount/mount_test.h"

namespace volary {
namespace {

constexpr Owner job{42420, 42420};
using Listing = std::map<std::string, std::string>;

// The attached tree and the view, the view winning; what the view has as a file hides what the tree has below that
// name.
Listing united(Listing tree, const Listing& view) {
  for (const auto& [path, what] : view) {
    if (what != "directory")
      std::erase_if(tree, [&](const auto& one) { return one.first.starts_with(path + "/"); });
    tree[path] = what;
  }
  return tree;
}

// One volume, attached writable by a sequence of jobs, and compared.
class Attached {
 public:
  Attached(const MountWays& ways, const std::function<void(const Path&)>& fill) : ways_(ways) {
    make_directories(directory_ / "example");
    fill(directory_ / "example");
    store_ = open_store(directory_ / "store");
    tree_ = add_all_of(*store_, directory_ / "example");
    for (const char* name : {"00", "ab", "ff"}) make_directories(directory_ / "store/objects" / name / "shown");
    mounter_ = open_mounter(*store_, ways, job);
    make_directories(directory_ / "staging");
  }

  // Runs `work` on the mounted volume, and takes the merged view; "" or what went wrong.
  std::string run(const std::function<void(const Path&)>& work) {
    const MountPlan plan = mounter_->prepare_writable(tree_, "0", scratch());
    const Path at = directory_ / "staging" / plan.root;
    const std::string text = with_mounts({plan}, directory_ / "staging", [&]() -> std::string {
      work(at);
      const auto other = open_store(directory_ / "view");
      return add_all_of(*other, at).hex();
    });
    const auto view = Digest::try_parse(text);
    if (view) view_ = *view;
    return view ? "" : text;
  }

  Harvest take(Deletions deletions) {
    const auto commit = store_->begin_commit();
    Progress progress;
    Harvest found = harvest(*store_, *commit, tree_, scratch(), deletions, progress);
    EXPECT_EQ(progress.files_done, found.files);
    EXPECT_EQ(progress.bytes_done, found.bytes);
    result_ = apply_changes(*store_, *commit, tree_, found.changes).tree;
    commit->publish();
    return found;
  }

  Listing result() const { return listing_of(*store_, result_); }
  Listing tree() const { return listing_of(*store_, tree_); }
  Listing view() const { return listing_of(*open_store(directory_ / "view"), view_); }
  Digest result_digest() const { return result_; }
  Digest view_digest() const { return view_; }
  Path scratch() const { return directory_ / "scratch"; }
  Path upper() const { return scratch() / "upper"; }
  const Path& directory() const { return directory_.path(); }

 private:
  TestDirectory directory_;
  MountWays ways_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Mounter> mounter_;
  Digest tree_;
  Digest view_;
  Digest result_;
};

MountWays ways_of(ReadOnlyWay read_only, WritableWay writable, Layering layering = Layering::data_only) {
  return {read_only, writable, "", "", layering};
}
const MountWays image_overlay = ways_of(ReadOnlyWay::erofs_overlay, WritableWay::overlay);
const MountWays ordinary_overlay = ways_of(ReadOnlyWay::erofs_overlay, WritableWay::overlay, Layering::ordinary);
const MountWays farm_overlay = ways_of(ReadOnlyWay::link_farm, WritableWay::overlay);
const MountWays user_overlay = ways_of(ReadOnlyWay::link_farm, WritableWay::user_overlay);

void make_example(const Path& at) {
  write_text(at / "a/a/a", "aaa");
  write_text(at / "a/a/b", "aab");
  write_text(at / "a/b", "ab");
  write_text(at / "a/c/a", "aca", 0755);
  write_text(at / "b/a", "ba");
  write_text(at / "b/b/b", "bbb");
  write_text(at / "c", "c");
  write_text(at / "d", "");
  make_symlink("a/b", at / "e");
  make_directory(at / "f");
}

// Both rules for deletions hold after `work`.
void expect_right(const MountWays& ways, const std::function<void(const Path&)>& work) {
  Attached volume(ways, make_example);
  ASSERT_EQ(volume.run(work), "");
  volume.take(Deletions::keep);
  EXPECT_EQ(volume.result_digest(), volume.view_digest());
  EXPECT_EQ(volume.result(), volume.view());
  volume.take(Deletions::drop);
  EXPECT_EQ(volume.result(), united(volume.tree(), volume.view()));
}

class EveryWay : public ::testing::TestWithParam<MountWays> {
 protected:
  void SetUp() override {
    if (GetParam().read_only == ReadOnlyWay::erofs_overlay && !is_known_to_kernel(GetParam().layering))
      GTEST_SKIP() << "needs Linux 6.5";
  }
};
class EveryImage : public EveryWay {};
std::string name_of_ways(const ::testing::TestParamInfo<MountWays>& one) {
  return std::string(name_of_value(one.param.read_only)) + "_" + std::string(name_of_value(one.param.writable)) + "_" +
         std::string(name_of_value(one.param.layering));
}
INSTANTIATE_TEST_SUITE_P(Harvest, EveryWay,
                         ::testing::Values(image_overlay, ordinary_overlay, farm_overlay, user_overlay), name_of_ways);
INSTANTIATE_TEST_SUITE_P(Harvest, EveryImage, ::testing::Values(image_overlay, ordinary_overlay), name_of_ways);

TEST_P(EveryWay, NothingDoneIsNothingChanged) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path&) {}), "");
  EXPECT_TRUE(volume.take(Deletions::keep).changes.empty());
  EXPECT_EQ(volume.result(), volume.tree());
}

TEST_P(EveryWay, FilesAreCreatedChangedAndDeleted) {
  expect_right(GetParam(), [](const Path& at) {
    write_text(at / "new", "new");
    write_text(at / "a/a/new", "new too", 0755);
    write_text(at / "n/e/w", "deep");
    change_mode(at / "c", 0644);
    write_all(open_to_append(at / "c").get(), "more", "c");
    remove_file(at / "a/a/a");
    remove_file(at / "d");
  });
}

TEST_P(EveryWay, DirectoriesAreDeletedAndMadeAnew) {
  expect_right(GetParam(), [](const Path& at) {
    remove_tree(at / "a");
    write_text(at / "a/a/z", "another");
    remove_tree(at / "b");
    make_directory(at / "g");
  });
}

TEST_P(EveryWay, FilesBecomeDirectoriesAndBack) {
  expect_right(GetParam(), [](const Path& at) {
    remove_file(at / "c");
    write_text(at / "c/x", "below");
    remove_tree(at / "a");
    write_text(at / "a", "now a file");
    remove_file(at / "e");
    make_directory(at / "e");
    remove_tree(at / "f");
    make_symlink("nowhere", at / "f");
  });
}

TEST_P(EveryWay, ExecutableBitsAndLinksAreKept) {
  expect_right(GetParam(), [](const Path& at) {
    change_mode(at / "b/a", 0755);
    change_mode(at / "a/c/a", 0644);
    make_link(at / "b/a", at / "b/linked");
    make_symlink("../../etc/passwd", at / "b/out");
    make_symlink("/etc/passwd", at / "b/far");
  });
}

TEST_P(EveryImage, RenamedDirectoriesAreFoundByTheirRedirects) {
  expect_right(GetParam(), [](const Path& at) {
    rename_file(at / "a/a", at / "a/z");  // Beside: a relative redirect.
    rename_file(at / "b/b", at / "moved");  // Elsewhere: an absolute one.
    write_text(at / "a/z/new", "new");
    remove_file(at / "a/z/a");
    rename_file(at / "a", at / "y");
    rename_file(at / "y/c", at / "b/b");  // Where another one was.
    make_directory(at / "a");
    write_text(at / "moved/b", "changed");
  });
}

TEST_P(EveryImage, RenamedAndTouchedFilesKeepTheirDigestWithoutBeingRead) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) {
              change_mode(at / "a/b", 0755);
              rename_file(at / "a/b", at / "a/renamed");
              rename_file(at / "a/a/a", at / "elsewhere");
              rename_file(at / "c", at / "b/c");
              change_mode(at / "b/a", 0600);
            }),
            "");
  const Harvest found = volume.take(Deletions::keep);
  EXPECT_EQ(found.files, 0u);
  EXPECT_EQ(found.bytes, 0u);
  EXPECT_EQ(volume.result(), volume.view());
  volume.take(Deletions::drop);
  EXPECT_EQ(volume.result(), united(volume.tree(), volume.view()));
}

TEST_P(EveryImage, DroppedDeletionsLeaveTheOldNameOfARename) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) {
              rename_file(at / "a", at / "moved");
              remove_file(at / "moved/b");
              remove_file(at / "c");
            }),
            "");
  volume.take(Deletions::drop);
  const Listing result = volume.result();
  EXPECT_TRUE(result.contains("a/a/a"));
  EXPECT_TRUE(result.contains("a/b"));
  EXPECT_TRUE(result.contains("c"));
  EXPECT_TRUE(result.contains("moved/a/a"));
  EXPECT_FALSE(result.contains("moved/b"));
}

TEST_P(EveryImage, HardLinksAreReadOnce) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) {
              write_text(at / "one", std::string(1000, '1'));
              for (int i = 0; i < 10; ++i) make_link(at / "one", at / ("link" + std::to_string(i)));
            }),
            "");
  const Harvest found = volume.take(Deletions::keep);
  EXPECT_EQ(found.files, 1u);
  EXPECT_EQ(found.bytes, 1000u);
  EXPECT_EQ(volume.result(), volume.view());
}

TEST_P(EveryImage, SparseAndLargeFilesAreWhole) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) {
              const Fd fd = create_file(at / "sparse");
              write_all_at(fd.get(), "end", 50'000'000, "sparse");
              if (::truncate((at / "c").c_str(), 70'000) < 0) throw error_from_errno(errno, "truncate", "c");
            }),
            "");
  const Harvest found = volume.take(Deletions::keep);
  EXPECT_EQ(found.bytes, 50'000'003u + 70'000u);
  EXPECT_EQ(volume.result(), volume.view());
}

TEST_P(EveryImage, SpecialFilesAreLeftOutByName) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) {
              make_directory(at / "run");
              if (::mkfifo((at / "run/pipe").c_str(), 0600) < 0) throw error_from_errno(errno, "make", "pipe");
              if (::mknod((at / "run/disk").c_str(), S_IFBLK | 0600, 0x700) < 0)
                throw error_from_errno(errno, "make", "disk");
              remove_file(at / "c");
              if (::mknod((at / "c").c_str(), S_IFCHR | 0600, 0x103) < 0)
                throw error_from_errno(errno, "make", "null");
              const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
              sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
              (at / "run/x.sock").native().copy(address.sun_path, sizeof address.sun_path - 1);
              if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
                throw error_from_errno(errno, "bind", "socket");
            }),
            "");
  EXPECT_EQ(volume.take(Deletions::keep).left_out,
            (std::vector<std::string>{"block device 'run/disk'", "character device 'c'", "pipe 'run/pipe'",
                                      "socket 'run/x.sock'"}));
  EXPECT_EQ(volume.result(), volume.view());
}

TEST_P(EveryImage, AJobUserCannotMarkWhatItWrites) {
  Attached volume(GetParam(), make_example);
  ::chmod(volume.directory().c_str(), 0755);
  ASSERT_EQ(volume.run([](const Path& at) {
              const std::string said = in_child([&]() -> std::string {
                if (::setresgid(42420, 42420, 42420) < 0 || ::setresuid(42420, 42420, 42420) < 0) std::abort();
                write_text(at / "a/b", "mine");
                rename_file(at / "b", at / "z");
                // Names of the other way are ordinary attributes here; those of this way are refused.
                ::setxattr((at / "a").c_str(), "user.overlay.opaque", "y", 1, 0);
                ::setxattr((at / "z").c_str(), "user.overlay.redirect", "/a", 2, 0);
                if (::setxattr((at / "a").c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0) return "marked opaque";
                if (::mknod((at / "whiteout").c_str(), S_IFCHR, 0) == 0) return "made a whiteout";
                return "";
              });
              if (!said.empty()) throw Error(Errc::internal, "the job {}", said);
            }),
            "");
  volume.take(Deletions::keep);
  EXPECT_EQ(volume.result(), volume.view());
}

TEST_P(EveryImage, OnlyTheMarksOfTheWayOfTheMountCount) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) { write_text(at / "a/new", "new"); }), "");
  ::setxattr((volume.upper() / "a").c_str(), "user.overlay.opaque", "y", 1, 0);
  ::setxattr((volume.upper() / "a/new").c_str(), "user.overlay.whiteout", "", 0, 0);
  volume.take(Deletions::keep);
  EXPECT_EQ(volume.result(), volume.view());

  Attached mine(user_overlay, make_example);
  ASSERT_EQ(mine.run([](const Path& at) { write_text(at / "a/new", "new"); }), "");
  ASSERT_EQ(::setxattr((mine.upper() / "a").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr((mine.upper() / "a").c_str(), "user.overlay.redirect", "/b", 2, 0), 0);
  ASSERT_EQ(::setxattr((mine.upper() / "a/new").c_str(), "user.overlay.metacopy", "", 0, 0), 0);
  mine.take(Deletions::keep);
  EXPECT_EQ(mine.result(), mine.view());
}

TEST_P(EveryImage, WhiteoutsMayBeAttributesToo) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) { remove_file(at / "c"); }), "");
  remove_file(volume.upper() / "c");
  create_file(volume.upper() / "c");
  ASSERT_EQ(::setxattr((volume.upper() / "c").c_str(), "trusted.overlay.whiteout", "", 0, 0), 0);
  volume.take(Deletions::keep);
  EXPECT_EQ(volume.result(), volume.view());
}

TEST_P(EveryImage, FollowsNoLinkOutOfTheUpperDirectory) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) { make_symlink("/etc", at / "etc"); }), "");
  const Harvest found = volume.take(Deletions::keep);
  EXPECT_EQ(found.files, 0u);
  EXPECT_EQ(volume.result().at("etc"), "-> /etc");
  EXPECT_FALSE(volume.result().contains("etc/passwd"));
}

TEST_P(EveryImage, RefusesNamesAndLinksThatNoVersionCanHold) {
  Attached volume(GetParam(), make_example);
  volume.run([](const Path& at) { create_file(at / "a" / "line\nbreak"); });
  EXPECT_EQ(error_of([&] { volume.take(Deletions::keep); }).substr(0, 48),
            "invalid: 'a/line\\x0abreak' cannot name a file in");
  Attached linked(GetParam(), make_example);
  linked.run([](const Path& at) { make_symlink("\xff", at / "l"); });
  EXPECT_EQ(error_of([&] { linked.take(Deletions::keep); }),
            "invalid: the symbolic link 'l' cannot be kept: its target '\\xff' is not UTF-8");
}

TEST_P(EveryImage, RefusesPathsThatAreTooLong) {
  Attached volume(GetParam(), make_example);
  volume.run([](const Path&) {});
  EXPECT_EQ(in_child([&] {  // Deeper than any path can name, as a job can make it step by step.
              if (::chdir(volume.upper().c_str()) < 0) std::abort();
              const std::string name(200, 'n');
              for (int i = 0; i < 30; ++i)
                if (::mkdir(name.c_str(), 0755) < 0 || ::chdir(name.c_str()) < 0) std::abort();
              return std::string();
            }),
            "");
  const std::string said = error_of([&] { volume.take(Deletions::keep); });
  EXPECT_TRUE(said.starts_with("invalid: ") && said.ends_with("bytes: expected at most 4096")) << said;
}

TEST_P(EveryImage, RefusesAFileThatTheStoreCannotHold) {
  Attached volume(GetParam(), make_example);
  volume.run([](const Path&) {});
  create_file(volume.upper() / "huge");
  ASSERT_EQ(::truncate((volume.upper() / "huge").c_str(), int64_t{1} << 43), 0);
  EXPECT_EQ(error_of([&] { volume.take(Deletions::keep); }).substr(0, 52),
            "exhausted: 'huge' has 8796093022208 bytes: the store");
}

TEST_P(EveryImage, OfADirectoryThatWasNeverMountedIsAnError) {
  Attached volume(GetParam(), make_example);
  EXPECT_EQ(error_of([&] { volume.take(Deletions::keep); }),
            "not_found: '" + volume.scratch().native() + "' holds no changes: nothing was mounted with it");
}

TEST_P(EveryImage, CanBeRepeatedAndTheJobCanGoOn) {
  Attached volume(GetParam(), make_example);
  ASSERT_EQ(volume.run([](const Path& at) { rename_file(at / "a", at / "z"); }), "");
  volume.take(Deletions::keep);
  volume.take(Deletions::keep);
  EXPECT_EQ(volume.result(), volume.view());
  ASSERT_EQ(volume.run([](const Path& at) { rename_file(at / "z/a", at / "a"); }), "");
  volume.take(Deletions::keep);
  EXPECT_EQ(volume.result(), volume.view());
}

// --- any sequence of operations

struct Operation {
  int kind = 0;
  std::string path;
  std::string other;
  std::string text;
};

void showValue(const Operation& one, std::ostream& out) {  // NOLINT: RapidCheck's name.
  static const char* names[] = {"create", "append", "truncate", "rename",  "rename", "rename", "rmdir -r", "mkdir",
                                "+x",     "-x",     "symlink",  "hardlink", "unlink", "touch", "mkfifo",   "exchange"};
  out << names[one.kind] << " " << one.path << " " << one.other << " '" << one.text << "'";
}

// Does what it can: what the file system refuses is not done.
void run(const Operation& one, const Path& at) {
  const Path path = at / one.path;
  const Path other = at / one.other;
  switch (one.kind) {
    case 0: case 1: {
      const int flags = one.kind == 0 ? O_TRUNC : O_APPEND;
      const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | flags, 0644));
      if (fd && ::write(fd.get(), one.text.data(), one.text.size()) < 0) return;
      return;
    }
    case 2: return void(::truncate(path.c_str(), static_cast<off_t>(one.text.size())));
    case 3: case 4: case 5: return void(::rename(path.c_str(), other.c_str()));
    case 6: return remove_tree(path);
    case 7: return void(::mkdir(path.c_str(), 0755));
    case 8: return void(::chmod(path.c_str(), 0755));
    case 9: if (const auto status = stat_of(path); status && S_ISREG(status->st_mode)) ::chmod(path.c_str(), 0644);
      return;
    case 10: return void(::symlink(one.other.c_str(), path.c_str()));
    case 11: return void(::link(path.c_str(), other.c_str()));
    case 12: return void(::unlink(path.c_str()));
    case 13: return void(::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW));
    case 14: return void(::mkfifo(path.c_str(), 0600));
    default: return void(::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE));
  }
}

using Names = std::vector<std::string>;
const Names plain_names = {"a", "b", "c", "d"};
const Names object_names = {"a", "00", "ab", "ff"};  // The root of an ordinary layer has them too.

rc::Gen<std::string> any_path(const Names& names) {
  const auto component = rc::gen::elementOf(names);
  const auto parts = rc::gen::mapcat(rc::gen::inRange<size_t>(1, 4), [=](size_t depth) {
    return rc::gen::container<std::vector<std::string>>(depth, component);
  });
  return rc::gen::map(parts, [](const std::vector<std::string>& all) {
    std::string path;
    for (const auto& part : all) path += (path.empty() ? "" : "/") + part;
    return path;
  });
}

rc::Gen<Operation> any_operation(const Names& names) {
  return rc::gen::build<Operation>(rc::gen::set(&Operation::kind, rc::gen::inRange(0, 16)),
                                   rc::gen::set(&Operation::path, any_path(names)),
                                   rc::gen::set(&Operation::other, any_path(names)),
                                   rc::gen::set(&Operation::text, rc::gen::element<std::string>("", "x", "text")));
}

void check_any_sequence(const MountWays& ways, const Names& names = plain_names) {
  if (ways.read_only == ReadOnlyWay::erofs_overlay && !is_known_to_kernel(ways.layering)) return;
  const auto before = *rc::gen::container<std::vector<Operation>>(20, any_operation(names));
  const auto first = *rc::gen::container<std::vector<Operation>>(any_operation(names));
  const auto second = *rc::gen::container<std::vector<Operation>>(any_operation(names));
  const auto all = [](const std::vector<Operation>& operations) {
    return [&operations](const Path& at) {
      for (const Operation& one : operations) error_of([&] { run(one, at); });
    };
  };
  Attached volume(ways, [&](const Path& at) {
    make_example(at);
    all(before)(at);
  });
  RC_ASSERT(volume.run(all(first)) == "");
  RC_ASSERT(volume.run(all(second)) == "");  // After a restart.
  volume.take(Deletions::keep);
  RC_ASSERT(volume.result() == volume.view());
  RC_ASSERT(volume.result_digest() == volume.view_digest());
  volume.take(Deletions::drop);
  RC_ASSERT(volume.result() == united(volume.tree(), volume.view()));
}

RC_GTEST_PROP(Harvest, OfAnySequenceOnAnImageIsTheMergedView, ()) { check_any_sequence(image_overlay); }
RC_GTEST_PROP(Harvest, OfAnySequenceOnAnImageWithNamesOfObjectsIsTheMergedView, ()) {
  check_any_sequence(image_overlay, object_names);
}
RC_GTEST_PROP(Harvest, OfAnySequenceOnAnOrdinaryLayerIsTheMergedView, ()) { check_any_sequence(ordinary_overlay); }
RC_GTEST_PROP(Harvest, OfAnySequenceOnAnOrdinaryLayerWithItsNamesIsTheMergedView, ()) {
  check_any_sequence(ordinary_overlay, object_names);
}
RC_GTEST_PROP(Harvest, OfAnySequenceOnALinkFarmIsTheMergedView, ()) { check_any_sequence(farm_overlay); }
RC_GTEST_PROP(Harvest, OfAnySequenceInAUserNamespaceIsTheMergedView, ()) { check_any_sequence(user_overlay); }

}  // namespace
}  // namespace volary
