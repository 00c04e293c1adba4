// store/difference_test.cc: what difference() says, and that it is all there is to say.
#include "store/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "store/sample_test.h"

namespace volary {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A version as a test writes it: the content of each file, by path. A path that ends in "/" is an empty directory, a
// content that begins with "-> " a link's target, one that begins with "#!" is executable.
using Files = std::map<std::string, std::string>;

struct Sample : TestStore {
  std::unique_ptr<Commit> commit = store->begin_commit();

  TreeSummary add(const Files& files) {
    std::vector<TreeChange> changes;
    for (const auto& [path, content] : files) {
      TreeEntry entry = file_entry("", content);
      if (path.ends_with('/')) entry = directory_entry("", empty_tree());
      else if (content.starts_with("-> ")) entry = link_entry("", content.substr(3));
      else add_blob(*commit, content);
      entry.executable = content.starts_with("#!");
      changes.push_back({TreePath::parse_directory(path), entry});
    }
    return apply_changes(*store, *commit, empty_tree().tree, std::move(changes));
  }

  std::vector<Difference> compare(const Files& before, const Files& after) {
    return difference(*store, add(before).tree, add(after).tree);
  }
};

// "+ path", "- path", "~ path", "old => new"; directories end in "/".
std::vector<std::string> words(const std::vector<Difference>& differences) {
  std::vector<std::string> lines;
  for (const Difference& one : differences) {
    const TreeEntry& entry = one.after ? *one.after : *one.before;
    const std::string path = one.path.text() + (entry.kind == EntryKind::directory ? "/" : "");
    switch (one.change) {
      case Change::added: lines.push_back("+ " + path); break;
      case Change::removed: lines.push_back("- " + path); break;
      case Change::changed: lines.push_back("~ " + path); break;
      case Change::renamed: lines.push_back(one.from->text() + " => " + path); break;
    }
  }
  return lines;
}

TEST(Difference, of_equal_trees_is_nothing) {
  Sample sample;
  EXPECT_THAT(words(sample.compare({{"a", "1"}, {"d/b", "2"}}, {{"a", "1"}, {"d/b", "2"}})), IsEmpty());
}

TEST(Difference, names_what_came_went_and_changed_in_the_order_of_paths) {
  Sample sample;
  const Files before{{"a", "1"}, {"d/b", "2"}, {"d/c", "3"}, {"e/f", "4"}, {"k", "-> x"}, {"run", "ls"}};
  const Files after{{"a", "9"}, {"d/b", "2"}, {"d-", "5"}, {"k", "-> y"}, {"n/o", "6"}, {"run", "#!"}};
  EXPECT_THAT(words(sample.compare(before, after)),
              ElementsAre("~ a", "+ d-", "- d/c", "- e/", "- e/f", "~ k", "+ n/", "+ n/o", "~ run"));
}

TEST(Difference, tells_an_executable_bit_from_a_content) {
  Sample sample;
  Tree tree;
  tree.entries = {add_file(*sample.commit, "a", "1")};
  const Digest before = sample.commit->add_tree(tree).tree;
  tree.entries[0].executable = true;
  const auto found = difference(*sample.store, before, sample.commit->add_tree(tree).tree);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].change, Change::changed);
  EXPECT_FALSE(found[0].before->executable);
  EXPECT_TRUE(found[0].after->executable);
}

TEST(Difference, of_one_that_changed_its_kind_tells_what_was_below_or_is) {
  Sample sample;
  EXPECT_THAT(words(sample.compare({{"a/x", "1"}, {"b", "2"}}, {{"a", "3"}, {"b/y", "4"}})),
              ElementsAre("~ a", "- a/x", "~ b/", "+ b/y"));
}

TEST(Difference, finds_each_renamed_file_once_and_prefers_its_name) {
  Sample sample;
  EXPECT_THAT(words(sample.compare({{"a/x", "same"}, {"a/y", "same"}, {"a/z", "same"}, {"k", ""}},
                                   {{"a/z", "same"}, {"b/y", "same"}, {"b/q", "same"}, {"b/r", "same"}, {"k2", ""}})),
              ElementsAre("+ b/", "a/x => b/q", "+ b/r", "a/y => b/y", "- k", "+ k2"));
}

TEST(Difference, tells_a_renamed_directory_in_one_line) {
  Sample sample;
  const Files before{{"old/a", "1"}, {"old/d/b", "2"}, {"x", "3"}};
  EXPECT_THAT(words(sample.compare(before, {{"new/a", "1"}, {"new/d/b", "2"}, {"x", "3"}})),
              ElementsAre("old => new/"));
  // Further down, further up, and only a part of it.
  EXPECT_THAT(words(sample.compare(before, {{"in/old/a", "1"}, {"in/old/d/b", "2"}, {"x", "3"}})),
              ElementsAre("+ in/", "old => in/old/"));
  EXPECT_THAT(words(sample.compare(before, {{"d/b", "2"}, {"x", "3"}})),
              ElementsAre("old/d => d/", "- old/", "- old/a"));
  EXPECT_THAT(words(sample.compare(before, {{"new/a", "9"}, {"new/d/b", "2"}, {"x", "3"}})),
              ElementsAre("+ new/", "+ new/a", "old/d => new/d/", "- old/", "- old/a"));
}

TEST(Difference, of_a_directory_whose_part_went_elsewhere_is_not_told_as_one_rename) {
  Sample sample;
  // The part alone comes first, so the whole can no longer be the same thing moved.
  EXPECT_THAT(words(sample.compare({{"m/d/b", "2"}, {"m/a", "1"}},
                                   {{"c/1/d/b", "2"}, {"c/2/m/d/b", "2"}, {"c/2/m/a", "1"}})),
              ElementsAre("+ c/", "+ c/1/", "m/d => c/1/d/", "+ c/2/", "+ c/2/m/", "m/a => c/2/m/a", "+ c/2/m/d/",
                          "+ c/2/m/d/b", "- m/"));
}

TEST(Difference, counts_files_and_bytes_of_each_kind) {
  Sample sample;
  const auto found = sample.compare({{"a", "1"}, {"b", "22"}, {"old/x", "333"}, {"old/y", "4444"}, {"l", "-> a"}},
                                    {{"a", "55555"}, {"new/x", "333"}, {"new/y", "4444"}, {"d/c", "666666"}});
  const DifferenceCounts counts = counts_of(found);
  EXPECT_EQ(counts.added, (DifferenceSum{1, 6}));
  EXPECT_EQ(counts.removed, (DifferenceSum{2, 2}));
  EXPECT_EQ(counts.changed, (DifferenceSum{1, 5}));
  EXPECT_EQ(counts.renamed, (DifferenceSum{2, 7}));
}

TEST(Difference, opens_neither_what_is_equal_nor_what_was_renamed_whole) {
  Sample sample;
  Files before;
  for (int i = 0; i < 50; ++i) before["same/" + std::to_string(i) + "/f"] = std::to_string(i);
  Files after = before;
  before["moved/f"] = "m";
  after["elsewhere/f"] = "m";
  const Digest old = sample.add(before).tree;
  const Digest now = sample.add(after).tree;
  sample.commit->publish();
  // Trees that are not needed are not missed.
  std::set<Digest> kept{old, now};
  sample.store->each_object(ObjectKind::tree, [&](const StoredObject& tree) {
    if (!kept.contains(tree.digest)) remove_file(sample.store->tree_path(tree.digest));
  });
  EXPECT_THAT(words(difference(*sample.store, old, now)), ElementsAre("moved => elsewhere/"));
}

// Few names and few contents, so that everything happens to them.
rc::Gen<Files> arbitrary_files() {
  const auto names_of_path = rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4)));
  return rc::gen::map(
      rc::gen::container<std::vector<std::pair<std::vector<int>, int>>>(
          rc::gen::pair(rc::gen::resize(4, names_of_path), rc::gen::inRange(0, 8))),
      [](const std::vector<std::pair<std::vector<int>, int>>& list) {
        static const char* const contents[] = {"", "1", "2", "3", "44", "-> 1", "-> 2", "#!5"};
        Files files;
        for (const auto& [names, content] : list) {
          std::string path;
          for (const int name : names) path += (path.empty() ? "" : "/") + std::string("ab-c").substr(name, 1);
          if (content == 0 && names.size() % 2 == 0) path += '/';
          std::erase_if(files, [&](const auto& one) {
            return one.first.starts_with(path + "/") || one.first == path || one.first == path + "/";
          });
          bool fits = true;
          for (size_t at = path.find('/'); at != path.npos && fits; at = path.find('/', at + 1))
            fits = !files.contains(path.substr(0, at));
          if (fits) files[path] = contents[content];
        }
        return files;
      });
}

void check_all(Sample& sample, const Files& first, const Files& second) {
  const TreeSummary before = sample.add(first);
  const TreeSummary after = sample.add(second);
  const auto found = difference(*sample.store, before.tree, after.tree);
  // Made again, it gives the other tree; in any order.
  RC_ASSERT(apply_changes(*sample.store, *sample.commit, before.tree, changes_of(found)) == after);
  RC_ASSERT(std::is_sorted(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; }));
  std::set<TreePath> froms;
  std::set<TreePath> paths;
  int64_t files = 0;
  int64_t bytes = 0;
  for (const Difference& one : found) {
    RC_ASSERT(paths.insert(one.path).second);
    RC_ASSERT(find_entry(*sample.store, before.tree, one.from ? *one.from : one.path) == one.before);
    RC_ASSERT(find_entry(*sample.store, after.tree, one.path) == one.after);
    if (one.from) RC_ASSERT(froms.insert(*one.from).second && one.before->digest == one.after->digest);
    if (one.change == Change::renamed) continue;
    const auto count = [&](const std::optional<TreeEntry>& entry, int sign) {
      if (!entry || entry->kind == EntryKind::directory) return;
      files += sign;
      bytes += sign * static_cast<int64_t>(entry->size);
    };
    count(one.after, 1);
    count(one.before, -1);
  }
  RC_ASSERT(static_cast<int64_t>(before.files) + files == static_cast<int64_t>(after.files));
  RC_ASSERT(static_cast<int64_t>(before.bytes) + bytes == static_cast<int64_t>(after.bytes));
}

RC_GTEST_PROP(DifferenceProperty, made_again_gives_the_tree_after_and_loses_nothing, ()) {
  static Sample sample;
  const Files first = *arbitrary_files();
  check_all(sample, first, *arbitrary_files());
}

RC_GTEST_PROP(DifferenceProperty, of_moved_directories_loses_nothing_either, ()) {
  static Sample sample;
  const Files first = *arbitrary_files();
  const auto from = *rc::gen::element<std::string>("a", "b", "-", "a/b", "b/a");
  const auto to = *rc::gen::element<std::string>("x", "x/y", "a/x", "b/a/x");
  Files second;
  for (const auto& [path, content] : first) {
    const bool moves = path.starts_with(from + "/") && !to.starts_with(from + "/");
    second[moves ? to + path.substr(from.size()) : path] = content;
  }
  for (const auto& [path, content] : Files(second))
    for (size_t at = path.find('/'); at != path.npos && at + 1 < path.size(); at = path.find('/', at + 1))
      second.erase(path.substr(0, at));
  check_all(sample, first, second);
}

}  // namespace
}  // namespace volary
