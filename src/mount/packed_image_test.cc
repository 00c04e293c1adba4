// mount/packed_image_test.cc: images that hold the bytes of their files: what they show, when they are made, and that
// nothing of them is needed.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/workers.h"
#include "mount/erofs_image.h"
#include "mount/host_mount.h"
#include "mount/image_cache.h"
#include "mount/image_check.h"
#include "mount/kernel_mount.h"
#include "mount/mount_test.h"
#include "mount/packer.h"

namespace volary {
namespace {

constexpr Owner job{42420, 42421};
constexpr uint64_t much = 1ull << 30;
const MountWays ways{ReadOnlyWay::erofs_overlay, WritableWay::overlay, "", "", Layering::ordinary};

class PackedImage : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    store_ = open_store(directory_ / "store");
  }

  // Of `files` files, each of so many bytes and different from all others.
  Digest add_tree(const std::string& name, uint64_t files, size_t bytes) {
    for (uint64_t i = 0; i < files; ++i)
      write_text(directory_ / name / fmt::format("{:02}/{:04}", i % 10, i), fmt::format("{} {:>{}}", name, i, bytes));
    return add_all_of(*store_, directory_ / name);
  }

  // The tree digest of what a plan shows, as another store sees it: names, kinds, bytes, executable bits.
  std::string digest_of(const MountPlan& plan) const {
    return with_mounts({plan}, directory_ / "staging", [&] {
      const auto other = open_store(directory_ / ("other-" + random_hex(4)));
      return add_all_of(*other, directory_ / "staging" / plan.root).hex();
    });
  }

  static bool is_packed(const MountPlan& plan) { return plan.steps.back().kind == "bind_ro"; }

  static bool has_packed(Mounter& mounter, const Digest& tree) {
    for (const CachedTree& cached : mounter.images().list())
      if (cached.kind == CachedKind::packed_image && cached.tree == tree) return true;
    return false;
  }

  static void wait_until_packed(Mounter& mounter, const Digest& tree) {
    for (int i = 0; i < 3000 && !has_packed(mounter, tree); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(has_packed(mounter, tree));
  }

  // Mounted twice, as two jobs would.
  static void attach_again(Mounter& mounter, const Digest& tree) {
    for (const char* name : {"0", "1"}) EXPECT_FALSE(is_packed(mounter.prepare_read_only(tree, name)));
  }

  // That has packed the tree.
  std::unique_ptr<Mounter> mounter_of_packed(const Digest& tree) const {
    auto mounter = open_mounter(*store_, ways, job, much);
    attach_again(*mounter, tree);
    wait_until_packed(*mounter, tree);
    return mounter;
  }

  // It ends a while after the last mount.
  static void expect_no_loop_device(const Digest& tree) {
    const auto is_there = [&] {
      bool is_found = false;
      for (const DirectoryEntry& block : list_directory("/sys/block"))
        error_of([&] {  // It may end while it is looked at.
          is_found |= try_read_file(Path("/sys/block") / block.name / "loop/backing_file")
                          .value_or("").find(tree.hex()) != std::string::npos;
        });
      return is_found;
    };
    for (int i = 0; i < 1000 && is_there(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_FALSE(is_there());
  }

  std::vector<std::string> left_in(const char* directory) const {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : list_directory(store_->root() / directory)) names.push_back(entry.name);
    return names;
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_;
};

void make_any_directory(const Path& at, int depth) {
  static const std::vector<std::string> names = {"!", "00", "7f", "ab", "a", "b", "é", std::string(255, 'n')};
  make_directories(at);
  const auto chosen = *rc::gen::container<std::vector<bool>>(names.size(), rc::gen::arbitrary<bool>());
  for (size_t i = 0; i < names.size(); ++i) {
    if (!chosen[i]) continue;
    const auto near = [](int bytes) { return rc::gen::inRange(bytes - 40, bytes + 3); };
    switch (*rc::gen::inRange(0, depth > 0 ? 5 : 3)) {
      case 0: {
        const int size = *rc::gen::oneOf(rc::gen::inRange(0, 70), near(4096), near(4064), near(8192),
                                         rc::gen::inRange(0, 300'000));
        const std::string byte(1, *rc::gen::inRange('a', 'z'));
        std::string text;
        while (text.size() < static_cast<size_t>(size)) text += byte + std::to_string(text.size());
        text.resize(static_cast<size_t>(size));
        write_text(at / names[i], text, *rc::gen::element<mode_t>(0644, 0755));
        break;
      }
      case 1: write_text(at / names[i], ""); break;
      case 2: make_symlink(std::string(*rc::gen::inRange<size_t>(1, 4095), 't'), at / names[i]); break;
      default: make_any_directory(at / names[i], depth - 1);
    }
  }
}

RC_GTEST_FIXTURE_PROP(PackedImage, OfAnyTreeIsAcceptedByFsckAndShowsTheTree, ()) {
  const TestDirectory place;
  make_any_directory(place / "from", 3);
  const auto store = open_store(place / "store");
  const Digest tree = add_all_of(*store, place / "from");
  ImageCache cache(*store, *rc::gen::element(job, Owner{70000, 0}));
  cache.pack(tree, [] {});
  const Path image = cache.find_packed(tree).value();
  RC_ASSERT(std::system(("ulimit -s unlimited; fsck.erofs '" + image.native() + "' >/dev/null").c_str()) == 0);
  const Path within = Path("i") / packed_name_of(tree);
  const MountPlan plan{.steps = {packed_image_step(image, "i"), bind_read_only_step(within, "t")}, .root = "t"};
  const std::string found = with_mounts({plan}, place / "staging", [&] {
    const auto other = open_store(place / "other");
    return add_all_of(*other, place / "staging/t").hex();
  });
  RC_ASSERT(found == tree.hex());
  RC_ASSERT(image_is_whole(*store, image));
}

TEST_F(PackedImage, IsMadeOfASmallFilesTreeThatIsMountedAgain) {
  const Digest tree = add_tree("small", packed_files_min, 500);
  const auto mounter = mounter_of_packed(tree);
  const MountPlan plan = mounter->prepare_read_only(tree, "2");
  ASSERT_TRUE(is_packed(plan));
  EXPECT_EQ(digest_of(plan), tree.hex());
  const Path file = directory_ / "staging" / plan.root / "03/0003";
  EXPECT_EQ(with_mounts({plan}, directory_ / "staging", [&] {
              const struct stat status = stat_of(file).value();
              return fmt::format("{:o} {} {} {}", status.st_mode, status.st_uid, status.st_gid, status.st_mtime);
            }), "100644 42420 42421 315532800");
  EXPECT_EQ(with_mounts({plan}, directory_ / "staging", [&] { return error_of([&] { remove_file(file); }); }),
            "denied: cannot remove '" + file.native() + "': Read-only file system");
  EXPECT_EQ(left_in("tmp"), std::vector<std::string>());
  // What is written to stays as it was: only overlayfs can be written over.
  EXPECT_EQ(mounter->prepare_writable(tree, "3", directory_ / "scratch").steps.back().kind, "overlay");
}

TEST_F(PackedImage, IsOneFileSystemForAllThatMountIt) {
  const TestDirectory disk("volary-packed-", "/var/tmp");  // No tmpfs: there every image needs a loop device.
  write_text(disk / "from/file", std::string(10'000, 'x'));
  const auto store = open_store(disk / "store");
  const Digest tree = add_all_of(*store, disk / "from");
  ImageCache cache(*store, job);
  cache.pack(tree, [] {});
  const MountStep step = packed_image_step(cache.find_packed(tree).value(), "i");
  const MountPlan plan{.steps = {step}, .root = "i"};
  const auto device = [&](const char* staging) {
    return std::to_string(stat_of(disk / staging / "i").value().st_dev);
  };
  EXPECT_EQ(with_mounts({plan}, disk / "one", [&] {
              const std::string first = device("one");
              return with_mounts({plan}, disk / "two", [&] { return device("two") == first ? "one" : "two"; });
            }), "one");
}

// Each looks at the loop devices of the others, which end meanwhile.
TEST_F(PackedImage, IsMountedByALoopDeviceWhileOthersComeAndGo) {
  write_text(directory_ / "from/marked", "");
  write_erofs_image(*store_, add_all_of(*store_, directory_ / "from"), job, directory_ / "image");
  write_erofs_image(*store_, empty_tree().tree, job, directory_ / "other");
  const auto mount_again_and_again = [&](const std::string& image) {
    return in_child([&] {
      enter_mount_namespace(false);
      const Path at = directory_ / ("at-" + random_hex(4));
      make_directories(at);
      for (int i = 0; i < 400; ++i) {
        mount_image_by_loop(directory_ / image, at);
        if (is_present(at / "marked") != (image == "image")) return image + " shows another one";
        if (::umount2(at.c_str(), 0) < 0) return std::string("cannot be unmounted");
      }
      return std::string();
    });
  };
  for_each_index(6, 6, [&](size_t i) { EXPECT_EQ(mount_again_and_again(i % 2 == 0 ? "image" : "other"), ""); });
}

TEST_F(PackedImage, IsMountedFromItsFileWhereNoLoopDeviceCanBeHad) {
  if (kernel_version() < 612) GTEST_SKIP() << "needs Linux 6.12";
  const TestDirectory disk("volary-packed-", "/var/tmp");
  write_text(disk / "from/file", "bytes");
  const auto store = open_store(disk / "store");
  const Digest tree = add_all_of(*store, disk / "from");
  ImageCache cache(*store, job);
  cache.pack(tree, [] {});
  const Path within = Path("at") / packed_name_of(tree);
  make_directories(disk / "at");
  make_directories(disk / "nothing");
  EXPECT_EQ(in_child([&] {
              enter_mount_namespace(false);
              bind_directory(disk / "nothing", "/dev", Access::read_write);
              mount_packed_image(cache.find_packed(tree).value(), disk / "at");
              return read_file(disk / within / "file");
            }), "bytes");
}

// Through a mount of its own.
std::string pages_in_memory(const Path& image, const Digest& tree, const Path& at) {
  return in_child([&] {
    enter_mount_namespace(false);
    make_directories(at);
    mount_packed_image(image, at);
    const Fd file = open_to_read(at / packed_name_of(tree) / "a/file");
    void* bytes = ::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file.get(), 0);
    unsigned char pages[2] = {};
    if (bytes == MAP_FAILED || ::mincore(bytes, 8192, pages) < 0) return std::string("cannot be mapped");
    return std::to_string((pages[0] & 1) + (pages[1] & 1));
  });
}

TEST_F(PackedImage, IsInMemoryForItsFirstMountAndForTheLater) {
  write_text(directory_ / "from/a/file", std::string(8192, 'a'));
  write_text(directory_ / "from/b/c/other", std::string(100'000, 'b'));
  const Digest tree = add_all_of(*store_, directory_ / "from");
  const Path at = directory_ / "at";
  Path image;
  {
    ImageCache cache(*store_, job);
    cache.pack(tree, [] {});
    image = cache.find_packed(tree).value();
    for (int mount = 0; mount < 2; ++mount) EXPECT_EQ(pages_in_memory(image, tree, at), "2");
  }
  expect_no_loop_device(tree);
  EXPECT_EQ(pages_in_memory(image, tree, at), "0") << "nobody held it";
  ImageCache after_a_restart(*store_, job);
  EXPECT_EQ(after_a_restart.find_packed(tree), image);
  EXPECT_EQ(digest_of({.steps = {packed_image_step(image, "i"),
                                 bind_read_only_step(Path("i") / packed_name_of(tree), "t")}, .root = "t"}),
            tree.hex());
  EXPECT_EQ(pages_in_memory(image, tree, at), "2") << "the last mount has read it";
  EXPECT_TRUE(after_a_restart.remove(image.filename(), [] { return false; }));
  expect_no_loop_device(tree);
}

// A sweep and a scrub take images away by themselves.
TEST_F(PackedImage, IsHeldNoMoreOnceItWasTakenAway) {
  write_text(directory_ / "from/a/file", std::string(8192, 'a'));
  const Digest tree = add_all_of(*store_, directory_ / "from");
  ImageCache cache(*store_, job);
  cache.pack(tree, [] {});
  const Path image = cache.find_packed(tree).value();
  cache.let_go_of_absent();
  EXPECT_EQ(pages_in_memory(image, tree, directory_ / "at"), "2");
  remove_file(image);
  cache.pack(tree, [] {});
  EXPECT_EQ(pages_in_memory(image, tree, directory_ / "at"), "2") << "the one before is held";
  remove_file(image);
  cache.let_go_of_absent();
  expect_no_loop_device(tree);
}

TEST_F(PackedImage, IsHeldUntilManyOthersWereAskedForLater) {
  std::vector<Digest> trees;
  for (size_t i = 0; i <= held_images_max; ++i) {
    write_text(directory_ / std::to_string(i) / "a/file", std::to_string(i) + std::string(8192, 'a'));
    trees.push_back(add_all_of(*store_, directory_ / std::to_string(i)));
  }
  ImageCache cache(*store_, job);
  for (size_t i = 0; i < held_images_max; ++i) cache.pack(trees[i], [] {});
  EXPECT_TRUE(cache.find_packed(trees[0]));
  cache.pack(trees[held_images_max], [] {});
  expect_no_loop_device(trees[1]);
  for (const Digest& tree : {trees[0], trees[2], trees[held_images_max]})
    EXPECT_EQ(pages_in_memory(cache.find_packed(tree).value(), tree, directory_ / "at"), "2");
}

// What is mapped of a file's last page beyond its end is zero; many a parser stops there.
TEST_F(PackedImage, ShowsNothingBehindTheEndOfAFile) {
  write_text(directory_ / "from/a/last", std::string(5000, 'a'));
  write_text(directory_ / "from/b/next", "what follows");
  const Digest tree = add_all_of(*store_, directory_ / "from");
  ImageCache cache(*store_, job);
  cache.pack(tree, [] {});
  const MountPlan plan{.steps = {packed_image_step(cache.find_packed(tree).value(), "i"),
                                 bind_read_only_step(Path("i") / packed_name_of(tree), "t")},
                       .root = "t"};
  EXPECT_EQ(with_mounts({plan}, directory_ / "staging", [&] {
              const Fd file = open_to_read(directory_ / "staging/t/a/last");
              const auto* bytes = static_cast<const char*>(::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file.get(), 0));
              if (bytes == MAP_FAILED) return std::string("cannot be mapped");
              return std::to_string(std::count_if(bytes + 5000, bytes + 8192, [](char byte) { return byte != 0; }));
            }), "0");
}

TEST_F(PackedImage, IsNotFoundOnceItsRemovalHasBegun) {
  const Digest tree = add_tree("small", 10, 500);
  ImageCache cache(*store_, job);
  cache.pack(tree, [] {});
  bool is_found = true;
  EXPECT_TRUE(cache.remove(cache.list().front().name, [&] {
    is_found = cache.find_packed(tree).has_value();
    return false;
  }));
  EXPECT_FALSE(is_found);
}

TEST_F(PackedImage, IsNotMadeOfWhatGainsNothingOrTakesTooMuch) {
  const Digest few = add_tree("few", packed_files_min - 1, 500);
  const Digest worth_it = add_tree("worth it", packed_files_min, 500);
  const Digest large = add_tree("large", packed_files_min, packed_mean_bytes_max + 1);
  const Digest too_much = add_tree("too much", packed_files_min * 3, 500);
  const auto mounter = open_mounter(*store_, ways, job, packed_files_min * 2 * packed_bytes_beside);
  for (const Digest& tree : {few, large, too_much, worth_it}) attach_again(*mounter, tree);
  wait_until_packed(*mounter, worth_it);  // They are looked at in order.
  for (const Digest& tree : {few, large, too_much}) EXPECT_FALSE(has_packed(*mounter, tree));
}

TEST_F(PackedImage, IsNotMadeOfADamagedObjectWhichIsMountedAsBefore) {
  const Digest tree = add_tree("damaged", packed_files_min, 500);
  const Digest other = add_tree("other", packed_files_min, 500);
  const TreeEntry directory = *store_->read_tree(tree).find("05");
  const Path object = store_->blob_path(store_->read_tree(directory.digest).entries.front().digest);
  change_mode(object, 0644);
  const Fd fd(::open(object.c_str(), O_WRONLY | O_CLOEXEC));
  write_all_at(fd.get(), "?", 7, object);
  Synced<std::string> said;
  const auto mounter = open_mounter(*store_, ways, job, much, [&](std::string_view line) { *said.lock() += line; });
  for (const Digest& one : {tree, other}) attach_again(*mounter, one);
  wait_until_packed(*mounter, other);
  EXPECT_TRUE(said.lock()->starts_with("tree " + tree.hex() + " was not packed, and is mounted as before: corrupt: "))
      << *said.lock();
  EXPECT_FALSE(has_packed(*mounter, tree));
  EXPECT_EQ(left_in("tmp"), std::vector<std::string>());
  const MountPlan plan = mounter->prepare_read_only(tree, "3");
  EXPECT_FALSE(is_packed(plan));
  EXPECT_NE(digest_of(plan), "");
}

TEST_F(PackedImage, ThatTheCacheDropsIsMadeAgain) {
  const Digest tree = add_tree("small", packed_files_min, 500);
  const auto mounter = mounter_of_packed(tree);
  for (const CachedTree& cached : mounter->images().list())
    if (cached.kind == CachedKind::packed_image)
      EXPECT_TRUE(mounter->images().remove(cached.name, [] { return false; }));
  for (int i = 0; i < 1000 && !has_packed(*mounter, tree); ++i) {
    mounter->prepare_read_only(tree, "3");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(has_packed(*mounter, tree));
}

TEST_F(PackedImage, IsGivenUpWithoutATrace) {
  const Digest tree = add_tree("large", 1, 10 << 20);
  ImageCache cache(*store_, job);
  int checks = 0;  // Of the trees, and then within the file.
  EXPECT_EQ(error_of([&] { cache.pack(tree, [&] { if (++checks == 6) throw Error(Errc::unavailable, "enough"); }); }),
            "unavailable: enough");
  EXPECT_EQ(left_in("tmp"), std::vector<std::string>());
  EXPECT_EQ(left_in("images"), std::vector<std::string>());
  EXPECT_FALSE(cache.find_packed(tree));
}

TEST_F(PackedImage, OfWhichAByteChangedIsNotWhole) {
  const Digest tree = add_tree("small", 50, 9000);
  ImageCache cache(*store_, job);
  cache.pack(tree, [] {});
  const Path image = cache.find_packed(tree).value();
  EXPECT_TRUE(image_is_whole(*store_, image));
  const std::string bytes = read_file(image);
  const size_t at = bytes.find("small ", bytes.size() / 2);
  ASSERT_NE(at, bytes.npos);
  const Fd fd(::open(image.c_str(), O_WRONLY | O_CLOEXEC));
  write_all_at(fd.get(), "S", at, image);
  EXPECT_FALSE(image_is_whole(*store_, image));
}

TEST_F(PackedImage, ForWhichTheDiskHasNoRoomAnyMoreIsNotWrittenAgain) {
  const Path disk = directory_ / "disk";
  make_directories(disk);
  EXPECT_EQ(in_child([&] {
              enter_mount_namespace(false);
              if (::mount("volary", disk.c_str(), "tmpfs", 0, "size=8m") < 0) return std::string("no disk");
              const auto store = open_store(disk / "store");
              write_text(directory_ / "from/file", std::string(1 << 20, 'a'));
              const Digest tree = add_all_of(*store, directory_ / "from");
              ImageCache cache(*store, job);
              cache.pack(tree, [] {});
              const Path image = cache.find_packed(tree).value();
              const bool before = image_is_whole(*store, image);
              write_text(disk / "more", std::string(free_bytes(disk) - (1 << 19), 'b'));
              int begun = 0;
              const bool after = image_is_whole(*store, image, [&] { ++begun; });
              return fmt::format("{} {} {}", before, after, begun);
            }), "true false 0");
}

TEST_F(PackedImage, StandsAtAPathOfTheMachineUnderItsTreesName) {
  const Digest tree = add_tree("small", packed_files_min, 500);
  const auto mounter = mounter_of_packed(tree);
  const MountPlan plan = mounter->prepare_read_only(tree, "2");
  make_directories(directory_ / "at");
  EXPECT_EQ(in_child([&] {
              enter_mount_namespace(false);
              const Fd at = open_empty_directory(open_place(directory_ / "at"));
              mount_on_host(plan, at, directory_ / "staging", "volary:1");
              std::string found;
              for (const HostMount& mount : host_mounts())
                if (mount.path.native().starts_with(directory_.path().native()))
                  found += fmt::format("{} at {}, ", mount.root, mount.path.filename().native());
              return found + std::to_string(list_directory(directory_ / "at/07").size());
            }), "/" + packed_name_of(tree) + " at at, 100");
}

}  // namespace
}  // namespace volary
