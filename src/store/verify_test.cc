// store/verify_test.cc: every kind of damage is found, named and located.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/sample_test.h"

namespace volary {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Damaged : TestStore {
  std::string large = SeededRandom(7).bytes(40 << 20);
  Tree sub;
  Tree root;
  TreeSummary summary;

  Damaged() {
    const auto commit = store->begin_commit();
    sub.entries = {add_file(*commit, "copy", "hello"), add_file(*commit, "x", "x")};
    root.entries = {add_file(*commit, "hello", "hello"), add_file(*commit, "large", large), link_entry("link", "large"),
                    directory_entry("sub", commit->add_tree(sub))};
    summary = commit->add_tree(root);
    commit->publish();
  }

  std::vector<std::string> found() const {
    Progress progress;
    std::vector<std::string> lines;
    for (const Damage& one : verify(*store, summary.tree, progress, 3))
      lines.push_back(one.path.text() + ": " + one.what);
    EXPECT_EQ(progress.files_done, progress.files_total);
    return lines;
  }

  void rewrite(const std::string& folder, const Digest& digest, std::string_view bytes) const {
    directory.write("store/" + folder + "/" + digest.path(), bytes);
  }
};

TEST(Verify, finds_nothing_wrong_with_what_was_just_published) {
  const Damaged test;
  EXPECT_THAT(test.found(), IsEmpty());
  Progress progress;
  EXPECT_THAT(verify(*test.store, test.summary.tree, progress, 2), IsEmpty());
  EXPECT_EQ(progress.bytes_done, test.large.size() + 6);
  EXPECT_EQ(progress.bytes_total, test.large.size() + 6);
  EXPECT_THAT(verify(*test.store, empty_tree().tree, progress, 2), IsEmpty());
}

TEST(Verify, names_every_path_to_a_damaged_blob) {
  const Damaged test;
  const Digest hello = Digest::of("hello");
  test.rewrite("objects", hello, "hullo");
  const std::string what = "the bytes of object " + hello.hex() + " hash to " + Digest::of("hullo").hex();
  EXPECT_THAT(test.found(), ElementsAre("hello: " + what, "sub/copy: " + what));
}

TEST(Verify, finds_one_changed_bit_in_a_large_blob) {
  const Damaged test;
  std::string bytes = test.large;
  const Digest digest = Digest::of(bytes);
  bytes[30'000'000] ^= 1;
  test.rewrite("objects", digest, bytes);
  EXPECT_THAT(test.found(),
              ElementsAre("large: the bytes of object " + digest.hex() + " hash to " + Digest::of(bytes).hex()));
}

TEST(Verify, tells_missing_and_short_objects) {
  const Damaged test;
  const Digest x = Digest::of("x");
  const Digest hello = Digest::of("hello");
  remove_file(test.store->blob_path(x));
  test.rewrite("objects", hello, "hel");
  EXPECT_THAT(test.found(), ElementsAre("hello: object " + hello.hex() + " has 3 bytes: expected 5",
                                        "sub/copy: object " + hello.hex() + " has 3 bytes: expected 5",
                                        "sub/x: object " + x.hex() + " is missing"));
}

TEST(Verify, tells_missing_and_changed_trees) {
  const Damaged test;
  const Digest sub = summary_of(test.sub).tree;
  test.rewrite("trees", sub, "no tree");
  EXPECT_THAT(test.found(),
              ElementsAre("sub: the bytes of tree " + sub.hex() + " hash to " + Digest::of("no tree").hex()));
  remove_file(test.store->root() / "trees" / sub.path());
  EXPECT_THAT(test.found(), ElementsAre("sub: tree " + sub.hex() + " is missing"));
  remove_file(test.store->root() / "trees" / test.summary.tree.path());
  EXPECT_THAT(test.found(), ElementsAre(": tree " + test.summary.tree.hex() + " is missing"));
}

TEST(Verify, refuses_a_tree_that_is_not_canonical_though_its_digest_is_right) {
  const Damaged test;
  const std::string bytes = encode(test.sub) + "x";
  const Digest digest = Digest::of(bytes);
  test.rewrite("trees", digest, bytes);
  Progress progress;
  const auto damage = verify(*test.store, digest, progress, 2);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage[0].what, "tree " + digest.hex() + " is no tree: 1 bytes follow the last entry");
}

TEST(Verify, finds_an_entry_that_claims_other_sums_than_its_tree_has) {
  Damaged test;
  const auto commit = test.store->begin_commit();
  test.root.entries[3].size += 1;
  test.summary = commit->add_tree(test.root);
  commit->publish();
  const std::string sub = summary_of(test.sub).tree.hex();
  EXPECT_THAT(test.found(), ElementsAre("sub: its entry claims other sums than tree " + sub + " has"));
}

TEST(Verify, reports_an_object_that_cannot_be_read_instead_of_failing) {
  const Damaged test;
  const Digest x = Digest::of("x");
  remove_file(test.store->blob_path(x));
  make_symlink("/dev/null", test.store->blob_path(x));
  EXPECT_THAT(test.found(),
              ElementsAre("sub/x: object " + x.hex() + " cannot be read: Too many levels of symbolic links"));
}

}  // namespace
}  // namespace volary
