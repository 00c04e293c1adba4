// store/power_cut_test.cc: the store on file systems that lose power, journal replay and all.
//
// Each has a disk of its own. "Going down" is the file systems' own test door: from then on nothing reaches the disk,
// and what was not there yet is lost, as if the power had been cut.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/synced.h"
#include "store/sample_test.h"

namespace volary {
namespace {

// Both kinds of file systems know it; no header offers it.
constexpr unsigned long going_down = _IOR('X', 125, uint32_t);
constexpr uint32_t without_the_journal = 2;

class Disk {
 public:
  Disk(const TestDirectory& directory, const std::string& kind) : image_(directory / "image"), at_(directory / "at") {
    make_directory(at_);
    // Out of sight of namespaces that others begin meanwhile: a copy of the mount there would keep the file system that
    // has gone down, and mounting it again would only show it again.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
    const std::string make = "truncate -s 512M '" + image_.native() + "' && mkfs." + kind + " -q '" + image_.native() +
                             "' >/dev/null 2>&1";
    is_mounted_ = std::system(make.c_str()) == 0 && mount();
  }
  ~Disk() {
    if (is_mounted_) unmount();
  }

  bool is_mounted() const { return is_mounted_; }
  Path store() const { return at_ / "store"; }
  const Path& at() const { return at_; }

  void cut_power() {
    const Fd fd = open_directory(at_);
    uint32_t flags = without_the_journal;
    ASSERT_EQ(::ioctl(fd.get(), going_down, &flags), 0);
  }
  void come_back() {
    unmount();
    is_mounted_ = mount();
    ASSERT_TRUE(is_mounted_);
  }

 private:
  bool mount() const {
    return std::system(("mount -o loop '" + image_.native() + "' '" + at_.native() + "' 2>/dev/null").c_str()) == 0;
  }
  void unmount() const {
    for (int i = 0; i < 100 && ::umount2(at_.c_str(), 0) != 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  Path image_;
  Path at_;
  bool is_mounted_ = false;
};

// What another part of the program does meanwhile: its journal reaches the disk, our names with it, our bytes not.
void sync_something_else(const Disk& disk) {
  const Path path = disk.at() / "else";
  const Fd fd = open_to_append(path);
  write_all(fd.get(), "x", path);
  sync_file(fd.get(), path);
}

void expect_whole(Store& store) {
  store.each_object(ObjectKind::blob, [&](const StoredObject& object) {
    EXPECT_EQ(Digest::of(read_file(store.blob_path(object.digest))), object.digest);
  });
  store.each_object(ObjectKind::tree, [&](const StoredObject& object) {
    EXPECT_EQ(Digest::of(read_file(store.tree_path(object.digest))), object.digest);
  });
}

Digest add_some(Commit& commit, int round, int files) {
  Tree tree;
  for (int i = 0; i < files; ++i) {
    std::string bytes = std::to_string(round) + "/" + std::to_string(i);
    if (i % 50 == 0) bytes += std::string(300'000, 'l');  // Larger than what is created under its name.
    tree.entries.push_back(add_file(commit, std::to_string(1000 + i), bytes));
  }
  return commit.add_tree(tree).tree;
}

class PowerCut : public testing::TestWithParam<const char*> {};

TEST_P(PowerCut, tears_only_what_was_not_published) {
  const TestDirectory directory;
  Disk disk(directory, GetParam());
  if (!disk.is_mounted()) GTEST_SKIP() << "a disk of our own needs root and mkfs." << GetParam();
  uint64_t torn = 0;
  std::vector<Digest> published;
  for (int round = 0; round < 6; ++round) {
    auto store = open_store(disk.store());
    auto commit = store->begin_commit();
    if (round % 2 == 1) {
      published.push_back(add_some(*commit, round, 200));
      commit->publish();
    }
    add_some(*commit, 100 + round, 300);
    sync_something_else(disk);
    disk.cut_power();
    commit.reset();
    store.reset();
    disk.come_back();

    store = open_store(disk.store());
    EXPECT_TRUE(store->recovery().after_crash);
    torn += store->recovery().moved;
    expect_whole(*store);
    Progress progress;
    for (const Digest& tree : published) EXPECT_TRUE(verify(*store, tree, progress, 2).empty());
    // What was lost can be written again.
    commit = store->begin_commit();
    published.push_back(add_some(*commit, 100 + round, 300));
    commit->publish();
  }
  if (GetParam() == std::string("ext4")) EXPECT_GT(torn, 0u);  // It keeps the names. (xfs here: neither or both.)
}

TEST_P(PowerCut, at_any_moment_of_many_commits_loses_nothing_published) {
  const TestDirectory directory;
  Disk disk(directory, GetParam());
  if (!disk.is_mounted()) GTEST_SKIP() << "a disk of our own needs root and mkfs." << GetParam();
  SeededRandom random(7);
  std::vector<Digest> published;
  for (int round = 0; round < 5; ++round) {
    auto store = open_store(disk.store());
    std::vector<std::jthread> writers;
    Synced<std::vector<Digest>> done;
    std::atomic<int> next{round * 100'000};
    for (int w = 0; w < 3; ++w)
      writers.emplace_back([&] {
        error_of([&] {
          for (;;) {
            const auto commit = store->begin_commit();
            const Digest tree = add_some(*commit, next++ / 2, 20);  // Each by two writers, more or less at once.
            commit->publish();
            done.lock()->push_back(tree);
          }
        });
      });
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + static_cast<uint8_t>(random.bytes(1)[0])));
    disk.cut_power();
    writers.clear();
    store.reset();
    disk.come_back();
    for (const Digest& tree : *done.lock()) published.push_back(tree);

    store = open_store(disk.store());
    expect_whole(*store);
    for (const Digest& tree : published)
      for (const TreeEntry& entry : store->read_tree(tree).entries)
        EXPECT_EQ(store->blob_size(entry.digest), entry.size);
  }
  EXPECT_GT(published.size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(FileSystem, PowerCut, testing::Values("ext4", "xfs"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace volary
