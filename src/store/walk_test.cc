// store/walk_test.cc: reading along trees of trees, and changing them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "store/sample_test.h"
#include "store/tree_writer.h"

namespace volary {
namespace {

using testing::ElementsAre;

// What volumes hold, the simplest way: directories, and leaves with their entries, by path.
struct Model {
  std::map<std::string, std::optional<TreeEntry>> paths;  // Nothing: a directory.

  // Whether the change could be made.
  bool change(const std::string& path, const std::optional<TreeEntry>& entry) {
    if (entry)
      for (size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1))
        if (const auto found = paths.find(path.substr(0, at)); found != paths.end() && found->second) return false;
    std::erase_if(paths, [&](const auto& one) { return one.first == path || one.first.starts_with(path + "/"); });
    if (!entry) return true;
    for (size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) paths[path.substr(0, at)] = {};
    if (entry->kind == EntryKind::directory) paths[path] = {};  // Tests use the empty one.
    else paths[path] = entry;
    return true;
  }

  TreeSummary add_to(Commit& commit, const std::string& prefix = "") const {
    Tree tree;
    for (const auto& [path, entry] : paths) {
      if (!path.starts_with(prefix) || path.find('/', prefix.size()) != path.npos) continue;
      const std::string name = path.substr(prefix.size());
      tree.entries.push_back(entry ? *entry : directory_entry(name, add_to(commit, path + "/")));
      tree.entries.back().name = name;
    }
    std::sort(tree.entries.begin(), tree.entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return commit.add_tree(tree);
  }
};

TreeChange set_to(const std::string& path, TreeEntry entry) { return {TreePath::parse(path), std::move(entry)}; }
TreeChange removed(const std::string& path) { return {TreePath::parse(path), std::nullopt}; }
TreeEntry content(std::string_view bytes) { return file_entry("", bytes); }

struct Sample : TestStore {
  std::unique_ptr<Commit> commit = store->begin_commit();

  Digest tree_of(const std::vector<std::string>& files) {
    Model model;
    for (const std::string& path : files) model.change(path, content(path));
    const Digest tree = model.add_to(*commit).tree;
    commit->publish();
    return tree;
  }
  std::vector<std::string> paths_of(const Digest& tree) {
    std::vector<std::string> paths;
    walk(*store, tree, [&](const TreePath& path, const TreeEntry&) { paths.push_back(path.text()); });
    return paths;
  }
  // The paths after the changes.
  std::vector<std::string> changed(const Digest& base, std::vector<TreeChange> changes) {
    const TreeSummary after = apply_changes(*store, *commit, base, std::move(changes));
    commit->publish();
    return paths_of(after.tree);
  }
};

TEST(Walk, goes_in_the_order_of_paths_directories_before_what_they_hold) {
  Sample sample;
  const Digest tree = sample.tree_of({"a/b", "a-b", "a!/x", "a!-", "a0", "a/b!", "a-/c/d"});
  const auto paths = sample.paths_of(tree);
  EXPECT_THAT(paths, ElementsAre("a", "a!", "a!-", "a!/x", "a-", "a-/c", "a-/c/d", "a-b", "a/b", "a/b!", "a0"));
  EXPECT_TRUE(std::is_sorted(paths.begin(), paths.end()));
}

TEST(FindEntry, finds_files_and_directories_but_not_the_root) {
  Sample sample;
  const Digest tree = sample.tree_of({"a/b/c", "d"});
  EXPECT_EQ(find_entry(*sample.store, tree, TreePath::parse("a/b/c"))->digest, Digest::of("a/b/c"));
  EXPECT_EQ(find_entry(*sample.store, tree, TreePath::parse("a/b"))->kind, EntryKind::directory);
  EXPECT_FALSE(find_entry(*sample.store, tree, TreePath::parse("a/x")));
  EXPECT_FALSE(find_entry(*sample.store, tree, TreePath::parse("d/x")));
  EXPECT_FALSE(find_entry(*sample.store, tree, TreePath()));
}

TEST(ApplyChanges, adds_replaces_and_removes) {
  Sample sample;
  const Digest base = sample.tree_of({"a/b", "a/c", "d"});
  EXPECT_THAT(sample.changed(base, {set_to("x/y/z", content("1")), removed("a/b")}),
              ElementsAre("a", "a/c", "d", "x", "x/y", "x/y/z"));
  EXPECT_THAT(sample.changed(base, {set_to("a", content("a file now"))}), ElementsAre("a", "d"));
  EXPECT_THAT(sample.changed(base, {}), ElementsAre("a", "a/b", "a/c", "d"));
}

TEST(ApplyChanges, keeps_a_directory_that_loses_its_last_entry) {
  Sample sample;
  const Digest base = sample.tree_of({"a/b", "d"});
  EXPECT_THAT(sample.changed(base, {removed("a/b")}), ElementsAre("a", "d"));
}

TEST(ApplyChanges, lets_directories_go_that_it_empties_if_asked_but_no_others) {
  Sample sample;
  const Digest base = sample.tree_of({"a/b/c", "d/e", "d/f"});
  const auto left_by = [&](std::vector<TreeChange> changes) {
    const TreeSummary after = apply_changes(*sample.store, *sample.commit, base, std::move(changes), Emptied::go);
    return sample.paths_of(after.tree);
  };
  EXPECT_THAT(left_by({removed("a/b/c"), removed("d/e")}), ElementsAre("d", "d/f"));
  EXPECT_THAT(left_by({removed("a/b/c"), set_to("a/x", content("1"))}), ElementsAre("a", "a/x", "d", "d/e", "d/f"));
  EXPECT_THAT(left_by({removed("a/b/c"), removed("d/e"), removed("d/f")}), ElementsAre());
  EXPECT_THAT(left_by({set_to("a/empty", directory_entry({}, empty_tree())), removed("a/b/c")}),
              ElementsAre("a", "a/empty", "d", "d/e", "d/f"));
}

TEST(ApplyChanges, makes_nothing_for_the_removal_of_what_is_not_there) {
  Sample sample;
  const Digest base = sample.tree_of({"d"});
  EXPECT_THAT(sample.changed(base, {removed("x/y/z"), removed("d/e")}), ElementsAre("d"));
}

TEST(ApplyChanges, lets_the_later_of_two_changes_win) {
  Sample sample;
  const Digest base = sample.tree_of({"a/b"});
  EXPECT_THAT(sample.changed(base, {set_to("a/c", content("1")), removed("a")}), ElementsAre());
  EXPECT_THAT(sample.changed(base, {removed("a"), set_to("a/c", content("1"))}), ElementsAre("a", "a/c"));
  EXPECT_THAT(sample.changed(base, {set_to("a/b/c", content("1")), set_to("a", content("2"))}), ElementsAre("a"));
}

TEST(ApplyChanges, of_the_root_replaces_everything) {
  Sample sample;
  const Digest base = sample.tree_of({"a/b", "d"});
  EXPECT_THAT(sample.changed(base, {{TreePath(), std::nullopt}}), ElementsAre());
  EXPECT_THAT(sample.changed(base, {{TreePath(), std::nullopt}, set_to("x", content("1"))}), ElementsAre("x"));
  const auto other = find_entry(*sample.store, base, TreePath::parse("a"));
  EXPECT_THAT(sample.changed(base, {{TreePath(), other}}), ElementsAre("b"));
  EXPECT_EQ(error_of([&] { sample.changed(base, {{TreePath(), content("1")}}); }),
            "invalid: the root of a volume can only be a directory");
}

TEST(ApplyChanges, refuses_a_path_that_would_be_file_and_directory) {
  Sample sample;
  const Digest base = sample.tree_of({"a"});
  EXPECT_EQ(error_of([&] { sample.changed(base, {set_to("a/b", content("1"))}); }),
            "invalid: 'a' is a file and cannot hold 'a/b'");
  EXPECT_EQ(error_of([&] { sample.changed(base, {set_to("l", link_entry("", "a")), set_to("l/b", content("1"))}); }),
            "invalid: 'l' is a symbolic link and cannot hold 'l/b'");
  EXPECT_EQ(error_of([&] { sample.changed(base, {set_to("l", link_entry("", "\xff"))}); }),
            "invalid: the symbolic link 'l' cannot be kept: its target '\\xff' is not UTF-8");
}

TEST(ApplyChanges, reads_and_writes_only_the_trees_on_the_way) {
  Sample sample;
  std::vector<std::string> files;
  for (int i = 0; i < 50; ++i) files.push_back("dir" + std::to_string(i) + "/sub/file");
  const Digest base = sample.tree_of(files);
  // Everything but the root and dir7 may be gone, and it does not matter.
  const auto root = sample.store->read_tree(base);
  for (const TreeEntry& entry : root.entries)
    if (entry.name != "dir7") remove_file(sample.store->root() / "trees" / entry.digest.path());
  const size_t trees_before = sample.count("trees");
  apply_changes(*sample.store, *sample.commit, base, {set_to("dir7/sub/other", content("1"))});
  sample.commit->publish();
  EXPECT_EQ(sample.count("trees"), trees_before + 3);
}

std::string any_path() {
  static const std::string names[] = {"a", "a-", "a!", "b", "é"};
  std::string path;
  for (int i = *rc::gen::inRange(1, 4); i > 0; --i)
    path += (path.empty() ? "" : "/") + names[*rc::gen::inRange(0, 5)];
  return path;
}

std::optional<TreeEntry> any_entry() {
  switch (*rc::gen::inRange(0, 5)) {
    case 0: return std::nullopt;
    case 1: return link_entry("", "to");
    case 2: return directory_entry("", empty_tree());
    default: return content(std::to_string(*rc::gen::inRange(0, 3)));
  }
}

RC_GTEST_PROP(ApplyChangesProperty, gives_the_same_tree_as_building_it_from_scratch, ()) {
  static TestStore test;
  const auto commit = test.store->begin_commit();
  Model model;
  for (int i = *rc::gen::inRange(0, 12); i > 0; --i) model.change(any_path(), any_entry());
  const TreeSummary base = model.add_to(*commit);
  std::vector<TreeChange> changes;
  for (int i = *rc::gen::inRange(0, 12); i > 0; --i) {
    const std::string path = any_path();
    const auto entry = any_entry();
    if (model.change(path, entry)) changes.push_back({TreePath::parse(path), entry});
  }
  RC_ASSERT(apply_changes(*test.store, *commit, base.tree, changes) == model.add_to(*commit));
}

RC_GTEST_PROP(TreeWriterProperty, gives_the_same_tree_for_changes_that_come_in_the_order_of_their_paths, ()) {
  static TestStore test;
  const auto commit = test.store->begin_commit();
  Model model;
  for (int i = *rc::gen::inRange(0, 12); i > 0; --i) model.change(any_path(), any_entry());
  TreeWriter writer(*commit, model.add_to(*commit).tree);
  std::map<std::string, std::optional<TreeEntry>> changes;
  for (int i = *rc::gen::inRange(0, 12); i > 0; --i) changes.emplace(any_path(), any_entry());
  for (const auto& [path, entry] : changes)
    if (model.change(path, entry)) writer.change(TreePath::parse(path), entry);
  RC_ASSERT(writer.finish() == model.add_to(*commit));
}

TEST(ApplyChanges, changes_many_directories_beside_each_other_as_one_after_the_other) {
  Sample sample;
  Model model;
  const auto path_of = [](int i, const char* name) {
    return fmt::format("{}/{}/{}", i % 3 == 0 ? "a" : "b", i % 40, name);
  };
  for (int i = 0; i < 5000; ++i) model.change(path_of(i, std::to_string(i).c_str()), content(std::to_string(i)));
  const TreeSummary base = model.add_to(*sample.commit);
  std::vector<TreeChange> changes;
  for (int i = 0; i < 5000; i += 14) {
    const auto entry = i % 4 == 0 ? std::optional(content("new")) : std::nullopt;
    const std::string path = i % 10 == 0 ? path_of(i, "more/deeper") : path_of(i, std::to_string(i).c_str());
    if (model.change(path, entry)) changes.push_back({TreePath::parse(path), entry});
  }
  EXPECT_EQ(apply_changes(*sample.store, *sample.commit, base.tree, changes), model.add_to(*sample.commit));
}

TEST(ApplyChanges, tells_what_is_wrong_with_one_of_many_directories) {
  Sample sample;
  std::vector<std::string> files;
  for (int i = 0; i < 5000; ++i) files.push_back(fmt::format("dir{}/{}", i % 50, i));
  const Digest base = sample.tree_of(files);
  const Digest damaged = sample.store->read_tree(base).find("dir30")->digest;
  remove_file(sample.store->tree_path(damaged));
  std::vector<TreeChange> changes;
  for (int i = 0; i < 50; ++i) changes.push_back(set_to(fmt::format("dir{}/new", i), content("1")));
  EXPECT_EQ(error_of([&] { sample.changed(base, changes); }),
            fmt::format("not_found: tree {} is not in the store", damaged.hex()));
}

TEST(TreeWriter, has_written_directories_before_those_that_wait_are_many) {
  Sample sample;
  TreeWriter writer(*sample.commit, empty_tree().tree);
  const std::string target(4000, 't');
  int directories = 0;
  while (sample.count("trees") == 0 && directories < 2000)
    writer.change(TreePath::parse(fmt::format("{:05}/x", directories++)), link_entry("", target));
  EXPECT_GT(directories, 10);
  EXPECT_LT(directories, 2000);
}

}  // namespace
}  // namespace volary
