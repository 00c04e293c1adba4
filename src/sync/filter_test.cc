// sync/filter_test.cc: the grammar of sync/filter.h, by example, and against a slow and simple matcher.
#include "sync/filter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"

namespace volary {
namespace {

bool excludes(const std::string& pattern, const std::string& path) { return !Filter({}, {pattern}).takes(path); }

std::string refusal(const std::string& pattern) {
  try {
    Filter({pattern}, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(a_filter, takes_all_without_patterns_and_else_what_is_included_and_not_excluded) {
  EXPECT_TRUE(Filter().takes("a"));
  const Filter filter({"*.txt", "/d/"}, {"draft*"});
  EXPECT_TRUE(filter.takes("x/y.txt"));
  EXPECT_TRUE(filter.takes("d/anything"));
  EXPECT_FALSE(filter.takes("d/draft-1"));
  EXPECT_FALSE(filter.takes("drafts/a.txt"));
  EXPECT_FALSE(filter.takes("x/y.bin"));
}

TEST(a_filter, finds_a_name_in_any_directory_unless_it_is_anchored) {
  EXPECT_TRUE(excludes("a", "a"));
  EXPECT_TRUE(excludes("a", "x/y/a"));
  EXPECT_TRUE(excludes("/a", "a"));
  EXPECT_FALSE(excludes("/a", "x/a"));
  EXPECT_TRUE(excludes("x/a", "y/x/a"));
  EXPECT_FALSE(excludes("/x/a", "y/x/a"));
  EXPECT_FALSE(excludes("a", "ab"));
  EXPECT_FALSE(excludes("a", "A"));
}

TEST(a_filter, means_all_below_a_directory_and_with_a_slash_directories_only) {
  EXPECT_TRUE(excludes(".git", ".git/config"));
  EXPECT_TRUE(excludes(".git", "sub/.git/objects/ab"));
  EXPECT_TRUE(excludes("logs/", "x/logs/1"));
  EXPECT_FALSE(excludes("logs/", "x/logs"));
  EXPECT_TRUE(excludes("/*/", "d/a"));
  EXPECT_FALSE(excludes("/*/", "a"));
}

TEST(a_filter, knows_stars_question_marks_and_classes) {
  EXPECT_TRUE(excludes("/a*c", "abbc"));
  EXPECT_FALSE(excludes("/a*c", "ab/c"));
  EXPECT_TRUE(excludes("/a/**/c", "a/c"));
  EXPECT_TRUE(excludes("/a/**/c", "a/x/y/c"));
  EXPECT_FALSE(excludes("/a/**/c", "b/a/c"));
  EXPECT_TRUE(excludes("/a/**", "a/b"));
  EXPECT_FALSE(excludes("/a/**", "a"));
  EXPECT_TRUE(excludes("**", "a"));
  EXPECT_TRUE(excludes("/?", "ä"));
  EXPECT_FALSE(excludes("/?", "ab"));
  EXPECT_TRUE(excludes("/part-[0-9][0-9]", "part-07"));
  EXPECT_FALSE(excludes("/part-[0-9]", "part-x"));
  EXPECT_TRUE(excludes("/[!0-9]", "x"));
  EXPECT_FALSE(excludes("/[^0-9]", "7"));
  EXPECT_TRUE(excludes("/[]x]", "]"));
  EXPECT_TRUE(excludes("/[a-]", "-"));
  EXPECT_TRUE(excludes("/[ä-ü]", "ö"));
  EXPECT_TRUE(excludes("/a\\*", "a*"));
  EXPECT_FALSE(excludes("/a\\*", "ab"));
  EXPECT_TRUE(excludes("/\\[a]", "[a]"));
  EXPECT_TRUE(excludes("!a", "!a"));
  EXPECT_TRUE(excludes("/*", "bad\xff"));
}

TEST(a_filter, refuses_what_can_match_nothing_and_says_why) {
  EXPECT_EQ(refusal(""), "invalid: '' is no pattern: it names nothing");
  EXPECT_EQ(refusal("/"), "invalid: '/' is no pattern: it names nothing");
  EXPECT_EQ(refusal("a//b"), "invalid: 'a//b' is no pattern: it has nothing between two '/'");
  EXPECT_EQ(refusal("a/../b"), "invalid: 'a/../b' is no pattern: no file's path has '..'");
  EXPECT_EQ(refusal("[a"),
            "invalid: '[a' is no pattern: a '[' has no ']'; a '[' that is a name's own is written '\\['");
  EXPECT_EQ(refusal("[z-a]"), "invalid: '[z-a]' is no pattern: a range goes from a later character to an earlier one");
  EXPECT_EQ(refusal("a\\"), "invalid: 'a\\' is no pattern: nothing follows a '\\'");
  EXPECT_EQ(refusal("\xff"), "invalid: '\\xff' is no pattern: its bytes are not UTF-8");
  EXPECT_EQ(refusal(std::string(5000, 'a')).substr(64 + 10),
            "' is no pattern: it has 5000 bytes: expected at most 4096");
}

TEST(a_filter, is_quick_with_patterns_that_are_made_to_be_slow) {
  std::string stars, deep, path;
  for (int i = 0; i < 60; ++i) stars += "*a";
  for (int i = 0; i < 60; ++i) deep += "**/a/";
  for (int i = 0; i < 2000; ++i) path += "a/";
  EXPECT_FALSE(excludes("/" + stars + "b", std::string(255, 'a')));
  EXPECT_FALSE(excludes("/" + deep + "b", path + "c"));
}

// Whether the pattern's parts match the components, by trying everything. Parts are of "*", "?" and letters.
bool name_matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*')
    return name_matches(pattern.substr(1), name) || (!name.empty() && name_matches(pattern, name.substr(1)));
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) &&
         name_matches(pattern.substr(1), name.substr(1));
}
using Names = std::vector<std::string>;
bool path_matches(const Names& pattern, size_t p, const Names& path, size_t n) {
  if (p == pattern.size()) return n == path.size();
  if (pattern[p] == "**")
    return path_matches(pattern, p + 1, path, n) || (n < path.size() && path_matches(pattern, p, path, n + 1));
  return n < path.size() && name_matches(pattern[p], path[n]) && path_matches(pattern, p + 1, path, n + 1);
}

std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "/") + name;
  return text;
}

RC_GTEST_PROP(a_filter, agrees_with_trying_everything, ()) {
  const Names path = *rc::gen::resize(5, rc::gen::nonEmpty(rc::gen::container<Names>(
                                             rc::gen::element<std::string>("a", "b", "ab", "ba", "aab"))));
  Names pattern = *rc::gen::resize(5, rc::gen::nonEmpty(rc::gen::container<Names>(rc::gen::element<std::string>(
                                          "a", "b", "*", "?", "a*", "*b", "?*a", "**"))));
  const bool anchored = *rc::gen::arbitrary<bool>();
  const bool directory = *rc::gen::arbitrary<bool>();
  const std::string text = (anchored ? "/" : "") + joined(pattern) + (directory ? "/" : "");
  if (!anchored) pattern.insert(pattern.begin(), "**");
  bool expected = false;  // The file itself, or a directory above it.
  for (size_t length = 1; length <= path.size(); ++length) {
    if (length == path.size() && (directory || pattern.back() == "**")) {
      // "**" at the end is what lies below: at least one name more than what stands before it.
      if (directory) break;
      Names below = pattern;
      below.insert(below.end() - 1, "*");
      expected = expected || path_matches(below, 0, path, 0);
      break;
    }
    if (pattern.back() == "**") {
      Names below = pattern;
      below.insert(below.end() - 1, "*");
      expected = expected || path_matches(below, 0, Names(path.begin(), path.begin() + static_cast<long>(length)), 0);
      continue;
    }
    expected = expected || path_matches(pattern, 0, Names(path.begin(), path.begin() + static_cast<long>(length)), 0);
  }
  RC_ASSERT(excludes(text, joined(path)) == expected);
}

}  // namespace
}  // namespace volary
