// store/check_test.cc: marking, what is missing, strays, the way to what is damaged; and mending it.
#include "store/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/repair.h"
#include "store/sample_test.h"
#include "store/stats.h"
#include "store/sweep.h"

namespace volary {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

// a, sub/b and sub/deep/b again; another root with sub alone.
struct Filled : TestStore {
  Filled() {
    const auto commit = store->begin_commit();
    Tree deep, sub, root, other;
    deep.entries = {add_file(*commit, "b", "bytes of b")};
    const TreeEntry deep_entry = directory_entry("deep", commit->add_tree(deep));
    sub.entries = {add_file(*commit, "b", "bytes of b"), deep_entry};
    const TreeSummary sub_summary = commit->add_tree(sub);
    root.entries = {add_file(*commit, "a", "bytes of a"), directory_entry("sub", sub_summary)};
    other.entries = {directory_entry("sub", sub_summary)};
    deep_tree = deep_entry.digest;
    first = commit->add_tree(root).tree;
    second = commit->add_tree(other).tree;
    add_blob(*commit, "nobody's");
    commit->publish();
  }
  std::vector<Flaw> mark_all(Marks& marks) {
    Progress progress;
    return mark(*store, {first, second}, marks, progress, 2, {});
  }
  Digest first, second, deep_tree;
};

void overwrite(const Path& path, std::string_view bytes) {
  remove_file(path);
  const Fd fd = create_file(path);
  write_all(fd.get(), bytes, path);
}

TEST(DigestSet, holds_each_digest_once_whatever_their_number) {
  DigestSet set;
  EXPECT_FALSE(set.contains(Digest::of("0")));
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(set.insert(Digest::of(std::to_string(i))));
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(set.insert(Digest::of(std::to_string(i))));
  EXPECT_EQ(set.size(), 10'000u);
  for (int i = 0; i < 20'000; ++i) EXPECT_EQ(set.contains(Digest::of(std::to_string(i))), i < 10'000);
  size_t seen = 0;
  set.each([&](const Digest&) { ++seen; });
  EXPECT_EQ(seen, 10'000u);
}

TEST(Marking, reaches_all_that_the_roots_refer_to_each_once) {
  Filled test;
  Marks marks;
  EXPECT_TRUE(test.mark_all(marks).empty());
  EXPECT_EQ(marks.trees.size(), 4u);
  EXPECT_EQ(marks.blobs.size(), 2u);
  EXPECT_EQ(marks.blob_bytes, 20u);
  EXPECT_FALSE(marks.blobs.contains(Digest::of("nobody's")));
}

TEST(Marking, of_the_empty_tree_is_nothing) {
  TestStore test;
  Marks marks;
  Progress progress;
  EXPECT_TRUE(mark(*test.store, {empty_tree().tree}, marks, progress, 1, {}).empty());
  EXPECT_EQ(marks.trees.size(), 0u);
}

TEST(Marking, tells_what_is_missing_of_a_wrong_size_or_no_tree) {
  Filled test;
  remove_file(test.store->blob_path(Digest::of("bytes of a")));
  overwrite(test.store->blob_path(Digest::of("bytes of b")), "short");
  overwrite(test.store->tree_path(test.deep_tree), "VOLTREE");
  Marks marks;
  std::vector<std::string> told;
  for (const Flaw& flaw : test.mark_all(marks)) told.push_back(flaw.what);
  EXPECT_THAT(told, UnorderedElementsAre(
                        "object " + Digest::of("bytes of a").hex() + " is missing",
                        "object " + Digest::of("bytes of b").hex() + " has 5 bytes: expected 10",
                        "the bytes of tree " + test.deep_tree.hex() + " hash to " + Digest::of("VOLTREE").hex()));
}

TEST(Marking, ends_when_asked_to) {
  Filled test;
  Marks marks;
  Progress progress;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(error_of([&] { mark(*test.store, {test.first}, marks, progress, 1, stop.get_token()); }),
            "unavailable: the work was asked to stop");
}

TEST(Strays, are_names_that_are_no_objects) {
  Filled test;
  EXPECT_THAT(strays_of(*test.store, 10), ElementsAre());
  test.directory.write("store/objects/README", "hello");
  test.directory.write("store/objects/zz/cdef", "hello");
  const std::string object = Digest::of("bytes of a").path();
  test.directory.write("store/trees/" + object + ".tmp", "hello");
  EXPECT_THAT(strays_of(*test.store, 10), ElementsAre("objects/README", "objects/zz", "trees/" + object + ".tmp"));
  EXPECT_EQ(strays_of(*test.store, 1).size(), 1u);
}

TEST(Affected, names_the_paths_to_what_is_damaged_and_no_more_than_asked_for) {
  Filled test;
  Affected affected(*test.store, {{ObjectKind::blob, Digest::of("bytes of b"), ""}});
  std::vector<std::string> paths;
  const auto found = [&](const TreePath& path, const Digest&) { paths.push_back(path.text()); };
  affected.below(test.first, 10, found);
  EXPECT_THAT(paths, UnorderedElementsAre("sub/b", "sub/deep/b"));
  paths.clear();
  affected.below(test.second, 1, found);
  EXPECT_EQ(paths.size(), 1u);
  Affected root(*test.store, {{ObjectKind::tree, test.second, ""}});
  paths.clear();
  root.below(test.second, 10, found);
  EXPECT_THAT(paths, ElementsAre(""));
}

TEST(Stats, count_what_is_there) {
  Filled test;
  const StoreSizes sizes = sizes_of(*test.store);
  EXPECT_EQ(sizes.objects.files, 3u);
  EXPECT_EQ(sizes.objects.bytes, 28u);
  EXPECT_EQ(sizes.trees.files, 4u);
  EXPECT_EQ(sizes.quarantine.files, 0u);
}

TEST(Repair, puts_good_bytes_in_the_place_of_bad_ones_and_those_into_quarantine) {
  Filled test;
  const Digest digest = Digest::of("bytes of b");
  overwrite(test.store->blob_path(digest), "bytes of c");
  EXPECT_THAT(*flaw_of(*test.store, ObjectKind::blob, digest), testing::HasSubstr("hash to"));
  EXPECT_EQ(restore_object(*test.store, ObjectKind::blob, digest, [](Sink& sink) { sink.write("bytes of b"); }),
            Restored::yes);
  EXPECT_EQ(test.read(digest), "bytes of b");
  EXPECT_EQ(flaw_of(*test.store, ObjectKind::blob, digest), std::nullopt);
  EXPECT_EQ(read_file(quarantine_path(*test.store, ObjectKind::blob, digest)), "bytes of c");
}

TEST(Repair, changes_nothing_for_other_bytes) {
  Filled test;
  const Digest digest = Digest::of("bytes of b");
  overwrite(test.store->blob_path(digest), "bytes of c");
  EXPECT_EQ(restore_object(*test.store, ObjectKind::blob, digest, [](Sink& sink) { sink.write("bytes of d"); }),
            Restored::bytes_differ);
  EXPECT_EQ(read_file(test.store->blob_path(digest)), "bytes of c");
  EXPECT_EQ(restore_object(*test.store, ObjectKind::tree, test.first, [](Sink& sink) { sink.write("bytes of d"); }),
            Restored::bytes_differ);
}

TEST(Repair, brings_missing_trees_too) {
  Filled test;
  const std::string bytes = read_file(test.store->tree_path(test.first));
  remove_file(test.store->tree_path(test.first));
  EXPECT_EQ(*flaw_of(*test.store, ObjectKind::tree, test.first), "tree " + test.first.hex() + " is missing");
  EXPECT_EQ(restore_object(*test.store, ObjectKind::tree, test.first, [&](Sink& sink) { sink.write(bytes); }),
            Restored::yes);
  Marks marks;
  EXPECT_TRUE(test.mark_all(marks).empty());
}

TEST(Images, of_trees_that_nothing_refers_to_are_idle_once_they_are_old) {
  Filled test;
  Marks marks;
  test.mark_all(marks);
  test.directory.write("store/images/" + test.first.hex() + "-0-0.erofs", "live");
  test.directory.write("store/images/" + Digest::of("gone").hex() + "-0-0.erofs", "dead");
  test.directory.write("store/images/other", "not ours to judge");
  const Time later = system_clock().now().plus_seconds(100);
  EXPECT_THAT(idle_images(*test.store, marks, later),
              ElementsAre(test.store->root() / "images" / (Digest::of("gone").hex() + "-0-0.erofs")));
  EXPECT_THAT(idle_images(*test.store, marks, later.plus_seconds(-1000)), ElementsAre());
}

}  // namespace
}  // namespace volary
