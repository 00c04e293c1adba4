// job/place_news_test.cc: what others changed is new, and what a place cannot hold or still has of before is not.
#include "job/place_news.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "store/sample_test.h"

namespace volary {
namespace {

using Files = std::map<std::string, std::string>;  // Path to content, "-> TARGET" or "#!…"; "/": a directory.

class PlaceNewsTest : public testing::Test {
 protected:
  Digest changed(const Digest& base, const std::vector<TreeChange>& changes) {
    const auto commit = sample_.store->begin_commit();
    const TreeSummary tree = apply_changes(*sample_.store, *commit, base, changes);
    commit->publish();
    return tree.tree;
  }

  Digest add(const Files& files) {
    const auto commit = sample_.store->begin_commit();
    std::vector<TreeChange> changes;
    for (const auto& [path, content] : files) {
      const TreePath at = TreePath::parse(path);
      const std::string name(at.name());
      TreeEntry entry = content == "/"                ? directory_entry(name, empty_tree())
                        : content.starts_with("-> ") ? link_entry(name, content.substr(3))
                                                      : add_file(*commit, name, content);
      entry.executable = content.starts_with("#!");
      changes.push_back({at, entry});
    }
    const TreeSummary tree = apply_changes(*sample_.store, *commit, empty_tree().tree, changes);
    commit->publish();
    return tree.tree;
  }

  Digest without_bits(const Files& files, const std::string& program) {
    auto entry = find_entry(*sample_.store, add(files), TreePath::parse(program));
    entry->executable = false;
    return changed(add(files), {{TreePath::parse(program), entry}});
  }

  Digest with_news(const Digest& known, const Digest& last, const Digest& now, Removed removed) {
    return changed(known, news_of(*sample_.store, {known, last, now}, removed));
  }

  TestStore sample_;
};

TEST_F(PlaceNewsTest, WhatOthersChangedIsNew) {
  const Digest known = add({{"a", "1"}, {"b", "1"}, {"d/x", "1"}, {"f", "1"}, {"g/x", "1"}});
  const Digest now = add({{"a", "2"}, {"c", "1"}, {"f/x", "1"}, {"g", "2"}, {"new/deep/y", "1"}});
  for (const Removed removed : {Removed::goes, Removed::stays}) {
    EXPECT_EQ(with_news(known, known, now, removed), now);
    EXPECT_EQ(with_news(known, empty_tree().tree, now, removed), now);
    EXPECT_TRUE(news_of(*sample_.store, {now, known, now}, removed).empty());
  }
}

TEST_F(PlaceNewsTest, WhatAPlaceCannotHoldStays) {
  const Files held = {{"a", "1"}, {"run", "#!x"}, {"d/x", "1"}};
  Files known = held;
  known.insert({{"link", "-> a"}, {"empty/er", "/"}, {"d/link", "-> x"}, {"to", "-> d"}, {"shadow", "-> a"}});
  EXPECT_EQ(with_news(add(known), add(held), without_bits(held, "run"), Removed::goes), add(known));
  // Objects where the job has links: left by it, or made by others.
  Files now = held;
  now.insert({{"to/x", "old"}, {"shadow", "old"}});
  EXPECT_EQ(with_news(add(known), add(held), without_bits(now, "run"), Removed::goes), add(known));
  // All of a directory but a link goes.
  now = {{"a", "1"}, {"d", "a file now"}};
  Files left = {{"a", "1"}, {"d/link", "-> x"}};
  left.insert({{"link", "-> a"}, {"empty/er", "/"}, {"to", "-> d"}, {"shadow", "-> a"}});
  EXPECT_EQ(with_news(add(known), add(held), add(now), Removed::goes), add(left));
}

TEST_F(PlaceNewsTest, WhatAJobRemovedIsNotNewWhereThatStays) {
  const Digest last = add({{"a", "1"}, {"in/1", "1"}, {"in/2", "1"}, {"done/1", "1"}});
  const Digest now = add({{"a", "1"}, {"in/1", "1"}, {"in/2", "2"}, {"in/3", "3"}, {"done/1", "1"}});
  const Digest known = add({{"a", "1"}});
  EXPECT_EQ(with_news(known, last, now, Removed::stays), add({{"a", "1"}, {"in/2", "2"}, {"in/3", "3"}}));
  EXPECT_EQ(with_news(known, last, now, Removed::goes), now);
}

TEST_F(PlaceNewsTest, WhatBegunBecame) {
  const Digest begun = add({{"same", "1"}, {"a", "1"}, {"gone", "1"}, {"d/x", "1"}, {"d/same", "1"}, {"e/x", "1"}});
  const Digest pushed = add({{"same", "1"}, {"a", "2"}, {"d/x", "2"}, {"d/same", "1"}, {"d/new", "1"}, {"new", "1"}});
  EXPECT_EQ(changed(begun, successors_of(*sample_.store, begun, pushed)),
            add({{"same", "1"}, {"a", "2"}, {"d/x", "2"}, {"d/same", "1"}}));
  EXPECT_TRUE(successors_of(*sample_.store, begun, begun).empty());
}

}  // namespace
}  // namespace volary
