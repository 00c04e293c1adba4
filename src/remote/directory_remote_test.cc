// remote/directory_remote_test.cc: what is particular to directories: links, names, durability, strangers at work.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "remote/remote_words.h"

namespace volary {
namespace {

class DirectoryRemote : public ::testing::Test {
 protected:
  DirectoryRemote() {
    make_directories(root);
    make_directories(outside);
    write_file_durably(outside / "secret", "do not read");
  }
  ~DirectoryRemote() override { remove_tree(top); }

  std::vector<std::string> keys() {
    std::vector<std::string> found;
    remote()->list("", [&](const RemoteObject& object) { found.push_back(object.key); });
    return found;
  }
  std::unique_ptr<Remote> remote() { return open_directory_remote(root); }

  const Path top = Path(::testing::TempDir()) / ("volary-directory-" + random_hex(8));
  const Path root = top / "root";
  const Path outside = top / "outside";
};

TEST_F(DirectoryRemote, IsADirectory) {
  EXPECT_EQ(remote()->description(), "directory " + root.native());
  EXPECT_NE(error_text([&] { open_directory_remote(top / "absent"); }).find("not_found: cannot open the directory"),
            std::string::npos);
  EXPECT_NE(error_text([&] { open_directory_remote(outside / "secret"); }).find("Not a directory"), std::string::npos);
}

TEST_F(DirectoryRemote, HasOnlyRegularFilesAsObjects) {
  put(*remote(), "file", "x");
  make_directory(root / "empty");
  make_symlink("file", root / "link");
  make_symlink(outside, root / "way");
  ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(keys(), std::vector<std::string>{"file"});
  for (const char* key : {"empty", "link", "way", "way/secret", "pipe"}) {
    EXPECT_EQ(remote()->find(key), std::nullopt) << key;
    EXPECT_EQ(error_text([&] { get(*remote(), key); }),
              fmt::format("not_found: there is no '{}' in directory {}", key, root.native()));
    remote()->remove(key);
    EXPECT_TRUE(is_present(root / key)) << key;
  }
}

TEST_F(DirectoryRemote, WritesThroughNoLink) {
  make_symlink(outside, root / "way");
  make_symlink(outside / "secret", root / "link");
  EXPECT_EQ(error_text([&] { put(*remote(), "way/new", "x"); }),
            fmt::format("conflict: 'way/new' cannot be stored in directory {}: 'way' on the way is not a directory",
                        root.native()));
  EXPECT_FALSE(is_present(outside / "new"));
  put(*remote(), "link", "replaces the link itself");
  EXPECT_EQ(read_file(outside / "secret"), "do not read");
  EXPECT_EQ(get(*remote(), "link"), "replaces the link itself");
}

TEST_F(DirectoryRemote, RefusesKeysThatAreNoPathsBelowIt) {
  const std::string reserved = ".volary-0123456789abcdef01234567";
  for (const std::string& key : {std::string("../x"), std::string("a/../b"), std::string("/a"), std::string("a//b"),
                                 std::string("a/"), std::string("."), std::string("a\0b", 3), reserved}) {
    EXPECT_EQ(error_of([&] { put(*remote(), key, "x"); })->message(),
              "the key '" + key + "' is not a path below a directory: a part is empty, '.', '..' or reserved");
    EXPECT_TRUE(error_of([&] { remote()->find(key); }));
  }
  EXPECT_EQ(error_of([&] { put(*remote(), std::string(300, 'x'), ""); })->code(), Errc::invalid);
}

TEST_F(DirectoryRemote, SaysWhatIsInTheWay) {
  put(*remote(), "a/b", "x");
  EXPECT_EQ(error_text([&] { put(*remote(), "a", "x"); }),
            fmt::format("conflict: 'a' cannot be stored in directory {}: there is a directory of that name",
                        root.native()));
  EXPECT_EQ(error_text([&] { put(*remote(), "a/b/c", "x"); }),
            fmt::format("conflict: 'a/b/c' cannot be stored in directory {}: 'b' on the way is not a directory",
                        root.native()));
  EXPECT_EQ(keys(), std::vector<std::string>{"a/b"});
}

TEST_F(DirectoryRemote, RemovesDirectoriesThatBecameEmpty) {
  put(*remote(), "a/b/c", "x");
  put(*remote(), "a/d", "x");
  remote()->remove("a/b/c");
  EXPECT_FALSE(is_present(root / "a/b"));
  remote()->remove("a/d");
  EXPECT_FALSE(is_present(root / "a"));
  put(*remote(), "a", "now a name for an object");
  EXPECT_EQ(get(*remote(), "a"), "now a name for an object");
}

TEST_F(DirectoryRemote, ListsNoTemporaryFileThatACrashLeft) {
  write_file_durably(root / ".volary-0123456789abcdef01234567", "half an obj");
  write_file_durably(root / ".volary-notes", "an object");
  EXPECT_EQ(keys(), std::vector<std::string>{".volary-notes"});
}

TEST_F(DirectoryRemote, LeavesNoTemporaryFileWhenAPutFails) {
  StringSource source("short");
  EXPECT_TRUE(error_of([&] { remote()->put("x", source, 100); }));
  EXPECT_TRUE(list_directory(root).empty());
}

TEST_F(DirectoryRemote, NoticesThatAFileChangesWhileItIsRead) {
  put(*remote(), "x", some_bytes(1'000'000));
  class Changing final : public Sink {
   public:
    explicit Changing(Path path) : path_(std::move(path)) {}
    void write(std::string_view) override { write_all(open_to_append(path_).get(), "more", path_); }

   private:
    Path path_;
  };
  Changing sink(root / "x");
  EXPECT_EQ(error_text([&] { remote()->get("x", {}, sink); }),
            fmt::format("conflict: 'x' in directory {} was changed while it was read", root.native()));
}

TEST_F(DirectoryRemote, SurvivesPutsAndRemovesInTheSameDirectory) {
  const auto shared = remote();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        put(*shared, fmt::format("a/b/c/{}", t), "x");
        shared->remove(fmt::format("a/b/c/{}", t));
      }
    });
  threads.clear();
  EXPECT_TRUE(list_directory(root).empty());
}

}  // namespace
}  // namespace volary
