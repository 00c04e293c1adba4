// store/store_test.cc: what Store and Commit promise, on a real disk.
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <thread>

#include "core/workers.h"
#include "store/sample_test.h"

namespace volary {
namespace {

constexpr uint64_t mebibyte = 1 << 20;

// Bytes that do not repeat.
std::string noise(uint64_t size, uint64_t seed = 1) { return SeededRandom(seed).bytes(size); }

TEST(Store, gives_back_what_was_published) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Blob blob = add_blob(*commit, "hello");
  EXPECT_EQ(blob.digest, Digest::of("hello"));
  EXPECT_EQ(blob.size, 5u);
  commit->publish();
  EXPECT_EQ(test.store->blob_size(blob.digest), 5u);
  EXPECT_EQ(test.read(blob.digest), "hello");
}

TEST(Store, makes_its_objects_read_only_even_under_a_strict_umask) {
  const mode_t before = ::umask(077);
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Blob blob = add_blob(*commit, "hello");
  commit->publish();
  ::umask(before);
  EXPECT_EQ(stat_of(test.store->blob_path(blob.digest))->st_mode & 07777, 0444u);
}

TEST(Store, names_what_is_not_there) {
  TestStore test;
  const Digest digest = Digest::of("absent");
  StringSink sink;
  EXPECT_EQ(error_of([&] { test.store->read_blob(digest, sink); }),
            "not_found: object " + digest.hex() + " is not in the store");
  EXPECT_EQ(error_of([&] { test.store->read_tree(digest); }),
            "not_found: tree " + digest.hex() + " is not in the store");
}

TEST(Store, tells_damaged_bytes) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Blob blob = add_blob(*commit, "hello");
  Tree tree;
  tree.entries = {file_entry("a", "hello")};
  const Digest digest = commit->add_tree(tree).tree;
  commit->publish();
  remove_file(test.store->blob_path(blob.digest));
  test.directory.write("store/objects/" + blob.digest.path(), "hullo");
  test.directory.write("store/trees/" + digest.path(), "no tree");
  StringSink sink;
  EXPECT_EQ(error_of([&] { test.store->read_blob(blob.digest, sink); }),
            "corrupt: the bytes of object " + blob.digest.hex() + " hash to " + Digest::of("hullo").hex());
  EXPECT_EQ(error_of([&] { test.store->read_tree(digest); }),
            "corrupt: the bytes of tree " + digest.hex() + " hash to " + Digest::of("no tree").hex());
}

TEST(Store, a_commit_reads_a_tree_once) {
  TestStore test;
  Tree tree;
  tree.entries = {file_entry("a", "hello")};
  const auto first = test.store->begin_commit();
  const Digest digest = first->add_tree(tree).tree;
  first->publish();
  const auto commit = test.store->begin_commit();
  EXPECT_EQ(commit->read_tree(digest), commit->read_tree(digest));
  EXPECT_EQ(commit->read_tree(digest)->tree(), tree);
  EXPECT_NE(commit->read_tree(digest), test.store->begin_commit()->read_tree(digest));
}

TEST(Store, knows_the_empty_tree_without_having_it) {
  TestStore test;
  EXPECT_TRUE(test.store->has_tree(empty_tree().tree));
  EXPECT_EQ(test.store->read_tree(empty_tree().tree), Tree{});
  EXPECT_EQ(test.store->begin_commit()->add_tree(Tree{}), empty_tree());
  EXPECT_EQ(empty_tree().checksum.hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST(Store, empties_tmp_when_opened) {
  TestStore test;
  test.directory.write("store/tmp/left/over", "from a crash");
  test.reopen();
  EXPECT_EQ(test.count("tmp"), 0u);
}

TEST(Store, refuses_a_store_of_another_version) {
  TestStore test;
  test.directory.write("store/format", "volary store 2\n");
  EXPECT_EQ(error_of([&] { open_store(test.directory / "store"); }),
            "invalid: '" + (test.directory / "store").native() +
                "' is not a store of this version: its file 'format' says 'volary store 2\\x0a', "
                "expected 'volary store 1\\x0a'");
}

TEST(Commit, dropped_before_publish_leaves_whole_objects_alone) {
  TestStore test;
  {
    const auto commit = test.store->begin_commit();
    add_blob(*commit, "hello");
    add_blob(*commit, noise(3 * mebibyte));
    const auto parts = commit->new_blob_in_parts(20 * mebibyte);
    const auto unfinished = commit->new_blob();
    unfinished->write(noise(mebibyte));
    EXPECT_GT(test.count("tmp"), 0u);
  }
  EXPECT_EQ(test.count("tmp"), 0u);
  EXPECT_EQ(test.count("objects"), 2u);
}

TEST(Commit, may_go_on_after_publish) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Blob first = add_blob(*commit, "first");
  commit->publish();
  const Blob second = add_blob(*commit, "second");
  commit->publish();
  EXPECT_EQ(test.read(first.digest), "first");
  EXPECT_EQ(test.read(second.digest), "second");
}

TEST(Commit, writes_what_is_present_no_second_time) {
  TestStore test;
  const auto first = test.store->begin_commit();
  const Blob blob = add_blob(*first, "hello");
  EXPECT_EQ(add_blob(*first, "hello").digest, blob.digest);
  EXPECT_EQ(test.count("objects"), 1u);
  first->publish();
  const auto inode = stat_of(test.store->blob_path(blob.digest))->st_ino;
  const auto second = test.store->begin_commit();
  add_blob(*second, "hello");
  second->publish();
  EXPECT_EQ(stat_of(test.store->blob_path(blob.digest))->st_ino, inode);
}

TEST(Commit, replaces_a_present_object_of_the_wrong_size) {
  TestStore test;
  const auto first = test.store->begin_commit();
  const Blob blob = add_blob(*first, "hello");
  first->publish();
  test.directory.write("store/objects/" + blob.digest.path(), "hel");
  const auto second = test.store->begin_commit();
  add_blob(*second, "hello");
  second->publish();
  EXPECT_EQ(test.read(blob.digest), "hello");
}

TEST(Commit, reads_its_own_trees_before_they_are_published) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  Tree tree;
  tree.entries = {add_file(*commit, "a", "1")};
  const TreeSummary summary = commit->add_tree(tree);
  EXPECT_EQ(summary, summary_of(tree));
  EXPECT_EQ(commit->read_tree(summary.tree)->tree(), tree);
  commit->publish();
  EXPECT_EQ(test.store->read_tree(summary.tree), tree);
  EXPECT_EQ(commit->read_tree(summary.tree)->tree(), tree);
}

TEST(Commit, takes_blobs_from_many_threads_at_once) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  for_each_index(400, 8, [&](size_t i) { add_blob(*commit, "blob " + std::to_string(i % 100)); });
  commit->publish();
  EXPECT_EQ(test.count("objects"), 100u);
  for (int i = 0; i < 100; ++i) {
    const std::string bytes = "blob " + std::to_string(i);
    EXPECT_EQ(test.read(Digest::of(bytes)), bytes);
  }
}

TEST(Commit, of_two_at_once_with_the_same_blob_both_succeed) {
  TestStore test;
  const auto a = test.store->begin_commit();
  const auto b = test.store->begin_commit();
  const Blob blob = add_blob(*a, "same");
  add_blob(*b, "same");
  a->publish();
  b->publish();
  EXPECT_EQ(test.read(blob.digest), "same");
  EXPECT_EQ(test.count("objects"), 1u);
}

TEST(BlobWriter, names_a_blob_alike_however_its_bytes_arrive) {
  TestStore test;
  const std::string bytes = noise(mebibyte + 12345);
  for (const size_t piece : {size_t{1000}, size_t{65536}, size_t{262144}, size_t{262145}, bytes.size()}) {
    const auto commit = test.store->begin_commit();
    const auto writer = commit->new_blob();
    for (size_t at = 0; at < bytes.size(); at += piece) writer->write(std::string_view(bytes).substr(at, piece));
    const Blob blob = writer->finish();
    EXPECT_EQ(blob.digest, Digest::of(bytes));
    EXPECT_EQ(blob.size, bytes.size());
    commit->publish();
    EXPECT_EQ(test.read(blob.digest), bytes);
    remove_file(test.store->blob_path(blob.digest));
  }
}

TEST(PartWriter, takes_its_parts_in_any_order_from_any_thread) {
  TestStore test;
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, 8 * mebibyte, 8 * mebibyte + 1, 35 * mebibyte + 77}) {
    const std::string bytes = noise(size, size);
    const auto commit = test.store->begin_commit();
    const auto writer = commit->new_blob_in_parts(size);
    for_each_index(writer->parts(), 4, [&](size_t i) {
      const uint64_t part = writer->parts() - 1 - i;
      writer->write(part, std::string_view(bytes).substr(writer->offset_of(part), writer->size_of(part)));
    });
    const Blob blob = writer->finish();
    EXPECT_EQ(blob.digest, Digest::of(bytes)) << size;
    commit->publish();
    EXPECT_EQ(test.read(blob.digest), bytes) << size;
  }
}

TEST(PartWriter, refuses_to_finish_with_a_part_missing) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const auto writer = commit->new_blob_in_parts(600 * 1024);
  writer->write(0, noise(256 * 1024));
  EXPECT_EQ(error_of([&] { writer->finish(); }), "internal: part 1 of the 3 of a blob was never written");
  EXPECT_EQ(error_of([&] { writer->write(1, "short"); }), "internal: part 1 of 3 has 5 bytes");
}

TEST(PartWriter, drops_what_is_present_already) {
  TestStore test;
  const auto first = test.store->begin_commit();
  add_blob(*first, "hello");
  first->publish();
  const auto second = test.store->begin_commit();
  {
    const auto writer = second->new_blob_in_parts(5);
    writer->write(0, "hello");
    EXPECT_EQ(writer->finish().digest, Digest::of("hello"));
  }
  EXPECT_EQ(test.count("tmp"), 0u);
}

// --- a store of an earlier program

// VOLARY_REGENERATE=1 store_test --gtest_filter='StoreFormat.*' writes it anew: only for a new format.
TEST(StoreFormat, of_version_1_is_still_opened_and_still_written) {
  const Path golden = Path(VOLARY_TEST_DATA) / "format/store-1";
  TestStore written;
  const auto commit = written.store->begin_commit();
  Tree sub;
  sub.entries = {add_file(*commit, "hello", "hello\n"), link_entry("link", "hello")};
  Tree tree;
  tree.entries = {add_file(*commit, "empty", ""), directory_entry("sub", commit->add_tree(sub))};
  const Digest root = commit->add_tree(tree).tree;
  commit->publish();
  if (std::getenv("VOLARY_REGENERATE")) {
    remove_tree(golden);
    std::filesystem::copy(written.store->root(), golden, std::filesystem::copy_options::recursive);
    remove_tree(golden / "tmp");  // Empty, as images/ is: git keeps no empty directories.
    remove_tree(golden / "images");
  }

  const TestDirectory directory;
  std::filesystem::copy(golden, directory / "store", std::filesystem::copy_options::recursive);
  const auto store = open_store(directory / "store");
  Progress progress;
  EXPECT_TRUE(verify(*store, root, progress, 2).empty());
  EXPECT_EQ(store->read_tree(root), tree);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(golden)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path()), read_file(written.store->root() / entry.path().lexically_relative(golden)));
  }
}

// --- a disk that is full

// A file system of its own, of two mebibytes.
class SmallDisk {
 public:
  explicit SmallDisk(const Path& at) : at_(at) {
    make_directories(at);
    mounted_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=2m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return mounted_; }

 private:
  Path at_;
  bool mounted_ = false;
};

// What a sweep does that knows of no root, and has no patience.
void sweep_all_but(Store& store, const Digest& kept) {
  const Time later = system_clock().now().plus_seconds(1'000'000);
  for (const ObjectKind kind : {ObjectKind::blob, ObjectKind::tree})
    store.each_object(kind, [&](const StoredObject& object) {
      if (object.digest != kept) EXPECT_TRUE(store.quarantine(kind, object.digest, later));
    });
  remove_tree(store.root() / "quarantine");
}

TEST(FullDisk, leaves_nothing_torn_and_no_more_than_a_sweep_takes) {
  TestDirectory directory;
  const SmallDisk disk(directory / "disk");
  if (!disk.is_mounted()) GTEST_SKIP() << "mounting a tmpfs needs root";
  const auto store = open_store(directory / "disk/store");
  const auto kept = store->begin_commit();
  const Blob blob = add_blob(*kept, "kept");
  kept->publish();
  const uint64_t free_before = free_bytes(store->root());

  const std::function<void(Commit&)> attempts[] = {
      [](Commit& commit) { add_blob(commit, noise(4 * mebibyte)); },
      [](Commit& commit) { for (uint64_t i = 0;; ++i) add_blob(commit, noise(30'000, i)); },
      [](Commit& commit) { commit.new_blob_in_parts(4 * mebibyte); },
      [](Commit& commit) {
        Tree tree;
        for (int i = 0; i < 20'000; ++i) tree.entries.push_back(file_entry(std::to_string(100'000 + i) + noise(0), ""));
        for (auto& entry : tree.entries) entry.name += std::string(60, 'x');
        commit.add_tree(tree);
      }};
  for (const auto& attempt : attempts) {
    const auto commit = store->begin_commit();
    EXPECT_THAT(error_of([&] { attempt(*commit); }), testing::StartsWith("exhausted: cannot "));
    EXPECT_EQ(add_blob(*commit, "kept").digest, blob.digest);
    store->each_object(ObjectKind::blob, [&](const StoredObject& object) {
      EXPECT_EQ(Digest::of(read_file(store->blob_path(object.digest))), object.digest);
    });
    sweep_all_but(*store, blob.digest);
  }
  EXPECT_EQ(free_bytes(store->root()), free_before);
  EXPECT_EQ(store->blob_size(blob.digest), 4u);
  const auto commit = store->begin_commit();
  add_blob(*commit, noise(mebibyte));
  commit->publish();
}

}  // namespace
}  // namespace volary
