// store/settling_test.cc: what is found torn after a crash, what a sweep may take, and what the mark promises.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <map>
#include <thread>

#include "store/sample_test.h"

namespace volary {
namespace {

constexpr Time far_future{int64_t{4'000'000'000} * 1'000'000};

void set_age(const Path& path, int64_t seconds) {
  const int64_t then = system_clock().now().micros / 1'000'000 - seconds;
  const std::array<timespec, 2> times{timespec{then, 0}, timespec{then, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0);
}

int64_t age_of(const Path& path) {
  return system_clock().now().micros / 1'000'000 - stat_of(path).value().st_mtim.tv_sec;
}

// A store whose process died: closed, and then marked as if it had not been, `settled_ago` seconds ago.
void crash(TestStore& test, int64_t settled_ago) {
  test.store.reset();
  test.directory.write("store/unsettled", "");
  set_age(test.directory / "store/unsettled", settled_ago);
  test.store = open_store(test.directory / "store");
}

// Writes `bytes` under the name of `named`, as a crash may leave a file.
Path tear(TestStore& test, const Digest& named, std::string_view bytes) {
  return test.directory.write("store/objects/" + named.path(), bytes);
}

TEST(UnsettledMark, stands_from_the_first_commit_to_the_closing_of_the_store) {
  TestStore test;
  const Path mark = test.directory / "store/unsettled";
  EXPECT_FALSE(is_present(mark));
  auto commit = test.store->begin_commit();
  EXPECT_TRUE(is_present(mark));
  add_blob(*commit, "hello");
  commit.reset();
  test.reopen();
  EXPECT_FALSE(is_present(mark));
  EXPECT_FALSE(test.store->recovery().after_crash);
}

TEST(UnsettledMark, moves_to_the_beginning_of_the_oldest_commit_that_has_not_published) {
  TestDirectory directory;
  FakeClock clock(system_clock().now());
  const Time start = clock.now();
  const auto store = open_store(directory / "store", clock);
  const auto time = [&] { return stat_of(directory / "store/unsettled").value().st_mtim.tv_sec; };
  const auto whole = [](Time at) { return at.micros / 1'000'000; };
  {
    const auto first = store->begin_commit();
    clock.set(start.plus_seconds(10));
    const auto second = store->begin_commit();
    EXPECT_EQ(time(), whole(start));
    clock.set(start.plus_seconds(20));
    add_blob(*second, "b");
    second->publish();
    EXPECT_EQ(time(), whole(start));
    EXPECT_EQ(store->oldest_commit(), start);
    add_blob(*first, "a");
    clock.set(start.plus_seconds(30));
    first->publish();
    EXPECT_EQ(time(), whole(start) + 20);
    EXPECT_EQ(store->oldest_commit(), start);
  }
  EXPECT_EQ(store->oldest_commit(), start.plus_seconds(30));
}

TEST(UnsettledMark, is_set_back_before_anything_is_written_when_the_clock_runs_backwards) {
  TestDirectory directory;
  FakeClock clock(system_clock().now());
  const Time start = clock.now();
  const auto store = open_store(directory / "store", clock);
  const auto time = [&] { return stat_of(directory / "store/unsettled").value().st_mtim.tv_sec; };
  const auto commit = store->begin_commit();
  clock.set(start.plus_seconds(-5000));
  add_blob(*commit, "a");
  EXPECT_EQ(time(), start.micros / 1'000'000 - 5000);
  EXPECT_EQ(store->oldest_commit(), start.plus_seconds(-5000));
  clock.set(start.plus_seconds(-4000));
  commit->publish();
  EXPECT_EQ(time(), start.micros / 1'000'000 - 4000);
}

TEST(Crash, moves_what_is_torn_and_keeps_what_is_whole) {
  TestStore test;
  auto commit = test.store->begin_commit();
  const Blob whole = add_blob(*commit, "whole");
  Tree tree;
  tree.entries = {file_entry("a", "whole")};
  const Digest good_tree = commit->add_tree(tree).tree;
  tree.entries = {file_entry("b", "whole")};
  const Digest torn_tree = commit->add_tree(tree).tree;
  // Lost bytes, as of a file whose blocks never reached the disk, and a size that never did.
  const Blob zeroed = add_blob(*commit, "zeroed");
  const Blob large = add_blob(*commit, std::string(40 << 20, 'l'));
  const Blob emptied = add_blob(*commit, "emptied");
  commit->publish();
  tear(test, zeroed.digest, std::string(6, '\0'));
  tear(test, emptied.digest, "");
  tear(test, large.digest, std::string(40 << 20, '\0'));
  test.directory.write("store/trees/" + torn_tree.path(), "torn");
  test.directory.write("store/objects/ab/stray", "no object's name");
  commit.reset();
  crash(test, 0);

  const Recovery recovery = test.store->recovery();
  EXPECT_TRUE(recovery.after_crash);
  EXPECT_EQ(recovery.checked, 6u);
  EXPECT_EQ(recovery.moved, 4u);
  EXPECT_EQ(test.read(whole.digest), "whole");
  EXPECT_TRUE(test.store->has_tree(good_tree));
  EXPECT_FALSE(test.store->has_tree(torn_tree));
  EXPECT_EQ(test.store->blob_size(zeroed.digest), std::nullopt);
  EXPECT_EQ(test.store->blob_size(large.digest), std::nullopt);
  const Path damaged = test.directory / "store/quarantine/damaged";
  EXPECT_EQ(read_file(damaged / "trees" / torn_tree.path()), "torn");
  EXPECT_EQ(read_file(damaged / "objects" / emptied.digest.path()), "");
  // Nothing is torn now, and it can be written again.
  auto again = test.store->begin_commit();
  add_blob(*again, "zeroed");
  again->publish();
  EXPECT_EQ(test.read(zeroed.digest), "zeroed");
  again.reset();
  test.reopen();
  EXPECT_FALSE(test.store->recovery().after_crash);
}

TEST(Crash, keeps_every_torn_copy_of_one_object) {
  TestStore test;
  const Digest digest = Digest::of("hello");
  for (int i = 0; i < 3; ++i) {
    tear(test, digest, "torn " + std::to_string(i));
    crash(test, 0);
    EXPECT_EQ(test.store->recovery().moved, 1u);
  }
  const std::string name = (test.directory / "store/quarantine/damaged/objects" / digest.path()).native();
  EXPECT_EQ(read_file(name), "torn 0");
  EXPECT_EQ(read_file(name + ".1"), "torn 1");
  EXPECT_EQ(read_file(name + ".2"), "torn 2");
}

TEST(Crash, has_nothing_older_than_the_mark_read_again) {
  TestStore test;
  auto commit = test.store->begin_commit();
  const Blob old = add_blob(*commit, "old");
  const Blob fresh = add_blob(*commit, "new");
  commit->publish();
  commit.reset();
  set_age(test.store->blob_path(old.digest), 100);
  crash(test, 50);
  EXPECT_EQ(test.store->recovery().checked, 1u);
  set_age(test.store->blob_path(fresh.digest), 51);  // Within the slack.
  crash(test, 50);
  EXPECT_EQ(test.store->recovery().checked, 1u);
  set_age(test.store->blob_path(fresh.digest).parent_path(), 100);  // No new names in its directory.
  crash(test, 50);
  EXPECT_EQ(test.store->recovery().checked, 0u);
}

TEST(Commit, renews_the_time_of_what_it_finds_present_after_an_hour) {
  TestStore test;
  const auto first = test.store->begin_commit();
  const Blob blob = add_blob(*first, "hello");
  Tree tree;
  tree.entries = {file_entry("a", "hello")};
  const Digest digest = first->add_tree(tree).tree;
  first->publish();
  const Path paths[] = {test.store->blob_path(blob.digest), test.store->tree_path(digest)};
  for (const auto& [age, expected] : {std::pair{3000, 3000}, std::pair{4000, 0}}) {
    for (const Path& path : paths) set_age(path, age);
    const auto commit = test.store->begin_commit();
    EXPECT_TRUE(commit->reuse_blob(blob));
    commit->add_tree(tree);
    for (const Path& path : paths) EXPECT_NEAR(static_cast<double>(age_of(path)), expected, 30);
  }
  const auto commit = test.store->begin_commit();
  EXPECT_FALSE(commit->reuse_blob({Digest::of("absent"), 6}));
  EXPECT_FALSE(commit->reuse_blob({blob.digest, 6}));
}

TEST(Quarantine, takes_what_is_unused_and_gives_it_back) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Blob blob = add_blob(*commit, "hello");
  Tree tree;
  tree.entries = {file_entry("a", "hello")};
  const Digest digest = commit->add_tree(tree).tree;
  commit->publish();
  for (const auto& [kind, name, folder] : {std::tuple{ObjectKind::blob, blob.digest, "objects"},
                                           std::tuple{ObjectKind::tree, digest, "trees"}}) {
    const Path away = test.directory / "store/quarantine" / folder / name.path();
    EXPECT_FALSE(test.store->bring_back(kind, name));
    EXPECT_FALSE(test.store->quarantine(kind, name, system_clock().now()));  // Used within the last hour.
    EXPECT_TRUE(test.store->quarantine(kind, name, far_future));
    EXPECT_FALSE(test.store->quarantine(kind, name, far_future));
    EXPECT_TRUE(is_present(away));
    EXPECT_TRUE(test.store->bring_back(kind, name));
    EXPECT_FALSE(is_present(away));
    EXPECT_FALSE(test.store->bring_back(kind, name));
  }
  EXPECT_EQ(test.read(blob.digest), "hello");
  EXPECT_EQ(test.store->read_tree(digest), tree);
  set_age(test.store->blob_path(blob.digest), 4000);
  const Time half_an_hour_ago = system_clock().now().plus_seconds(-1800);
  const Time now = system_clock().now();
  EXPECT_FALSE(test.store->quarantine(ObjectKind::blob, blob.digest, half_an_hour_ago));
  EXPECT_TRUE(test.store->quarantine(ObjectKind::blob, blob.digest, now));
}

TEST(Quarantine, never_takes_what_a_commit_has_just_found) {
  TestStore test;
  std::atomic<bool> done{false};
  {
    std::jthread sweep([&] {
      while (!done)
        test.store->each_object(ObjectKind::blob, [&](const StoredObject& object) {
          test.store->quarantine(ObjectKind::blob, object.digest, system_clock().now());
        });
    });
    for (int i = 0; i < 2000; ++i) {
      const auto commit = test.store->begin_commit();
      const Blob blob = add_blob(*commit, "hello");
      const Path path = test.store->blob_path(blob.digest);
      EXPECT_TRUE(is_present(path)) << i;
      if (i % 2 == 0) set_age(path, 7200);
    }
    done = true;
  }
}

TEST(Store, visits_its_objects_in_the_order_of_their_digests) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  std::map<Digest, uint64_t> expected;
  for (int i = 0; i < 600; ++i) {
    const Blob blob = add_blob(*commit, std::to_string(i));
    expected[blob.digest] = blob.size;
  }
  test.directory.write("store/objects/00/stray", "");
  test.directory.write("store/objects/00/" + std::string(62, 'A'), "");
  test.directory.write("store/objects/stray", "");
  std::vector<std::pair<Digest, uint64_t>> found;
  test.store->each_object(ObjectKind::blob, [&](const StoredObject& object) {
    EXPECT_NEAR(static_cast<double>(object.used_at.micros), static_cast<double>(system_clock().now().micros), 6e7);
    found.emplace_back(object.digest, object.bytes);
  });
  EXPECT_EQ(found, (std::vector<std::pair<Digest, uint64_t>>(expected.begin(), expected.end())));
}

}  // namespace
}  // namespace volary
