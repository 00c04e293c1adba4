// mount/bring_in_test.cc: what is new comes, what somebody changed himself stays. Plain directories do: it knows of no
// mount. test/e2e/test_pull_written.py has the mounts.
#include "mount/bring_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "mount/mount_test.h"

namespace volary {
namespace {

using Files = std::map<std::string, std::string>;  // Path to content; of a link "-> TARGET", of a program "#!…".

constexpr const char* temporary = ".volary-sync-1";

class BringInTest : public testing::Test {
 protected:
  Digest add(const Files& files) {
    const auto commit = store_->begin_commit();
    std::vector<TreeChange> changes;
    for (const auto& [path, content] : files) {
      const TreePath at = TreePath::parse(path);
      TreeEntry entry;
      entry.executable = content.starts_with("#!");
      if (content.starts_with("-> ")) {
        entry.kind = EntryKind::symlink;
        entry.target = content.substr(3);
      } else {
        const Blob blob = commit->add_blob(content);
        entry.size = blob.size;
        entry.digest = blob.digest;
      }
      changes.push_back({at, entry});
    }
    const TreeSummary tree = apply_changes(*store_, *commit, empty_tree().tree, changes);
    commit->publish();
    return tree.tree;
  }

  Path at(const std::string& path) const { return place_ / path; }

  void put(const std::string& path, const std::string& content) const {
    make_directories(at(path).parent_path());
    remove_file(at(path));
    if (content.starts_with("-> ")) make_symlink(content.substr(3), at(path));
    else write_text(at(path), content, content.starts_with("#!") ? 0755 : 0644);
  }

  void put(const Files& files) const {
    for (const auto& [path, content] : files) put(path, content);
  }

  Files found() const {
    Files files;
    for (const auto& one : std::filesystem::recursive_directory_iterator(place_.path())) {
      const std::string path = one.path().lexically_relative(place_.path());
      if (one.is_symlink()) files[path] = "-> " + volary::read_symlink(one.path());
      else if (one.is_regular_file()) files[path] = read_file(one.path());
    }
    return files;
  }

  BroughtIn bring(const Digest& before, const Digest& after) const {
    return bring_in(*store_, open_directory(place_.path()), before, after, temporary, [] { return true; });
  }

  TestDirectory stored_;
  std::unique_ptr<Store> store_ = open_store(stored_.path());
  TestDirectory place_;
};

TEST_F(BringInTest, WhatNobodyTouchedBecomesWhatIsNew) {
  const Files before = {{"a", "one"}, {"b/c", "two"}, {"gone/x", "three"}, {"link", "-> a"}, {"tool", "#!/bin/sh"}};
  const Files after = {{"a", "ONE"}, {"b/c", "two"}, {"new/deep/y", "four"}, {"link", "-> b"}, {"tool", "#!/bin/bash"}};
  put(before);
  const BroughtIn brought = bring(add(before), add(after));
  EXPECT_EQ(found(), after);
  EXPECT_EQ(brought.files, 5u);
  EXPECT_EQ(brought.stayed, 0u);
  EXPECT_FALSE(is_present(at("gone")));
  EXPECT_EQ(stat_of(at("tool"))->st_mode & 0777, 0755u);
  EXPECT_EQ(stat_of(at("a"))->st_mode & 0777, 0644u);
}

TEST_F(BringInTest, WhatIsTheirsStays) {
  const Files before = {{"changed", "one"}, {"removed", "two"}, {"d/kept", "three"}, {"went/x", "four"}};
  const Files after = {{"changed", "ONE"}, {"removed", "TWO"}, {"made", "theirs too"}, {"went/x", "FOUR"}};
  put(before);
  put("changed", "mine");
  remove_file(at("removed"));
  put("made", "mine as well");
  put("d/own", "five");
  remove_tree(at("went"));
  const BroughtIn brought = bring(add(before), add(after));
  EXPECT_EQ(found(), (Files{{"changed", "mine"}, {"made", "mine as well"}, {"d/own", "five"}}));
  EXPECT_EQ(brought.files, 1u);  // d/kept went.
  EXPECT_EQ(brought.stayed, 4u);
  EXPECT_EQ(brought.first_stayed, "changed");
}

TEST_F(BringInTest, AFileThatIsSomebodysDirectoryAndTheReverse) {
  const Files before = {{"a", "file"}, {"b/x", "one"}, {"b/y", "two"}, {"c/z", "three"}};
  const Files after = {{"a/in", "now a directory"}, {"b", "now a file"}, {"c", "now a file"}};
  put(before);
  put("c/own", "mine");
  const BroughtIn brought = bring(add(before), add(after));
  EXPECT_EQ(found(), (Files{{"a/in", "now a directory"}, {"b", "now a file"}, {"c/own", "mine"}}));
  EXPECT_EQ(brought.stayed, 1u);
  EXPECT_EQ(brought.first_stayed, "c");
}

TEST_F(BringInTest, NothingIsWrittenThroughALink) {
  const TestDirectory elsewhere;
  write_text(elsewhere / "x", "one");
  put({{"d/x", "one"}});
  remove_tree(at("d"));
  make_symlink(elsewhere.path(), at("d"));
  make_symlink(elsewhere / "x", at("x"));
  const BroughtIn brought =
      bring(add({{"d/x", "one"}, {"x", "one"}}), add({{"d/x", "two"}, {"d/new", "n"}, {"x", "two"}}));
  EXPECT_EQ(read_file(elsewhere / "x"), "one");
  EXPECT_FALSE(is_present(elsewhere / "new"));
  EXPECT_EQ(brought.files, 0u);
  EXPECT_EQ(brought.stayed, 3u);
}

TEST_F(BringInTest, WhoHasAFileOpenKeepsItsBytes) {
  put({{"a", "one"}});
  const Fd open = open_to_read(at("a"));
  bring(add({{"a", "one"}}), add({{"a", "two"}}));
  std::array<char, 8> bytes{};
  EXPECT_EQ(std::string_view(bytes.data(), read_some(open.get(), bytes, "a")), "one");
  EXPECT_EQ(read_file(at("a")), "two");
}

TEST_F(BringInTest, ADamagedObjectChangesNothing) {
  put({{"a", "one"}});
  const Digest before = add({{"a", "one"}});
  const Digest after = add({{"a", "two"}});
  const Path object = store_->blob_path(Digest::of("two"));
  change_mode(object, 0644);
  const Fd fd = open_to_append(object);
  ASSERT_EQ(::pwrite(fd.get(), "X", 1, 0), 1) << errno;
  EXPECT_THAT(error_of([&] { bring(before, after); }), testing::HasSubstr("hash to"));
  EXPECT_EQ(found(), (Files{{"a", "one"}}));
}

TEST_F(BringInTest, WhatACrashLeftIsRemovedAndTheRestIsDone) {
  put({{"a", "two"}, {"b", "one"}, {temporary, "half of"}});
  const BroughtIn brought = bring(add({{"a", "one"}, {"b", "one"}}), add({{"a", "two"}, {"b", "two"}}));
  EXPECT_EQ(found(), (Files{{"a", "two"}, {"b", "two"}}));
  EXPECT_EQ(brought.files, 1u);
  EXPECT_EQ(brought.stayed, 0u);
}

TEST_F(BringInTest, ItStopsWhenItIsTold) {
  Files before;
  Files after;
  for (int i = 0; i < 5000; ++i) after[std::to_string(i)] = before[std::to_string(i)] = "one";
  for (auto& [path, content] : after) content = std::string(2000, 'x') + path;
  put(before);
  const auto is_told = [] { return false; };
  const BroughtIn brought =
      bring_in(*store_, open_directory(place_.path()), add(before), add(after), temporary, is_told);
  if (brought.is_whole) GTEST_SKIP() << "all of it took less than the time between two questions";
  EXPECT_LT(brought.files, 5000u);
  const BroughtIn rest = bring(add(before), add(after));
  EXPECT_EQ(brought.files + rest.files, 5000u);
  EXPECT_EQ(found(), after);
}

// For each path: what is new where it was left as it was, and theirs where not. A few names, so that files, links and
// directories meet.
TEST_F(BringInTest, RandomTreesAndChanges) {
  const char* given = std::getenv("VOLARY_SEED");
  const unsigned seed = given ? static_cast<unsigned>(std::atoi(given)) : std::random_device()();
  SCOPED_TRACE("VOLARY_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const auto one_of = [&](size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random); };
  const std::vector<std::string> contents = {"one", "two", "#!three", "-> a", "-> b/c", ""};
  const auto flat_path = [&] {
    std::string path = std::string(1, static_cast<char>('a' + one_of(3)));
    for (size_t depth = one_of(3); depth > 0; --depth) path += "/" + std::string(1, static_cast<char>('a' + one_of(3)));
    return path;
  };
  // Without a file where another needs a directory.
  const auto set = [](Files& files, const std::string& path, const std::string& content) {
    std::erase_if(files, [&](const auto& one) {
      return one.first.starts_with(path + "/") || path.starts_with(one.first + "/");
    });
    files[path] = content;
  };
  const auto change = [&](Files files, size_t times) {
    for (size_t n = 0; n < times; ++n) {
      const std::string path = flat_path();
      if (one_of(3) == 0) files.erase(path);
      else set(files, path, contents[one_of(contents.size())]);
    }
    return files;
  };
  for (int round = 0; round < 300; ++round) {
    const Files before = change({}, 8);
    const Files after = change(before, one_of(6));
    const Files theirs = change(before, one_of(6));
    for (const DirectoryEntry& entry : list_directory(place_.path())) remove_tree(place_ / entry.name);
    put(theirs);
    const BroughtIn brought = bring(add(before), add(after));
    const Files result = found();
    const auto in = [](const Files& files, const std::string& path) {
      const auto one = files.find(path);
      return one == files.end() ? std::string("(none)") : one->second;
    };
    Files all = before;
    all.insert(after.begin(), after.end());
    all.insert(theirs.begin(), theirs.end());
    uint64_t stayed = 0;
    uint64_t different = 0;
    for (const auto& [path, content] : all) {
      const std::string was = in(before, path), is = in(after, path), own = in(theirs, path), now = in(result, path);
      SCOPED_TRACE(path + ": before " + was + ", after " + is + ", theirs " + own + ", now " + now);
      if (own != was) EXPECT_EQ(now, own);  // What they did is never undone.
      else EXPECT_THAT(now, testing::AnyOf(is, own));
      different += was != is;
      stayed += was != is && now != is;
    }
    if (theirs == before) EXPECT_EQ(result, after);
    EXPECT_GE(brought.stayed, stayed);  // A file that went, and is their directory by now, is one of them too.
    EXPECT_LE(brought.stayed, different);
    for (const auto& [path, content] : result) EXPECT_TRUE(all.contains(path)) << path;
    // A second time there is nothing to do.
    const BroughtIn again = bring(add(before), add(after));
    EXPECT_EQ(again.files, 0u);
    EXPECT_EQ(found(), result);
    if (HasFailure()) return;
  }
}

TEST_F(BringInTest, ALargeFileIsNotWaitedFor) {
  const std::string large(256 << 20, 'x');
  put({{"a", "one"}});
  int asked = 0;
  const BroughtIn brought = bring_in(*store_, open_directory(place_.path()), add({{"a", "one"}}),
                                     add({{"a", large}, {"b", "new"}}), temporary, [&] { return ++asked == 0; });
  EXPECT_FALSE(brought.is_whole);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(found(), (Files{{"a", "one"}}));
}

TEST_F(BringInTest, ADirectoryOfTheNameIsNotForgotten) {
  write_text(at("upper/.volary-sync-1/theirs"), "theirs");
  write_text(at("upper/.volary-sync-2"), "left");
  forget_bring_in(place_.path(), ".volary-sync-1");
  forget_bring_in(place_.path(), ".volary-sync-2");
  forget_bring_in(place_.path(), ".volary-sync-3");
  EXPECT_EQ(found(), (Files{{"upper/.volary-sync-1/theirs", "theirs"}}));
}

}  // namespace
}  // namespace volary
