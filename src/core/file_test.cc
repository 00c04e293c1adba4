// core/file_test.cc: the file system as core/file.h shows it, and its errors.
#include "core/file.h"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(File, errors_name_the_path_and_have_a_code_to_act_on) {
  const TestDirectory test;
  const std::string absent = (test / "absent").native();
  EXPECT_EQ(error_of([&] { open_to_read(absent); }),
            "not_found: cannot open '" + absent + "': No such file or directory");
  EXPECT_EQ(error_of([&] { create_file(test.write("there", "")); }),
            "exists: cannot create '" + (test / "there").native() + "': File exists");
  EXPECT_FALSE(try_open_to_read(absent));
  EXPECT_FALSE(try_read_file(test / "there/below"));
  EXPECT_FALSE(stat_of(Path(absent)));
}

TEST(File, is_written_and_read_whole_and_at_offsets) {
  const TestDirectory test;
  const Path path = test / "file";
  const Fd fd = create_file(path);
  write_all(fd.get(), "0123456789", path);
  write_all_at(fd.get(), "ab", 4, path);
  EXPECT_EQ(read_file(path), "0123ab6789");
  std::array<char, 3> block;
  EXPECT_EQ(read_some_at(fd.get(), block, 8, path), 2u);
  EXPECT_EQ(std::string_view(block.data(), 2), "89");
  EXPECT_EQ(error_of([&] { read_file(path, 9); }),
            "exhausted: '" + path.native() + "' is larger than the 9 bytes that are read of such a file");
}

TEST(File, is_replaced_durably_and_whole) {
  const TestDirectory test;
  const Path path = test / "file";
  write_file_durably(path, "one");
  write_file_durably(path, "two", 0600);
  EXPECT_EQ(read_file(path), "two");
  EXPECT_EQ(stat_of(path)->st_mode & 07777, 0600u);
  EXPECT_EQ(list_directory(test.path()).size(), 1u);
}

TEST(TempFile, goes_unless_it_is_moved) {
  const TestDirectory test;
  { TempFile(test.path()).write("gone"); }
  EXPECT_TRUE(list_directory(test.path()).empty());
  {
    TempFile file(test.path());
    file.write("stays");
    file.move_to(test / "kept");
  }
  EXPECT_EQ(read_file(test / "kept"), "stays");
}

TEST(Names, absent_is_success_where_the_result_is_the_same) {
  const TestDirectory test;
  remove_file(test / "absent");
  remove_tree(test / "absent");
  make_directory(test / "d");
  make_directory(test / "d");
  make_directories(test / "a/b/c");
  EXPECT_TRUE(is_present(test / "a/b/c"));
}

TEST(Names, a_tree_is_removed_without_following_links_out_of_it) {
  const TestDirectory test;
  test.write("outside/precious", "1");
  test.write("tree/a/b/c", "2");
  make_symlink("../outside", test / "tree/link");
  make_symlink("nowhere", test / "tree/a/dangling");
  change_mode(test / "tree/a/b", 0000);
  remove_tree(test / "tree");
  EXPECT_FALSE(is_present(test / "tree"));
  EXPECT_EQ(read_file(test / "outside/precious"), "1");
}

TEST(Names, links_are_made_and_read) {
  const TestDirectory test;
  test.write("file", "1");
  make_link(test / "file", test / "hard");
  EXPECT_EQ(stat_of(test / "file")->st_nlink, 2u);
  EXPECT_THAT(error_of([&] { make_link(test / "file", test / "hard"); }), testing::StartsWith("exists: cannot link"));
  make_symlink("some/target", test / "soft");
  EXPECT_EQ(volary::read_symlink(test / "soft"), "some/target");
  EXPECT_TRUE(is_present(test / "soft"));
  EXPECT_FALSE(stat_of(test / "soft", Follow::yes));
}

TEST(ListDirectory, is_sorted_and_knows_the_types) {
  const TestDirectory test;
  test.write("b", "");
  test.write("a/x", "");
  make_symlink("b", test / "c");
  ::mkfifo((test / "d").c_str(), 0600);
  std::vector<std::pair<std::string, int>> found;
  for (const auto& entry : list_directory(test.path())) found.emplace_back(entry.name, entry.type);
  EXPECT_THAT(found, testing::ElementsAre(testing::Pair("a", DT_DIR), testing::Pair("b", DT_REG),
                                          testing::Pair("c", DT_LNK), testing::Pair("d", DT_FIFO)));
  for (int i = 0; i < 3000; ++i) test.write("many/" + std::to_string(i), "");
  EXPECT_EQ(list_directory(test / "many").size(), 3000u);
}

TEST(FileLock, is_held_by_one_at_a_time) {
  const TestDirectory test;
  auto first = FileLock::try_take(test / "lock");
  ASSERT_TRUE(first);
  EXPECT_FALSE(FileLock::try_take(test / "lock"));
  first.reset();
  EXPECT_TRUE(FileLock::try_take(test / "lock"));
}

TEST(MappedFile, shows_the_bytes) {
  const TestDirectory test;
  const Path path = test.write("file", "hello");
  const Fd fd = open_to_read(path);
  EXPECT_EQ(MappedFile(fd.get(), 5, path).bytes(), "hello");
  EXPECT_EQ(MappedFile(fd.get(), 0, path).bytes(), "");
}

TEST(Fd, is_closed_once_and_moves) {
  const TestDirectory test;
  Fd fd = open_to_read(test.write("file", ""));
  const int number = fd.get();
  Fd other = std::move(fd);
  EXPECT_FALSE(fd);
  EXPECT_EQ(other.get(), number);
  other.close();
  EXPECT_FALSE(other);
}

TEST(ErrorFromErrno, keeps_the_reason_and_chooses_the_code) {
  EXPECT_STREQ(error_from_errno(ENOSPC, "write to", "/x").what(),
               "exhausted: cannot write to '/x': No space left on device");
  EXPECT_STREQ(error_from_errno(EACCES, "open", "/x").what(), "denied: cannot open '/x': Permission denied");
}

TEST(ErrorTrail, gets_one_line_for_each_thing_that_was_being_done) {
  EXPECT_EQ(error_of([] {
              during("importing", [] { during("storing a", [] { throw Error(Errc::corrupt, "{} is bad", "it"); }); });
            }),
            "corrupt: it is bad\n     while storing a\n     while importing");
}

}  // namespace
}  // namespace volary
