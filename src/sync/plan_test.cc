// sync/plan_test.cc: the table of sync/plan.h, by example and by property.
#include "sync/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "core/error.h"

namespace volary {
namespace {

using Side = std::map<std::string, std::string>;  // path -> content

std::vector<Listed> listed(const Side& side) {
  std::vector<Listed> files;
  for (const auto& [path, content] : side) {
    Listed& file = files.emplace_back();
    file.path = TreePath::parse(path);
    file.size = content.size();
    file.digest = Digest::of(content);
  }
  return files;
}

// What the target holds after the plan.
Side performed(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
               const Side& source_side, Side result) {
  for (const size_t index : plan.deletes) result.erase(target[index].path.text());
  for (const PlannedCopy& copy : plan.copies) {
    const std::string& path = source[copy.source].path.text();
    result[path] = source_side.at(path);
  }
  return result;
}

Side after(const Side& source_side, const Side& target_side, Strategy strategy) {
  const auto [plan, source, target] = make_plan(listed(source_side), listed(target_side), {.strategy = strategy});
  return performed(plan, source, target, source_side, target_side);
}

// "path: reason" of what cannot be copied.
std::vector<std::string> conflicts_of(const Side& source_side, const Side& target_side, const PlanOptions& options) {
  const auto [plan, source, target] = make_plan(listed(source_side), listed(target_side), options);
  std::vector<std::string> texts;
  for (const Conflict& one : plan.conflicts) texts.push_back(source[one.source].path.text() + ": " + one.reason);
  return texts;
}

const Side source = {{"new", "1"}, {"same", "2"}, {"other", "3"}};
const Side target = {{"same", "2"}, {"other", "x"}, {"old", "4"}};

TEST(a_plan, overwrites_what_differs_and_keeps_what_only_the_target_has) {
  EXPECT_EQ(after(source, target, Strategy::overwrite),
            (Side{{"new", "1"}, {"same", "2"}, {"other", "3"}, {"old", "4"}}));
}

TEST(a_plan, without_overwriting_copies_only_what_is_lacking) {
  EXPECT_EQ(after(source, target, Strategy::no_overwrite),
            (Side{{"new", "1"}, {"same", "2"}, {"other", "x"}, {"old", "4"}}));
}

TEST(a_plan, mirrors_exactly) { EXPECT_EQ(after(source, target, Strategy::mirror), source); }

TEST(a_plan, never_takes_two_files_for_the_same_without_their_digests) {
  auto from = listed({{"a", "1"}});
  auto to = listed({{"a", "1"}});
  to[0].digest.reset();
  EXPECT_EQ(make_plan(from, to, {.strategy = Strategy::overwrite}).plan.copy_files, 1u);
}

TEST(a_plan, counts_bytes) {
  auto from = listed({{"a", "12345"}, {"b", "12"}});
  auto to = listed({{"a", "123"}, {"c", "1"}});
  const auto [plan, source, target] = make_plan(from, to, {.strategy = Strategy::mirror});
  EXPECT_EQ(plan.copy_bytes, 7u);
  EXPECT_EQ(plan.replaced_bytes, 3u);
  EXPECT_EQ(plan.delete_bytes, 1u);
  const PlanView view = view_of(plan, source, target, 2);
  EXPECT_EQ(view.copies, 2u);
  EXPECT_EQ(view.items.size(), 2u);
  EXPECT_EQ(view.items[0].reason, "differs");
}

TEST(a_plan, finds_names_that_would_be_a_file_and_a_directory) {
  using testing::ElementsAre;
  EXPECT_THAT(conflicts_of({{"a", "1"}, {"a/b", "2"}, {"c", "3"}}, {}, {.strategy = Strategy::overwrite}),
              ElementsAre("a: it is both a file and the directory of 'a/b'"));
  EXPECT_THAT(conflicts_of({{"a/b/c", "1"}, {"a/b/d", "1"}}, {{"a", "2"}}, {.strategy = Strategy::overwrite}),
              ElementsAre("a/b/c: its directory 'a' is a file in the target, which stays",
                          "a/b/d: its directory 'a' is a file in the target, which stays"));
  EXPECT_THAT(conflicts_of({{"a", "1"}}, {{"a/b", "2"}}, {.strategy = Strategy::no_overwrite}),
              ElementsAre("a: it is a file, and the target has a directory there, with 'a/b'"));
  EXPECT_THAT(conflicts_of({{"a/b", "1"}, {"a/b/c", "1"}}, {{"a", "2"}}, {.strategy = Strategy::overwrite}),
              ElementsAre("a/b: it is both a file and the directory of 'a/b/c'",
                          "a/b/c: its directory 'a' is a file in the target, which stays"));
  EXPECT_THAT(conflicts_of({{"a/b/c", "1"}}, {{"a", "2"}}, {.strategy = Strategy::mirror}), ElementsAre());
  EXPECT_THAT(conflicts_of({{"a/b/c", "1"}}, {{"a", "2"}}, {.strategy = Strategy::mirror, .filter = Filter({"c"}, {})}),
              ElementsAre("a/b/c: its directory 'a' is a file in the target, which stays"));
}

TEST(a_plan, finds_names_that_are_too_long_for_the_target) {
  EXPECT_THAT(conflicts_of({{"1234", "1"}, {"12345", "2"}}, {}, {.path_bytes_max = 4}),
              testing::ElementsAre("12345: its name has 5 bytes: expected at most 4 here"));
}

TEST(a_plan, keeps_no_more_than_it_is_asked_to_and_counts_all) {
  const auto [plan, source, target] =
      make_plan(listed({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"e", "4"}, {"f", "5"}}),
                listed({{"a", "1"}, {"b", "2"}, {"c", "x"}, {"d", "1"}, {"g", "22"}}),
                {.strategy = Strategy::mirror, .acts_kept = 1, .others_kept = 0});
  EXPECT_EQ(plan.skip_files, 2u);
  EXPECT_EQ(plan.copy_files, 3u);
  EXPECT_EQ(plan.copy_bytes, 3u);
  EXPECT_EQ(plan.delete_files, 2u);
  EXPECT_EQ(plan.delete_bytes, 3u);
  EXPECT_EQ(plan.source_files, 5u);
  EXPECT_EQ(plan.target_files, 5u);
  EXPECT_EQ(item_count(plan), 2u);
  ASSERT_EQ(source.size(), 1u);
  EXPECT_EQ(source[0].path.text(), "c");
  ASSERT_EQ(target.size(), 2u);
  EXPECT_EQ(target[1].path.text(), "d");
}

TEST(a_plan, takes_back_what_it_decided_of_a_file_when_something_lies_below_it) {
  const auto [plan, source, target] =
      make_plan(listed({{"a", "1"}, {"a!", "2"}, {"a/b", "3"}, {"c", "4"}, {"c/d", "5"}}),
                listed({{"a", "x"}, {"c", "4"}}), {.strategy = Strategy::mirror});
  // What the target has under these names stays, so that nothing can lie below them.
  EXPECT_EQ(plan.conflicts.size(), 4u);
  ASSERT_EQ(plan.copies.size(), 1u);
  EXPECT_EQ(source[plan.copies[0].source].path.text(), "a!");
  EXPECT_EQ(plan.copy_files, 1u);
  EXPECT_EQ(plan.copy_bytes, 1u);
  EXPECT_EQ(plan.replaced_bytes, 0u);
  EXPECT_EQ(plan.skip_files, 0u);
  EXPECT_TRUE(plan.skips.empty());
  EXPECT_TRUE(plan.deletes.empty());
}

TEST(a_plan, names_what_differs_only_in_case) {
  CaseOnly found(9);
  for (const char* path : {"Ab/c", "aB/C", "aB/D", "ab/c", "ab/x"}) found.add(path);
  EXPECT_EQ(found.files(), 2u);
  EXPECT_EQ(found.first().at(0).path, "aB/C");
  EXPECT_EQ(found.first().at(0).reason, "differs from 'Ab/c' only in the case of letters");
}

TEST(a_plan, wants_a_confirmation_when_more_than_half_would_go) {
  const auto wants = [](const Side& from, const Side& to) {
    return needs_confirmation(make_plan(listed(from), listed(to), {.strategy = Strategy::mirror}).plan);
  };
  EXPECT_FALSE(wants({{"a", "1"}}, {{"a", "1"}, {"b", "1"}}));
  EXPECT_TRUE(wants({{"a", "1"}}, {{"a", "1"}, {"b", "1"}, {"c", "1"}}));
  EXPECT_TRUE(wants({{"a", "1"}}, {{"b", "1"}}));
  EXPECT_FALSE(wants({{"a", "1"}}, {}));
}

TEST(a_plan, shows_every_item_once_with_the_etag_of_the_object) {
  auto from = listed({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  auto to = listed({{"a", "x"}, {"b", "2"}, {"d", "4"}});
  for (Listed& object : to) object.etag = "e-" + object.path.text();
  std::vector<std::string> lines;
  const auto [plan, source, target] = make_plan(from, to, {.strategy = Strategy::overwrite});
  for (size_t i = 0; i < item_count(plan); ++i) {
    const PlanItem item = item_at(plan, source, target, i);
    lines.push_back(fmt::format("{} {} {} {}", name_of_value(item.act), item.path, item.reason, item.etag));
  }
  EXPECT_THAT(lines, testing::ElementsAre("copy a differs e-a", "copy c new ", "skip b same e-b",
                                          "stay d only in target e-d"));
}

TEST(a_plan, knows_a_listing_by_its_paths_etags_and_sizes) {
  const auto digest_of = [](const std::vector<Listed>& files) {
    ListingDigest digest;
    for (const Listed& file : files) digest.add(file);
    return digest.finish();
  };
  auto files = listed({{"a", "1"}, {"b", "2"}});
  const Digest before = digest_of(files);
  files[1].etag = "x";
  EXPECT_NE(digest_of(files), before);
  files[1].etag = "";
  EXPECT_EQ(digest_of(files), before);
  files[0].size = 9;
  EXPECT_NE(digest_of(files), before);
}

TEST(a_plan, refuses_a_name_that_comes_twice) {
  auto from = listed({{"a", "1"}});
  from.push_back(from[0]);
  EXPECT_THROW(make_plan(from, {}, {.strategy = Strategy::overwrite}), Error);
}

rc::Gen<Side> side_gen() {
  const auto path = rc::gen::map(rc::gen::inRange(0, 30), [](int n) { return "f" + std::to_string(n); });
  return rc::gen::container<Side>(path, rc::gen::element<std::string>("", "1", "22", "333"));
}

RC_GTEST_PROP(a_plan, keeps_its_strategys_promise_for_all_sides, ()) {
  const Side from = *side_gen();
  const Side to = *side_gen();
  Side merged = to;
  for (const auto& [path, content] : from) merged[path] = content;
  RC_ASSERT(after(from, to, Strategy::overwrite) == merged);
  RC_ASSERT(after(from, to, Strategy::mirror) == from);
  Side filled = from;
  for (const auto& [path, content] : to) filled[path] = content;
  RC_ASSERT(after(from, to, Strategy::no_overwrite) == filled);
}

RC_GTEST_PROP(a_plan, counts_every_source_file_once_and_does_nothing_twice, ()) {
  const Side from = *side_gen();
  const Side to = *side_gen();
  const auto strategy = *rc::gen::element(Strategy::overwrite, Strategy::no_overwrite, Strategy::mirror);
  const auto [plan, source_files, target_files] = make_plan(listed(from), listed(to), {.strategy = strategy});
  RC_ASSERT(plan.copy_files + plan.skip_files == from.size());
  const auto again = listed(performed(plan, source_files, target_files, from, to));
  RC_ASSERT(make_plan(listed(from), again, {.strategy = strategy}).plan.changes_nothing());
}

// The same table of plan.h, file by file, from nothing but the two sides.
Side modelled(const Side& from, const Side& to, Strategy strategy, const Filter& filter) {
  Side result = to;
  for (const auto& [path, content] : from)
    if (filter.takes(path) && (strategy != Strategy::no_overwrite || !to.contains(path))) result[path] = content;
  if (strategy == Strategy::mirror)
    for (const auto& [path, content] : to)
      if (filter.takes(path) && !from.contains(path)) result.erase(path);
  return result;
}

// Of names that may come more than once: the last counts.
rc::Gen<Side> side_of(const rc::Gen<std::string>& path, const rc::Gen<std::string>& content) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  return rc::gen::map(rc::gen::container<Pairs>(rc::gen::pair(path, content)),
                      [](const Pairs& pairs) { return Side(pairs.begin(), pairs.end()); });
}

// Few names in few directories, so that both sides and the patterns meet often; none is a file and a directory.
rc::Gen<Side> deep_side_gen() {
  const auto path = rc::gen::map(
      rc::gen::tuple(rc::gen::element<std::string>("", "d/", "d/e/", "f/"),
                     rc::gen::element<std::string>("a", "b.x", "c.x")),
      [](const std::tuple<std::string, std::string>& parts) { return std::get<0>(parts) + std::get<1>(parts); });
  return side_of(path, rc::gen::element<std::string>("", "1", "22"));
}

rc::Gen<std::vector<std::string>> patterns_gen() {
  return rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("a", "*.x", "/d/", "e/", "/*/", "d/**/a", "?.x", "/a", "[!c].x", "**/f/b.x"));
}

RC_GTEST_PROP(a_plan, with_filters_does_what_the_table_says_and_leaves_all_else_alone, ()) {
  const Side from = *deep_side_gen();
  const Side to = *deep_side_gen();
  const Filter filter(*patterns_gen(), *patterns_gen());
  const auto strategy = *rc::gen::element(Strategy::overwrite, Strategy::no_overwrite, Strategy::mirror);
  const auto [plan, source_files, target_files] =
      make_plan(listed(from), listed(to), {.strategy = strategy, .filter = filter});
  for (const size_t index : plan.deletes) RC_ASSERT(filter.takes(target_files[index].path.text()));
  RC_ASSERT(plan.conflicts.empty());
  RC_ASSERT(performed(plan, source_files, target_files, from, to) == modelled(from, to, strategy, filter));
}

// Names of few components, each of which may be a file on one side and a directory on the other.
rc::Gen<Side> clashing_side_gen() {
  const auto name = rc::gen::element<std::string>("a", "b");
  const auto names = rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(name));
  const auto path = rc::gen::map(rc::gen::resize(3, names), [](const std::vector<std::string>& parts) {
    std::string joined;
    for (const auto& one : parts) joined += (joined.empty() ? "" : "/") + one;
    return joined;
  });
  return side_of(path, rc::gen::element<std::string>("1", "2"));
}

bool is_tree(const Side& side) {
  for (const auto& [path, content] : side)
    for (size_t slash = path.rfind('/'); slash != path.npos; slash = path.substr(0, slash).rfind('/'))
      if (side.contains(path.substr(0, slash))) return false;
  return true;
}

RC_GTEST_PROP(a_plan, makes_a_tree_of_a_tree_whatever_the_source_is, ()) {
  const Side from = *clashing_side_gen();
  Side to = *clashing_side_gen();
  for (auto at = to.begin(); at != to.end();) {  // A tree.
    at = is_tree(to) ? ++at : to.erase(at);
  }
  RC_PRE(is_tree(to));
  const auto strategy = *rc::gen::element(Strategy::overwrite, Strategy::no_overwrite, Strategy::mirror);
  const Filter filter(*patterns_gen(), *patterns_gen());
  const auto [plan, source_files, target_files] =
      make_plan(listed(from), listed(to), {.strategy = strategy, .filter = filter});
  const Side after = performed(plan, source_files, target_files, from, to);
  RC_ASSERT(is_tree(after));
  uint64_t taken = 0;
  for (const auto& [path, content] : from) taken += filter.takes(path);
  RC_ASSERT(plan.copies.size() == plan.copy_files && plan.skips.size() == plan.skip_files);
  RC_ASSERT(plan.copy_files + plan.skip_files + plan.conflicts.size() == taken);
  for (const auto& [path, content] : to)  // Nothing outside the filter is touched.
    if (!filter.takes(path)) RC_ASSERT(after.contains(path) && after.at(path) == content);
}

}  // namespace
}  // namespace volary
