// mount/mount_test.cc: mounts as a job's supervisor makes them: in a child with namespaces of its own, with a real
// store, as root and as a plain user.
#include "mount/mount.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <atomic>
#include <thread>

#include "mount/kernel_mount.h"
#include "mount/link_farm.h"
#include "mount/scratch.h"
#include "mount/mount_test.h"

namespace volary {
namespace {

constexpr Owner job{42420, 42420};
const MountWays data_only_ways{ReadOnlyWay::erofs_overlay, WritableWay::overlay, "", "", Layering::data_only};
const MountWays ordinary_ways{ReadOnlyWay::erofs_overlay, WritableWay::overlay, "", "", Layering::ordinary};
const MountWays farm_ways{ReadOnlyWay::link_farm, WritableWay::overlay, "", ""};

void become(uid_t uid) {
  if (::setgroups(0, nullptr) < 0 || ::setresgid(uid, uid, uid) < 0 || ::setresuid(uid, uid, uid) < 0) std::abort();
}

std::string read_or_errno(const Path& path) {
  return error_of([&] { read_file(path); }).empty() ? read_file(path) : error_of([&] { read_file(path); });
}

// A directory with a bit of everything.
void make_example(const Path& at) {
  write_text(at / "readme", "hello\n");
  write_text(at / "empty", "");
  write_text(at / "bin/run", "#!/bin/sh\necho ran\n", 0755);
  write_text(at / "data/deep/one", std::string(100'000, 'x'));
  write_text(at / "data/deep/two", "two");
  make_directory(at / "nothing-in-it");
  make_symlink("data/deep", at / "link");
}

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    make_example(directory_ / "example");
    store_ = open_store(directory_ / "store");
    tree_ = add_all_of(*store_, directory_ / "example");
  }
  Path staging() const { return directory_ / "staging"; }
  Path shown(const MountPlan& plan) const { return staging() / plan.root; }

  // The tree digest of what stands at `path`, computed by another store.
  std::string digest_at(const Path& path) const {
    const auto other = open_store(directory_ / ("other-" + random_hex(4)));
    return add_all_of(*other, path).hex();
  }

  TestDirectory directory_;
  std::unique_ptr<Store> store_;
  Digest tree_;
};

TEST_F(MountTest, ProbingFindsWhatThisKernelCanAndLeavesNothingBehind) {
  const MountWays ways = probe_mounts(directory_ / "store");
  EXPECT_EQ(ways.read_only, ReadOnlyWay::erofs_overlay) << ways.read_only_reason;
  EXPECT_EQ(ways.writable, WritableWay::overlay) << ways.writable_reason;
  const bool has_data_only = is_known_to_kernel(Layering::data_only);
  EXPECT_EQ(ways.layering, has_data_only ? Layering::data_only : Layering::ordinary);
  // No kernel mounts erofs from a file on a tmpfs, where we are; on a disk, those from 6.12 on do.
  EXPECT_EQ(ways.read_only_reason, fmt::format("erofs mounts by a loop device, overlayfs takes {}",
                                               has_data_only ? "data-only layers" : "objects/ as an ordinary layer"));
  EXPECT_TRUE(list_directory(directory_ / "store" / "tmp").empty());
}

TEST_F(MountTest, ProbingOnADiskFindsThatImagesMountFromTheirFiles) {
  struct statfs system {};
  if (kernel_version() < 612 || ::statfs("/var/tmp", &system) < 0 || system.f_type == TMPFS_MAGIC)
    GTEST_SKIP() << "needs Linux 6.12 and a disk";
  const Path store = "/var/tmp/volary-mount-" + random_hex(8);
  EXPECT_EQ(probe_mounts(store).read_only_reason, "erofs mounts from a file, overlayfs takes data-only layers");
  remove_tree(store);
}

TEST_F(MountTest, ProbingAsAPlainUserFindsUserOverlays) {
  make_directories(directory_ / "mine");
  ::chmod(directory_.path().c_str(), 0755);
  ASSERT_EQ(::chown((directory_ / "mine").c_str(), 65534, 65534), 0);
  const std::string found = in_child([&] {
    become(65534);
    return print_json(to_json(probe_mounts(directory_ / "mine")));
  });
  EXPECT_NE(found.find(R"("readOnly":"link_farm","writable":"user_overlay")"), std::string::npos) << found;
}

// Tests on images run with each layering that this kernel has.
class ImageMountTest : public MountTest, public ::testing::WithParamInterface<Layering> {
 protected:
  void SetUp() override {
    if (!is_known_to_kernel(GetParam())) GTEST_SKIP() << "needs Linux 6.5";
    MountTest::SetUp();
  }
  const MountWays image_ways = GetParam() == Layering::data_only ? data_only_ways : ordinary_ways;
};
INSTANTIATE_TEST_SUITE_P(Mount, ImageMountTest, ::testing::Values(Layering::data_only, Layering::ordinary),
                         [](const auto& one) { return std::string(name_of_value(one.param)); });

TEST_P(ImageMountTest, ReadOnlyMountsShowTheTreeAndRefuseWrites) {
  for (const MountWays& ways : {image_ways, farm_ways}) {
    const auto mounter = open_mounter(*store_, ways, job);
    const MountPlan plan = mounter->prepare_read_only(tree_, "0");
    EXPECT_FALSE(plan.writable);
    EXPECT_FALSE(plan.user_namespace);
    const Path at = shown(plan);
    EXPECT_EQ(with_mounts({plan}, staging(), [&] { return digest_at(at); }), tree_.hex());
    EXPECT_EQ(with_mounts({plan}, staging(), [&] { return error_of([&] { create_file(at / "new"); }); }),
              "denied: cannot create '" + (at / "new").native() + "': Read-only file system");
    EXPECT_EQ(with_mounts({plan}, staging(), [&] { return error_of([&] { remove_file(at / "readme"); }); }),
              "denied: cannot remove '" + (at / "readme").native() + "': Read-only file system");
    EXPECT_EQ(with_mounts({plan}, staging(), [&] { return error_of([&] { open_to_append(at / "readme"); }); }),
              "denied: cannot open to append to '" + (at / "readme").native() + "': Read-only file system");
  }
}

TEST_P(ImageMountTest, AJobUserReadsAndRunsFilesOfAReadOnlyMount) {
  ::chmod(directory_.path().c_str(), 0755);
  const auto mounter = open_mounter(*store_, image_ways, job);
  const MountPlan plan = mounter->prepare_read_only(tree_, "0");
  EXPECT_EQ(with_mounts({plan}, staging(),
                        [&] {
                          become(42420);
                          const std::string command = (shown(plan) / "bin/run").native();
                          FILE* pipe = ::popen(command.c_str(), "r");
                          std::array<char, 64> text{};
                          const size_t size = std::fread(text.data(), 1, text.size(), pipe);
                          ::pclose(pipe);
                          return std::string(text.data(), size) + read_file(shown(plan) / "readme");
                        }),
            "ran\nhello\n");
}

TEST_P(ImageMountTest, AJobUserWritesIntoAWritableMountAndFindsItAgainAfterARestart) {
  ::chmod(directory_.path().c_str(), 0755);
  const auto mounter = open_mounter(*store_, image_ways, job);
  const auto plan = [&] { return mounter->prepare_writable(tree_, "0", directory_ / "scratch"); };
  EXPECT_TRUE(plan().writable);
  const Path at = shown(plan());
  EXPECT_EQ(with_mounts({plan()}, staging(),
                        [&] {
                          become(42420);
                          write_all(open_to_append(at / "readme").get(), "more\n", "readme");
                          write_text(at / "new/file", "new");
                          rename_file(at / "data", at / "moved");
                          change_mode(at / "moved/deep/two", 0755);
                          return std::string("done");
                        }),
            "done");
  EXPECT_EQ(with_mounts({plan()}, staging(),
                        [&] {
                          become(42420);
                          return read_file(at / "readme") + read_file(at / "new/file") +
                                 read_file(at / "moved/deep/two");
                        }),
            "hello\nmore\nnewtwo");
  EXPECT_EQ(read_or_errno(store_->blob_path(Digest::of("hello\n"))), "hello\n");
}

TEST_P(ImageMountTest, ASandboxOfAJobUserBindsTheMounts) {
  if (std::system("command -v bwrap >/dev/null") != 0) GTEST_SKIP() << "needs bubblewrap";
  ::chmod(directory_.path().c_str(), 0755);
  const auto mounter = open_mounter(*store_, image_ways, job);
  const std::vector<MountPlan> plans = {mounter->prepare_read_only(tree_, "in"),
                                        mounter->prepare_writable(tree_, "out", directory_ / "scratch")};
  const std::string command = fmt::format(
      "bwrap --unshare-user --dev /dev --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib "
      "--symlink usr/lib64 /lib64 "
      "--ro-bind '{}' /in --bind '{}' /out "
      "/bin/sh -c 'cat /in/readme; /in/bin/run; echo changed > /out/readme; "
      "touch /in/x 2>/dev/null || echo refused; mv /out/data /out/moved; cat /out/readme' 2>&1",
      shown(plans[0]).native(), shown(plans[1]).native());
  EXPECT_EQ(with_mounts(plans, staging(),
                        [&] {
                          become(42420);
                          FILE* pipe = ::popen(command.c_str(), "r");
                          std::array<char, 4096> text{};
                          const size_t size = std::fread(text.data(), 1, text.size(), pipe);
                          ::pclose(pipe);
                          return std::string(text.data(), size);
                        }),
            "hello\nran\nrefused\nchanged\n");
  EXPECT_TRUE(is_present(directory_ / "scratch/upper/moved"));
}

TEST_P(ImageMountTest, SeveralPlansStandBesideEachOther) {
  const auto mounter = open_mounter(*store_, image_ways, job);
  const std::vector<MountPlan> plans = {mounter->prepare_read_only(tree_, "model"),
                                        mounter->prepare_read_only(empty_tree().tree, "nothing"),
                                        mounter->prepare_writable(tree_, "out", directory_ / "scratch")};
  EXPECT_EQ(with_mounts(plans, staging(),
                        [&] {
                          write_text(shown(plans[2]) / "readme", "mine");
                          return read_file(shown(plans[0]) / "readme") + read_file(shown(plans[2]) / "readme") +
                                 std::to_string(list_directory(shown(plans[1])).size());
                        }),
            "hello\nmine0");
}

TEST_P(ImageMountTest, MountsVanishWithTheProcess) {
  const auto mounter = open_mounter(*store_, image_ways, job);
  const MountPlan plan = mounter->prepare_writable(tree_, "0", directory_ / "scratch");
  make_directories(staging());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    enter_mount_namespace(false);
    perform({plan}, staging());
    write_all(ends[1], is_present(shown(plan) / "readme") ? "y" : "n", "pipe");
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(read_some(ends[0], {&answer, 1}, "pipe"), 1u);
  EXPECT_EQ(answer, 'y');
  EXPECT_TRUE(list_directory(staging()).empty());  // In our namespace nothing is mounted.
  EXPECT_EQ(read_file("/proc/self/mountinfo").find(directory_.path().native()), std::string::npos);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(list_directory(staging()).empty());
  // Overlayfs holds its upper directory exclusively: it can be mounted again only because the first mount is gone.
  EXPECT_EQ(with_mounts({plan}, staging(), [&] { return read_file(shown(plan) / "readme"); }), "hello\n");
}

TEST_P(ImageMountTest, OddPathsAreNoOptions) {
  const Path odd = directory_ / "a:b,c=d\\e f\n:: ü" / std::string(200, 'l') / std::string(200, 'm');
  make_directories(odd);
  const auto store = open_store(odd / "sto:re");
  const Digest tree = add_all_of(*store, directory_ / "example");
  for (const MountWays& ways : {image_ways, farm_ways}) {
    const auto mounter = open_mounter(*store, ways, job);
    const MountPlan plan = mounter->prepare_writable(tree, "a:b,c", odd / ("scr,atch:" + random_hex(2)));
    const Path at = odd / "sta:ging,";
    EXPECT_EQ(with_mounts({plan}, at,
                          [&] {
                            write_text(at / plan.root / "readme", "changed");
                            return read_file(at / plan.root / "readme") + read_file(at / plan.root / "data/deep/two");
                          }),
              "changedtwo");
  }
}

TEST_P(ImageMountTest, PlansSurviveBeingStored) {
  const auto mounter = open_mounter(*store_, image_ways, job);
  const MountPlan plan = mounter->prepare_writable(tree_, "0", directory_ / "scratch");
  const auto again = from_json<MountPlan>(parse_json(print_json(to_json(plan)), "a plan"), "plan");
  EXPECT_EQ(with_mounts({again}, staging(), [&] { return read_file(shown(again) / "readme"); }), "hello\n");
}

TEST_F(MountTest, AnImageIsMountedByALoopDeviceWhereTheKernelNeedsOne) {
  write_erofs_image(*store_, tree_, job, directory_ / "image");
  make_directories(directory_ / "at");
  EXPECT_EQ(in_child([&] {
              enter_mount_namespace(false);
              mount_image_by_loop(directory_ / "image", directory_ / "at");
              return volary::read_symlink(directory_ / "at" / "link");
            }),
            "data/deep");
}

TEST_P(ImageMountTest, RefusesNamesThatAreNoWord) {
  const auto mounter = open_mounter(*store_, image_ways, job);
  EXPECT_EQ(error_of([&] { mounter->prepare_read_only(tree_, "../x"); }),
            "invalid: '../x' cannot name a mount: expected one word");
}

TEST_P(ImageMountTest, RefusesAScratchDirectoryOfAnotherTree) {
  const auto mounter = open_mounter(*store_, image_ways, job);
  mounter->prepare_writable(tree_, "0", directory_ / "scratch");
  EXPECT_EQ(error_of([&] { mounter->prepare_writable(empty_tree().tree, "0", directory_ / "scratch"); }),
            "conflict: '" + (directory_ / "scratch").native() + "' holds changes of tree " + tree_.hex() +
                ": expected tree " + empty_tree().tree.hex());
}

TEST_F(MountTest, AFailedMountSaysWhy) {
  const MountPlan plan{.steps = {{"erofs", (directory_ / "example/readme").native(), "lower/0", ""}},
                       .root = "trees/0",
                       .writable = false,
                       .user_namespace = false};
  const std::string said = with_mounts({plan}, staging(), [] { return std::string(); });
  EXPECT_NE(said.find("cannot mount erofs at '" + (staging() / "lower/0").native() + "'"), std::string::npos) << said;
  EXPECT_NE(said.find("while making the mounts of 'trees/0'"), std::string::npos) << said;
}

// Counts how often trees are read; everything else is the store's.
class CountingStore final : public Store {
 public:
  explicit CountingStore(Store& store) : store_(store) {}
  const Path& root() const override { return store_.root(); }
  Path blob_path(const Digest& blob) const override { return store_.blob_path(blob); }
  Path tree_path(const Digest& tree) const override { return store_.tree_path(tree); }
  std::optional<uint64_t> blob_size(const Digest& blob) const override { return store_.blob_size(blob); }
  void read_blob(const Digest& blob, Sink& sink) const override { store_.read_blob(blob, sink); }
  bool has_tree(const Digest& tree) const override { return store_.has_tree(tree); }
  EncodedTree read_encoded_tree(const Digest& tree) const override {
    ++trees_read;
    std::this_thread::yield();
    return store_.read_encoded_tree(tree);
  }
  std::unique_ptr<Commit> begin_commit() override { return store_.begin_commit(); }
  std::optional<std::string> read_only_reason() const override { return store_.read_only_reason(); }
  Recovery recovery() const override { return store_.recovery(); }
  void each_object(ObjectKind kind, const std::function<void(const StoredObject&)>& visit) const override {
    store_.each_object(kind, visit);
  }
  Time oldest_commit() const override { return store_.oldest_commit(); }
  bool quarantine(ObjectKind kind, const Digest& digest, Time unused_since) override {
    return store_.quarantine(kind, digest, unused_since);
  }
  bool bring_back(ObjectKind kind, const Digest& digest) override { return store_.bring_back(kind, digest); }

  mutable std::atomic<int> trees_read{0};

 private:
  Store& store_;
};

TEST_P(ImageMountTest, ConcurrentCallersMakeOneImage) {
  CountingStore counting(*store_);
  write_erofs_image(counting, tree_, job, directory_ / "alone");
  const int once = counting.trees_read.exchange(0);
  for (const MountWays& ways : {image_ways, farm_ways}) {
    const auto mounter = open_mounter(counting, ways, job);
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) callers.emplace_back([&, i] { mounter->prepare_read_only(tree_, std::to_string(i)); });
    callers.clear();
    EXPECT_EQ(counting.trees_read.exchange(0), once);
  }
}

#ifdef VOLARY_FAULTS
// Run by the next test in a process of its own, where the environment chooses the fault.
TEST(MountKill, DISABLED_PreparesAMount) {
  const auto store = open_store(std::getenv("VOLARY_TEST_STORE"));
  const bool by_farm = std::getenv("VOLARY_TEST_FARM") != nullptr;
  open_mounter(*store, by_farm ? farm_ways : ordinary_ways, job)
      ->prepare_read_only(Digest::parse(std::getenv("VOLARY_TEST_TREE")), "0");
}

TEST_F(MountTest, AnImageWhoseMakingWasKilledIsMadeAgain) {
  const std::vector<std::string> points = {"mount.image.write", "mount.image.rename", "mount.farm.entry=kill@4",
                                           "mount.farm.rename", "file.rename"};
  for (const std::string& point : points) {
    const bool by_farm = point.starts_with("mount.farm");
    const TestDirectory directory;
    auto store = open_store(directory / "store");
    const Digest tree = add_all_of(*store, directory_ / "example");
    store.reset();
    const std::string log = (directory / "log").native();
    const std::string command =
        fmt::format("VOLARY_FAULT='{}' VOLARY_FAULT_LOG='{}' VOLARY_TEST_STORE='{}' VOLARY_TEST_TREE={} {} "
                    "/proc/{}/exe --gtest_also_run_disabled_tests --gtest_filter=MountKill.* >/dev/null 2>&1",
                    point, log, (directory / "store").native(), tree.hex(),
                    by_farm ? "VOLARY_TEST_FARM=1" : "", ::getpid());
    EXPECT_NE(std::system(command.c_str()), 0) << point;
    EXPECT_NE(read_file(log), "") << point;
    EXPECT_TRUE(list_directory(directory / "store" / "images").empty()) << point;

    store = open_store(directory / "store");
    const MountPlan plan = open_mounter(*store, by_farm ? farm_ways : ordinary_ways, job)->prepare_read_only(tree, "0");
    EXPECT_EQ(with_mounts({plan}, staging(), [&] { return digest_at(shown(plan)); }), tree.hex()) << point;
  }
}
#endif

TEST_F(MountTest, ALinkFarmLinksObjectsAndCopiesExecutables) {
  make_link_farm(*store_, tree_, directory_ / "farm");
  const auto inode = [](const Path& path) { return stat_of(path)->st_ino; };
  const Path object = store_->blob_path(Digest::of("hello\n"));
  EXPECT_EQ(inode(directory_ / "farm/readme"), inode(object));
  EXPECT_EQ(stat_of(directory_ / "farm/bin/run")->st_mode & 07777, 0555u);
  EXPECT_EQ(stat_of(store_->blob_path(Digest::of("#!/bin/sh\necho ran\n")))->st_mode & 07777, 0444u);
  EXPECT_EQ(digest_at(directory_ / "farm"), tree_.hex());
}

TEST_F(MountTest, ALinkFarmCopiesWhatHasTooManyLinks) {
  // ext4 allows 65,000 links to a file; tmpfs more than one would like to wait for.
  const TestDirectory disk("volary-ext4-");
  const Path image = disk / "disk";
  const std::string format = fmt::format("truncate -s 64M '{0}' && mkfs.ext4 -q -N 4096 '{0}'", image.native());
  ASSERT_EQ(std::system(format.c_str()), 0);
  make_directories(disk / "at");
  EXPECT_EQ(in_child([&]() -> std::string {
              enter_mount_namespace(false);
              const std::string mount = fmt::format("mount -o loop '{}' '{}'", image.native(), (disk / "at").native());
              if (std::system(mount.c_str()) != 0) return "no mount";
              const auto store = open_store(disk / "at" / "store");
              const Digest tree = add_all_of(*store, directory_ / "example");
              const Path object = store->blob_path(Digest::of("hello\n"));
              make_directories(disk / "at" / "links");
              for (int i = 1; i < 65'000; ++i) make_link(object, disk / "at" / "links" / std::to_string(i));
              make_link_farm(*store, tree, disk / "at" / "farm");
              const auto status = stat_of(disk / "at" / "farm" / "readme");
              return read_file(disk / "at" / "farm" / "readme") + std::to_string(status->st_nlink) + " " +
                     std::to_string(status->st_mode & 07777);
            }),
            "hello\n1 " + std::to_string(0444));
}

// --- as a plain user: link farm and overlay in a user namespace

class UserMountTest : public MountTest {};

TEST_F(UserMountTest, APlainUserReadsWritesAndHarvests) {
  ::chmod(directory_.path().c_str(), 0755);
  make_directories(directory_ / "mine");
  ASSERT_EQ(::chown((directory_ / "mine").c_str(), 65534, 65534), 0);
  EXPECT_EQ(in_child([&]() -> std::string {
              become(65534);
              const Path mine = directory_ / "mine";
              const auto store = open_store(mine / "store");
              const Digest tree = add_all_of(*store, directory_ / "example");
              const auto mounter = open_mounter(*store, probe_mounts(mine / "store"), {65534, 65534});
              const MountPlan reading = mounter->prepare_read_only(tree, "in");
              const MountPlan writing = mounter->prepare_writable(tree, "out", mine / "scratch");
              if (!reading.user_namespace || !writing.user_namespace) return "no user namespace";
              const std::string merged = with_mounts({reading, writing}, mine / "staging", [&] {
                const Path in = mine / "staging" / reading.root;
                const Path out = mine / "staging" / writing.root;
                const std::string said = error_of([&] { create_file(in / "new"); });
                if (said.find("Read-only file system") == said.npos) return "written: " + said;
                if (read_file(in / "readme") != "hello\n") return std::string("read wrongly");
                remove_tree(out / "data" / "deep");
                write_text(out / "data" / "deep" / "three", "3");
                write_text(out / "readme", "changed");
                write_text(out / "closed", "secret", 0000);
                make_directory(out / "closed-directory");
                write_text(out / "closed-directory/file", "x");
                change_mode(out / "closed-directory", 0000);
                rename_file(out / "bin" / "run", out / "ran");
                remove_file(out / "empty");
                change_mode(out / "closed-directory", 0700);
                const auto other = open_store(mine / "other");
                const std::string digest = add_all_of(*other, out).hex();
                change_mode(out / "closed-directory", 0000);
                return digest;
              });
              const auto commit = store->begin_commit();
              Progress progress;
              const Harvest found = harvest(*store, *commit, tree, mine / "scratch", Deletions::keep, progress);
              const std::string harvested = apply_changes(*store, *commit, tree, found.changes).tree.hex();
              return harvested == merged ? "equal" : "merged " + merged + ", harvested " + harvested;
            }),
            "equal");
}

TEST_F(UserMountTest, AFileOfTheVersionIsWrittenWithTheCapabilityThatTheDecisionNames) {
  if (std::system("command -v bwrap >/dev/null") != 0) GTEST_SKIP() << "needs bubblewrap";
  ::chmod(directory_.path().c_str(), 0755);
  make_directories(directory_ / "mine");
  ASSERT_EQ(::chown((directory_ / "mine").c_str(), 65534, 65534), 0);
  EXPECT_EQ(in_child([&]() -> std::string {
              become(65534);
              const Path mine = directory_ / "mine";
              const auto store = open_store(mine / "store");
              const auto mounter = open_mounter(*store, probe_mounts(mine / "store"), {65534, 65534});
              const Digest tree = add_all_of(*store, directory_ / "example");
              const MountPlan plan = mounter->prepare_writable(tree, "out", mine / "scratch");
              return with_mounts({plan}, mine / "staging", [&]() -> std::string {
                const Path out = mine / "staging" / plan.root;
                const auto sandboxed = [&](std::string_view capability) {
                  const std::string command = fmt::format(
                      "bwrap --unshare-user --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib "
                      "--symlink usr/lib64 /lib64 --bind '{}' /out --cap-drop ALL {} "
                      "/bin/sh -c 'echo more >> /out/readme' 2>/dev/null",
                      out.native(), capability);
                  return std::system(command.c_str()) == 0 ? std::string("wrote ") : std::string("refused ");
                };
                const std::string without = sandboxed("");
                const std::string with = sandboxed("--cap-add CAP_DAC_OVERRIDE");
                return without + with + read_file(out / "readme");
              });
            }),
            "refused wrote hello\nmore\n");
}

}  // namespace
}  // namespace volary
