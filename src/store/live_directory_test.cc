// store/live_directory_test.cc: directories that change while they are read, and those that must not be read at all.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "store/host_scan.h"
#include "store/sample_test.h"

namespace volary {
namespace {

using testing::ElementsAre;

// Calls `meanwhile` whenever a file is about to be read, and keeps what was read.
class MeddlingReader final : public HostReader {
 public:
  std::function<void(const Path& directory, const std::string& name)> meanwhile = [](auto&, auto&) {};
  std::function<void(const Path& directory)> entering = [](auto&) {};
  std::vector<std::string> read;
  Tree last;

  void enter(int, const Path& path) override { entering(path); }
  void check(const TreeEntry&, const Path&) override {}
  Reading read_file(Fd fd, const Path& path, TreeEntry& entry) override {
    if (!S_ISREG(stat_of(fd.get(), path).st_mode)) return {.is_there = false};
    read.push_back(entry.name);
    meanwhile(path, entry.name);
    return {};
  }
  TreeSummary finish(const Tree& tree) override {
    last = tree;
    return summary_of(tree);
  }
  void leave_out(const Path&) override {}

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const TreeEntry& entry : last.entries) found.push_back(entry.name);
    return found;
  }
};

struct Live : TestDirectory {
  MeddlingReader reader;
  Progress progress;
  TreeSummary scan(Liveness liveness = Liveness::live) {
    return scan_directory(path(), liveness, reader, progress, {.first = 1, .most = 1});
  }
};

TEST(LiveDirectory, is_listed_again_when_a_file_is_gone_and_only_what_is_new_is_read) {
  Live live;
  for (const char* name : {"a", "b", "c"}) live.write(name, name);
  live.reader.meanwhile = [&](const Path&, const std::string& name) {
    if (name != "a") return;
    remove_file(live / "b");
    live.write("d", "d");
  };
  live.scan();
  EXPECT_THAT(live.reader.read, ElementsAre("a", "c", "d"));
  EXPECT_THAT(live.reader.names(), ElementsAre("a", "c", "d"));
}

TEST(LiveDirectory, may_lose_a_directory_or_have_a_name_become_something_else) {
  Live live;
  live.write("a", "a");
  live.write("b", "b");
  live.write("c", "c");
  make_symlink("a", live / "l");
  live.write("sub/x", "x");
  live.write("tub/y", "y");
  live.reader.meanwhile = [&](const Path&, const std::string& name) {
    if (name != "a" || live.reader.read.size() > 1) return;
    remove_tree(live / "sub");
    remove_tree(live / "tub");
    live.write("tub", "a file now");
    remove_file(live / "b");
    live.write("b/z", "a directory now");
    remove_file(live / "c");
    make_symlink("a", live / "c");
    remove_file(live / "l");
    live.write("l", "a file now");
  };
  live.scan();
  EXPECT_THAT(live.reader.names(), ElementsAre("a", "b", "c", "l", "tub"));
  EXPECT_EQ(live.reader.last.find("b")->kind, EntryKind::directory);
  EXPECT_EQ(live.reader.last.find("c")->kind, EntryKind::symlink);
  EXPECT_EQ(live.reader.last.find("l")->kind, EntryKind::file);
  EXPECT_EQ(live.reader.last.find("tub")->kind, EntryKind::file);
}

TEST(LiveDirectory, is_given_up_when_something_is_gone_each_time) {
  Live live;
  live.write("0", "");
  live.write("1", "");
  int round = 1;
  live.reader.meanwhile = [&](const Path&, const std::string&) {
    remove_file(live / std::to_string(round));
    ++round;
    live.write(std::to_string(round) + "-", "");
    live.write(std::to_string(round) + "-gone", "");
    std::filesystem::rename(live / (std::to_string(round) + "-gone"), live / std::to_string(round + 1));
    round += 1;
  };
  EXPECT_EQ(error_of([&] { live.scan(); }),
            "conflict: the directory '" + live.path().native() + "' changes while it is read: it was listed 3 times");
}

TEST(LiveDirectory, leads_nobody_out_through_a_link_that_takes_a_directorys_place) {
  Live live;
  const TestDirectory elsewhere;
  elsewhere.write("x/secret", "secret");
  live.write("sub/x/y", "y");
  live.reader.entering = [&](const Path& path) {
    if (path.filename() != "sub") return;
    std::filesystem::rename(live / "sub", live / "was");
    make_symlink(elsewhere.path(), live / "sub");
  };
  error_of([&] { live.scan(); });
  EXPECT_EQ(std::count(live.reader.read.begin(), live.reader.read.end(), "secret"), 0);
}

TEST(StillDirectory, misses_what_is_gone) {
  Live live;
  live.write("a", "a");
  live.write("b", "b");
  live.reader.meanwhile = [&](const Path&, const std::string&) { remove_file(live / "b"); };
  EXPECT_EQ(error_of([&] { live.scan(Liveness::still); }),
            "not_found: cannot open '" + (live / "b").native() + "': No such file or directory");
}

// A commit that calls `meanwhile` before it takes a file that does not fit in memory.
class MeddlingCommit final : public Commit {
 public:
  explicit MeddlingCommit(Commit& commit) : commit_(commit) {}
  std::function<void()> meanwhile;
  int clones = 0;

  const Store& store() const override { return commit_.store(); }
  Blob add_blob(std::string_view bytes) override { return commit_.add_blob(bytes); }
  std::unique_ptr<BlobWriter> new_blob() override {
    meanwhile();
    return commit_.new_blob();
  }
  std::unique_ptr<PartWriter> new_blob_in_parts(uint64_t size) override {
    meanwhile();
    return commit_.new_blob_in_parts(size);
  }
  std::unique_ptr<BlobClone> clone_blob(int fd, const Path& name) override {
    auto clone = commit_.clone_blob(fd, name);
    clones += clone != nullptr;
    if (clone) meanwhile();
    return clone;
  }
  void take_file(const Path& file, const Blob& blob) override { commit_.take_file(file, blob); }
  bool reuse_blob(const Blob& blob) override { return commit_.reuse_blob(blob); }
  TreeSummary add_tree(const EncodedTree& tree) override { return commit_.add_tree(tree); }
  std::shared_ptr<const EncodedTree> read_tree(const Digest& tree) override { return commit_.read_tree(tree); }
  void publish() override { commit_.publish(); }

 private:
  Commit& commit_;
};

constexpr uint64_t mebibyte = 1 << 20;

class ChangingFile : public testing::TestWithParam<uint64_t> {};

TEST_P(ChangingFile, is_read_again_until_it_stays) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  MeddlingCommit meddling(*commit);
  const Path from = test.directory / "from";
  test.directory.write("from/f", std::string(GetParam(), '0'));
  int times = 0;
  std::string content;
  meddling.meanwhile = [&] {
    if (++times > 2) return;
    content = std::string(GetParam() + (times == 1 ? 1000 : -1000), static_cast<char>('0' + times));
    test.directory.write("from/g", content);
    const Fd fd(::open((from / "f").c_str(), O_WRONLY | O_TRUNC));  // In place.
    write_all(fd.get(), content, "f");
    remove_file(from / "g");
  };
  Progress progress;
  const AddedDirectory added = add_directory(meddling, from, progress, 2);
  commit->publish();
  EXPECT_EQ(added.summary.bytes, content.size());
  EXPECT_EQ(progress.bytes_done, content.size());
  const auto entry = find_entry(*test.store, added.summary.tree, TreePath::parse("f"));
  EXPECT_EQ(entry->digest, Digest::of(content));
  EXPECT_EQ(test.read(entry->digest), content);
  EXPECT_EQ(test.count("objects"), 1u);
}

TEST_P(ChangingFile, that_changes_each_time_is_named) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  MeddlingCommit meddling(*commit);
  const Path file = test.directory.write("from/f", std::string(GetParam(), '0'));
  meddling.meanwhile = [&] {
    const Fd fd(::open(file.c_str(), O_WRONLY | O_APPEND));
    write_all(fd.get(), "more", file);
  };
  Progress progress;
  EXPECT_EQ(error_of([&] { add_directory(meddling, test.directory / "from", progress, 2); }),
            "conflict: '" + file.native() + "' changes while it is read: it was read 3 times");
  EXPECT_EQ(test.count("objects"), 0u);
  EXPECT_EQ(test.count("tmp"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ChangingFile, testing::Values(mebibyte, 40 * mebibyte));

TEST(AddDirectory, reads_a_file_of_several_names_once) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  test.directory.write("from/a", "same");
  make_link(test.directory / "from/a", test.directory / "from/b");
  make_directory(test.directory / "from/sub");
  make_link(test.directory / "from/a", test.directory / "from/sub/c");
  Progress progress;
  const AddedDirectory added = add_directory(*commit, test.directory / "from", progress, 1);
  EXPECT_EQ(added.summary.files, 3u);
  EXPECT_EQ(added.summary.bytes, 12u);
  EXPECT_EQ(progress.files_done, 3u);
  EXPECT_EQ(progress.bytes_done, 4u);
  EXPECT_EQ(find_entry(*test.store, added.summary.tree, TreePath::parse("sub/c"))->digest, Digest::of("same"));
}

TEST(AddDirectory, reads_holes_as_zeros) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  for (const uint64_t size : {10 * mebibyte, 50 * mebibyte}) {
    const Path file = test.directory.write("from/" + std::to_string(size), "x");
    ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(size)), 0);
  }
  Progress progress;
  const AddedDirectory added = add_directory(*commit, test.directory / "from", progress, 2);
  commit->publish();
  EXPECT_EQ(added.summary.bytes, 60 * mebibyte);
  std::string expected(50 * mebibyte, '\0');
  expected[0] = 'x';
  EXPECT_EQ(test.read(Digest::of(expected)), expected);
}

TEST(AddDirectory, refuses_the_store_and_what_holds_it_or_lies_in_it) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Path root = test.store->root();
  make_directory(test.directory / "other");
  make_symlink(root, test.directory / "other/link");
  Progress progress;
  for (const Path& path : {root, root / "objects", test.directory.path(), test.directory / "other/link"})
    EXPECT_EQ(error_of([&] { add_directory(*commit, path, progress, 1); }),
              "invalid: '" + path.native() + "' cannot be added: the store '" + root.native() +
                  "' is or holds it, or is below it");
  EXPECT_EQ(add_directory(*commit, test.directory / "other", progress, 1).summary.files, 1u);
}

TEST(AddDirectory, refuses_a_store_that_is_mounted_below_it) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  const Path from = test.directory / "from";
  make_directories(from / "deep/here");
  if (::mount(test.store->root().c_str(), (from / "deep/here").c_str(), nullptr, MS_BIND, nullptr) != 0)
    GTEST_SKIP() << "mounting needs root";
  Progress progress;
  EXPECT_THAT(error_of([&] { add_directory(*commit, from, progress, 1); }),
              testing::StartsWith("invalid: '" + (from / "deep/here").native() + "' cannot be added: the store "));
  ::umount2((from / "deep/here").c_str(), MNT_DETACH);
}

TEST(AddDirectory, ends_soon_after_it_is_asked_to) {
  TestStore test;
  const auto commit = test.store->begin_commit();
  for (int i = 0; i < 1000; ++i) test.directory.write("from/" + std::to_string(i), std::to_string(i));
  std::stop_source stop;
  stop.request_stop();
  Progress progress;
  EXPECT_EQ(error_of([&] { add_directory(*commit, test.directory / "from", progress, 2, stop.get_token()); }),
            "unavailable: the reading of a directory was asked to stop");
  EXPECT_EQ(progress.files_done, 0u);
}

// A file system of its own whose files can share blocks.
class SharingDisk {
 public:
  explicit SharingDisk(const TestDirectory& directory) : at_(directory / "disk") {
    make_directory(at_);
    const std::string image = (directory / "image").native();
    const std::string make = "truncate -s 512M '" + image + "' && mkfs.xfs -q -m reflink=1 '" + image +
                             "' 2>/dev/null && mount -o loop '" + image + "' '" + at_.native() + "' 2>/dev/null";
    is_mounted_ = std::system(make.c_str()) == 0;
  }
  ~SharingDisk() {
    if (is_mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return is_mounted_; }
  const Path& at() const { return at_; }

 private:
  Path at_;
  bool is_mounted_ = false;
};

TEST(AddDirectory, shares_large_files_at_one_moment_where_the_file_system_can) {
  const TestDirectory directory;
  const SharingDisk disk(directory);
  if (!disk.is_mounted()) GTEST_SKIP() << "an xfs of our own needs root and mkfs.xfs";
  const auto store = open_store(disk.at() / "store");
  const std::string content = SeededRandom(1).bytes(100 * mebibyte);
  const Path file = directory.write("disk/from/f", content);
  const uint64_t free_before = free_bytes(disk.at());
  const auto commit = store->begin_commit();
  MeddlingCommit meddling(*commit);
  meddling.meanwhile = [&] {  // Right after the clone: too late to matter.
    const Fd fd(::open(file.c_str(), O_WRONLY));
    write_all(fd.get(), "changed", file);
  };
  Progress progress;
  const AddedDirectory added = add_directory(meddling, disk.at() / "from", progress, 2);
  commit->publish();
  EXPECT_EQ(meddling.clones, 1);
  EXPECT_EQ(progress.bytes_done, content.size());
  EXPECT_EQ(find_entry(*store, added.summary.tree, TreePath::parse("f"))->digest, Digest::of(content));
  StringSink sink;
  store->read_blob(Digest::of(content), sink);
  EXPECT_TRUE(sink.text == content);
  EXPECT_EQ(stat_of(store->blob_path(Digest::of(content)))->st_mode & 07777, 0444u);
  EXPECT_LT(free_before, free_bytes(disk.at()) + 20 * mebibyte);
}

#ifdef VOLARY_FAULTS

TEST(Adder, DISABLED_adds_a_directory_and_publishes_it) {
  const Path root = std::getenv("VOLARY_TEST_STORE");
  const auto store = open_store(root / "store");
  const auto commit = store->begin_commit();
  Progress progress;
  write_file_durably(root / "tree", add_directory(*commit, root / "from", progress, 1).summary.tree.hex());
  commit->publish();
}

// Another process adds the directory and stops at the point, until `meanwhile` has returned.
void add_with_a_stop_at(const char* point, const Path& root, const std::function<void()>& meanwhile) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("VOLARY_TEST_STORE", root.c_str(), 1);
    ::setenv("VOLARY_FAULT", (std::string(point) + "=stop").c_str(), 1);
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, 1);
    ::execl("/proc/self/exe", "store_test", "--gtest_also_run_disabled_tests", "--gtest_filter=Adder.*", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  meanwhile();
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0);
}

struct Stopped : TestDirectory {
  std::string paths_of_tree() const {
    const auto store = open_store(path() / "store");
    std::string paths;
    walk(*store, Digest::parse(read_file(path() / "tree")), [&](const TreePath& one, const TreeEntry& entry) {
      paths += one.text() + " ";
      if (entry.kind != EntryKind::file) return;
      StringSink sink;
      store->read_blob(entry.digest, sink);
      paths += "= " + sink.text + " ";
    });
    return paths;
  }
};

TEST(AddDirectory, reads_a_small_file_again_that_changes_while_it_is_read) {
  Stopped test;
  const Path file = test.write("from/a", "before");
  add_with_a_stop_at("add.read", test.path(), [&] {
    const Fd fd(::open(file.c_str(), O_WRONLY));
    write_all(fd.get(), "behind", file);  // As long as it was.
  });
  EXPECT_EQ(test.paths_of_tree(), "a = behind ");
}

TEST(AddDirectory, lists_a_directory_again_that_changes_while_it_is_listed) {
  Stopped test;
  test.write("from/a", "1");
  add_with_a_stop_at("scan.listed", test.path(), [&] { test.write("from/b", "2"); });
  EXPECT_EQ(test.paths_of_tree(), "a = 1 b = 2 ");
}

TEST(AddDirectory, finds_a_file_under_its_new_name) {
  Stopped test;
  test.write("from/a", "1");
  add_with_a_stop_at("scan.opening", test.path(), [&] {
    std::filesystem::rename(test / "from/a", test / "from/z");
  });
  EXPECT_EQ(test.paths_of_tree(), "z = 1 ");
}

#endif

}  // namespace
}  // namespace volary
