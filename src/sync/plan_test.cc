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
    file.key = path;
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
  auto source = listed(source_side);
  auto target = listed(target_side);
  const Plan plan = make_plan(source, target, strategy);
  return performed(plan, source, target, source_side, target_side);
}

std::string error_of(const Side& source_side, const Side& target_side, Strategy strategy) {
  auto source = listed(source_side);
  auto target = listed(target_side);
  try {
    make_plan(source, target, strategy);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
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
  EXPECT_EQ(make_plan(from, to, Strategy::overwrite).copies.size(), 1u);
}

TEST(a_plan, counts_bytes) {
  auto from = listed({{"a", "12345"}, {"b", "12"}});
  auto to = listed({{"a", "123"}, {"c", "1"}});
  const Plan plan = make_plan(from, to, Strategy::mirror);
  EXPECT_EQ(plan.copy_bytes, 7u);
  EXPECT_EQ(plan.replaced_bytes, 3u);
  EXPECT_EQ(plan.delete_bytes, 1u);
  const PlanView view = view_of(plan, from, to, 2);
  EXPECT_EQ(view.copies, 2u);
  EXPECT_EQ(view.items.size(), 2u);
  EXPECT_EQ(view.items[0].reason, "differs");
}

TEST(a_plan, refuses_a_name_that_is_a_file_and_a_directory) {
  EXPECT_EQ(error_of({{"a", "1"}, {"a/b", "2"}}, {}, Strategy::overwrite),
            "invalid: 'a' is both a file and the directory of 'a/b': expected every name to be one or the other");
  EXPECT_EQ(error_of({{"a/b/c", "1"}}, {{"a", "2"}}, Strategy::overwrite),
            "invalid: 'a' is both a file and the directory of 'a/b/c': expected every name to be one or the other");
  EXPECT_EQ(error_of({{"a/b/c", "1"}}, {{"a", "2"}}, Strategy::mirror), "");
}

TEST(a_plan, refuses_a_name_that_comes_twice) {
  auto from = listed({{"a", "1"}});
  from.push_back(from[0]);
  std::vector<Listed> to;
  EXPECT_THROW(make_plan(from, to, Strategy::overwrite), Error);
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
  auto source_files = listed(from);
  auto target_files = listed(to);
  const Plan plan = make_plan(source_files, target_files, strategy);
  RC_ASSERT(plan.copies.size() + plan.skips.size() == from.size());
  auto again = listed(performed(plan, source_files, target_files, from, to));
  RC_ASSERT(make_plan(source_files, again, strategy).changes_nothing());
}

}  // namespace
}  // namespace volary
