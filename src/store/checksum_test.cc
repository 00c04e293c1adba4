// store/checksum_test.cc: the OICM checksum of real directories, against the vectors of test/data/checksum.
#include "store/checksum.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "store/sample_test.h"

namespace volary {
namespace {

const Path vectors_directory = Path(VOLARY_TEST_DATA) / "checksum";

// Runs a program of the machine; what it printed.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> block;
  while (const size_t size = std::fread(block.data(), 1, block.size(), pipe)) text.append(block.data(), size);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return text;
}

DirectoryChecksum checksum_of_path(const Path& directory, size_t threads = 3) {
  Progress progress;
  return checksum_of_directory(directory, progress, threads);
}

TEST(ChecksumVectors, are_met_on_disk_and_through_the_store) {
  TestStore test;
  const Path trees = test.directory / "trees";
  const std::string script = (vectors_directory / "make.py").native();
  std::istringstream lines(output_of("python3 '" + script + "' '" + trees.native() + "'"));
  std::string digest;
  std::string name;
  size_t count = 0;
  while (lines >> digest >> name) {
    ++count;
    EXPECT_EQ(checksum_of_path(trees / name).checksum.hex(), digest) << name;
    Progress progress;
    const auto commit = test.store->begin_commit();
    const AddedDirectory added = add_directory(*commit, trees / name, progress, 3);
    EXPECT_EQ(added.summary.checksum.hex(), digest) << name;
    EXPECT_EQ(added.left_out.size(), name == "fifo" ? 1u : 0u) << name;
    commit->publish();
    EXPECT_EQ(summary_of(test.store->read_tree(added.summary.tree)), added.summary) << name;
  }
  EXPECT_EQ(count, 12u);
}

TEST(ChecksumOfDirectory, counts_files_links_and_bytes) {
  const TestDirectory directory;
  directory.write("a", "12345");
  directory.write("b/c/d", "678");
  make_symlink("a", directory / "b/link");
  ::mkfifo((directory / "pipe").c_str(), 0644);
  Progress progress;
  const auto found = checksum_of_directory(directory.path(), progress, 2);
  EXPECT_EQ(found.files, 3u);
  EXPECT_EQ(found.bytes, 8u);
  EXPECT_EQ(progress.files_done, 3u);
  EXPECT_EQ(progress.bytes_done, 8u);
}

TEST(ChecksumOfDirectory, is_the_same_on_any_number_of_threads) {
  const TestDirectory directory;
  for (int i = 0; i < 300; ++i) directory.write("many/" + std::to_string(i), std::to_string(i));
  for (int i = 0; i < 60; ++i) directory.write("deep" + std::to_string(i) + "/a/b/c", std::to_string(i));
  directory.write("large", SeededRandom(3).bytes(70'000'001));
  directory.write("middle", SeededRandom(4).bytes(1'000'001));
  const auto one = checksum_of_path(directory.path(), 1);
  EXPECT_EQ(checksum_of_path(directory.path(), 2).checksum, one.checksum);
  EXPECT_EQ(checksum_of_path(directory.path(), 7).checksum, one.checksum);

  TestStore test;
  Progress progress;
  const auto commit = test.store->begin_commit();
  const auto added = add_directory(*commit, directory.path(), progress, 5).summary;
  EXPECT_EQ(added.checksum, one.checksum);
  EXPECT_EQ(added.files, one.files);
  EXPECT_EQ(added.bytes, one.bytes);
}

TEST(ChecksumOfDirectory, follows_a_link_given_as_the_directory_itself) {
  const TestDirectory directory;
  directory.write("real/a", "1");
  make_symlink("real", directory / "link");
  EXPECT_EQ(checksum_of_path(directory / "link").checksum, checksum_of_path(directory / "real").checksum);
}

TEST(ChecksumOfDirectory, refuses_names_and_targets_that_are_not_utf8) {
  const TestDirectory directory;
  directory.write("\xff", "1");
  EXPECT_EQ(error_of([&] { checksum_of_path(directory.path()); }),
            "invalid: the name '\\xff' in '" + directory.path().native() +
                "' is not UTF-8, so the directory has no checksum");
  remove_file(directory / "\xff");
  make_symlink("\xfe", directory / "link");
  EXPECT_EQ(error_of([&] { checksum_of_path(directory.path()); }),
            "invalid: the link target '\\xfe' in '" + directory.path().native() +
                "' is not UTF-8, so the directory has no checksum");
}

TEST(ChecksumOfDirectory, takes_names_with_control_characters_as_the_published_tool_does) {
  const TestDirectory directory;
  directory.write("a\nb", "1");
  Tree tree;
  tree.entries = {file_entry("a\nb", "1")};
  EXPECT_EQ(checksum_of_path(directory.path()).checksum, checksum_of(tree));
}

TEST(ChecksumOfDirectory, names_what_it_cannot_find) {
  const TestDirectory directory;
  const std::string absent = (directory / "absent").native();
  EXPECT_EQ(error_of([&] { checksum_of_path(absent); }),
            "not_found: cannot open the directory '" + absent + "': No such file or directory");
  directory.write("file", "");
  EXPECT_EQ(error_of([&] { checksum_of_path(directory / "file"); }),
            "not_found: cannot open the directory '" + (directory / "file").native() + "': Not a directory");
}

TEST(HashFile, equals_b3sum) {
  const TestDirectory directory;
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{262144}, uint64_t{262145}, uint64_t{8'388'608},
                              uint64_t{50'000'003}}) {
    const Path path = directory.write("f", SeededRandom(size).bytes(size));
    const std::string wanted = output_of("b3sum --no-names '" + path.native() + "'").substr(0, 64);
    const Fd fd = open_to_read(path);
    EXPECT_EQ(hash_file(fd.get(), size, path, 3).hex(), wanted) << size;
    EXPECT_EQ(hash_file(fd.get(), size, path, 1).hex(), wanted) << size;
  }
}

TEST(HashFile, says_so_when_a_file_becomes_shorter) {
  const TestDirectory directory;
  const Path path = directory.write("f", std::string(100'000, 'x'));
  const Fd fd = open_to_read(path);
  EXPECT_EQ(error_of([&] { hash_file(fd.get(), 50'000'000, path, 2); }),
            "conflict: '" + path.native() + "' became shorter while it was read");
}

TEST(AddDirectory, keeps_links_and_executable_bits_and_names_what_it_leaves_out) {
  TestStore test;
  const Path from = test.directory / "from";
  test.directory.write("from/run", "#!", 0755);
  test.directory.write("from/sub/plain", "1");
  make_symlink("../../nowhere/./x", from / "sub/link");
  make_directory(from / "empty");
  ::mkfifo((from / "sub/pipe").c_str(), 0644);
  Progress progress;
  const auto commit = test.store->begin_commit();
  const AddedDirectory added = add_directory(*commit, from, progress, 2);
  commit->publish();
  const Digest root = added.summary.tree;
  EXPECT_TRUE(find_entry(*test.store, root, TreePath::parse("run"))->executable);
  EXPECT_FALSE(find_entry(*test.store, root, TreePath::parse("sub/plain"))->executable);
  EXPECT_EQ(find_entry(*test.store, root, TreePath::parse("sub/link"))->target, "../../nowhere/./x");
  EXPECT_EQ(find_entry(*test.store, root, TreePath::parse("empty"))->digest, empty_tree().tree);
  EXPECT_THAT(added.left_out, testing::ElementsAre((from / "sub/pipe").native()));
  EXPECT_TRUE(verify(*test.store, root, progress, 2).empty());
}

TEST(AddDirectory, refuses_a_name_that_no_volume_can_hold) {
  TestStore test;
  test.directory.write("from/a\nb", "1");
  Progress progress;
  const auto commit = test.store->begin_commit();
  EXPECT_THAT(error_of([&] { add_directory(*commit, test.directory / "from", progress, 2); }),
              testing::EndsWith("from/a\\x0ab' cannot name a file in a volume: it has a control character"));
}

}  // namespace
}  // namespace volary
