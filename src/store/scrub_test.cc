// store/scrub_test.cc: what a scrub finds: every flipped bit, on the disk or in the page cache alone.
#include "store/scrub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>

#include "store/sample_test.h"

namespace volary {
namespace {

struct Scrubbed {
  std::map<Digest, std::string> damaged;
  std::vector<ScrubPlace> passed;
  uint64_t directly = 0;
};

Scrubbed scrub_all(const Store& store, const ScrubPlace& from = {}, size_t stop_after = SIZE_MAX) {
  Scrubbed result;
  Progress progress;
  std::stop_source stop;
  const ScrubWatcher watcher{
      [&](const Flaw& flaw) { result.damaged[flaw.digest] = flaw.what; },
      [&](const ScrubPlace& place, uint64_t, ScrubWatcher::Read read) {
        result.passed.push_back(place);
        result.directly += read == ScrubWatcher::Read::directly;
        if (result.passed.size() == stop_after) stop.request_stop();
      }};
  scrub(store, from, 0, watcher, progress, stop.get_token());
  EXPECT_EQ(progress.files_done, result.passed.size());
  return result;
}

std::vector<Digest> fill(Store& store, int count, uint64_t bytes_max) {
  std::mt19937_64 dice(7);
  const auto commit = store.begin_commit();
  Tree tree;
  std::vector<Digest> digests;
  for (int i = 0; i < count; ++i) {
    SeededRandom random(static_cast<uint64_t>(i) + 1);
    const std::string bytes = random.bytes(1 + dice() % bytes_max);
    tree.entries.push_back(add_file(*commit, fmt::format("{:05}", i), bytes));
    digests.push_back(tree.entries.back().digest);
  }
  commit->add_tree(tree);
  commit->publish();
  return digests;
}

void flip_bit(const Path& path, uint64_t bit) {
  change_mode(path, 0644);
  std::string bytes = read_file(path);
  bytes[bit / 8 % bytes.size()] = static_cast<char>(bytes[bit / 8 % bytes.size()] ^ (1 << bit % 8));
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  write_all(fd.get(), bytes, path);
  timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};  // Written long ago: not by a commit under way.
  ::futimens(fd.get(), old);
  change_mode(path, 0444);
}

TEST(Scrub, finds_100_of_100_flipped_bits_and_nothing_else) {
  TestStore test;
  std::vector<Digest> digests = fill(*test.store, 300, 20'000);
  std::mt19937_64 dice(11);
  std::shuffle(digests.begin(), digests.end(), dice);
  for (int i = 0; i < 100; ++i) flip_bit(test.store->blob_path(digests[i]), dice());
  Scrubbed found = scrub_all(*test.store);
  EXPECT_EQ(found.damaged.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(found.damaged.contains(digests[i]));
  EXPECT_EQ(found.passed.size(), 301u);
}

TEST(Scrub, finds_a_damaged_tree_and_a_torn_object) {
  TestStore test;
  const std::vector<Digest> digests = fill(*test.store, 3, 5000);
  Digest tree;
  test.store->each_object(ObjectKind::tree, [&](const StoredObject& object) { tree = object.digest; });
  flip_bit(test.store->tree_path(tree), 100);
  change_mode(test.store->blob_path(digests[1]), 0644);
  ASSERT_EQ(::truncate(test.store->blob_path(digests[1]).c_str(), 0), 0);
  Scrubbed found = scrub_all(*test.store);
  EXPECT_THAT(found.damaged[tree], testing::StartsWith("the bytes of tree " + tree.hex() + " hash to "));
  EXPECT_EQ(found.damaged[digests[1]],
            "the bytes of object " + digests[1].hex() + " hash to " + Digest::of("").hex());
  EXPECT_EQ(found.damaged.size(), 2u);
}

TEST(Scrub, goes_on_where_it_stopped_and_reads_everything_once) {
  TestStore test;
  fill(*test.store, 50, 3000);
  std::vector<ScrubPlace> all;
  for (ScrubPlace from;;) {
    const Scrubbed part = scrub_all(*test.store, from, 7);
    all.insert(all.end(), part.passed.begin(), part.passed.end());
    if (part.passed.size() < 7) break;
    from = part.passed.back();
  }
  const Scrubbed whole = scrub_all(*test.store);
  ASSERT_EQ(all.size(), whole.passed.size());
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].after, whole.passed[i].after);
}

// --- on a file system of its own, whose disk can be changed behind it

int run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 1);
    ::dup2(null, 2);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

class on_a_disk_of_its_own : public testing::Test {
 protected:
  void SetUp() override {
    const Path image = directory / "disk";
    const Fd fd = create_file(image);
    ASSERT_EQ(::ftruncate(fd.get(), 32 << 20), 0);
    make_directory(directory / "mounted");
    if (::geteuid() != 0) GTEST_SKIP() << "only root can mount";
    if (run({"mkfs.ext4", "-q", "-F", image.native()}) != 0) GTEST_SKIP() << "there is no mkfs.ext4";
    if (run({"mount", "-o", "loop", image.native(), (directory / "mounted").native()}) != 0)
      GTEST_SKIP() << "no loop device can be mounted here";
    mounted = true;
    store = open_store(directory / "mounted/store");
  }
  void TearDown() override {
    store.reset();
    if (mounted) run({"umount", (directory / "mounted").native()});
  }

  // Changes `from` to `to` (as long) wherever the disk has it, behind the file system.
  void change_on_disk(const std::string& from, const std::string& to) {
    const Path image = directory / "disk";
    ::sync();
    const std::string disk = read_file(image);
    const Fd fd(::open(image.c_str(), O_WRONLY | O_CLOEXEC));
    size_t changed = 0;
    for (size_t at = 0; (at = disk.find(from, at)) != disk.npos; at += from.size(), ++changed)
      write_all_at(fd.get(), to, at, image);
    sync_file(fd.get(), image);
    EXPECT_GT(changed, 0u);
  }
  std::string cached(const Digest& digest) { return read_file(store->blob_path(digest)); }

  TestDirectory directory;
  bool mounted = false;
  std::unique_ptr<Store> store;
};

TEST_F(on_a_disk_of_its_own, a_scrub_says_which_of_disk_and_cache_differs) {
  const std::string good = std::string(6000, 'g') + "what the disk has";
  const std::string bad = std::string(6000, 'g') + "what the d1sk has";
  const Digest digest = Digest::of(good);
  const auto commit = store->begin_commit();
  add_blob(*commit, good);
  commit->publish();
  const Scrubbed before = scrub_all(*store);
  EXPECT_TRUE(before.damaged.empty());
  if (before.directly == 0) GTEST_SKIP() << "this file system takes no O_DIRECT";

  ASSERT_EQ(cached(digest), good);  // In the page cache from here on.
  change_on_disk("what the disk has", "what the d1sk has");
  EXPECT_EQ(cached(digest), good);
  EXPECT_EQ(scrub_all(*store).damaged[digest],
            "the bytes of object " + digest.hex() + " on the disk hash to " + Digest::of(bad).hex() +
                "; those that the page cache holds are whole");

  const Fd fd = open_to_read(store->blob_path(digest));
  ASSERT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
  ASSERT_EQ(cached(digest), bad);  // Now the cache has the bad bytes,
  change_on_disk("what the d1sk has", "what the disk has");  // and the disk the good ones again.
  EXPECT_EQ(scrub_all(*store).damaged[digest],
            "the bytes of object " + digest.hex() + " that the page cache holds hash to " + Digest::of(bad).hex() +
                "; those on the disk are whole");
  StringSink past_the_cache;
  read_past_cache(store->blob_path(digest), past_the_cache);
  EXPECT_EQ(past_the_cache.text, good);
}

}  // namespace
}  // namespace volary
