// core/tree_path_test.cc: which texts name a file in a volume, and how they are refused.
#include "core/tree_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

std::string refusal(const std::string& text) {
  return error_of([&] { TreePath::parse(text); });
}

TEST(TreePath, takes_any_utf8_name) {
  for (const char* text : {"a", "a/b", "…", "é/e\xcc\x81", "a b", "C:\\x", "...", ".hidden", "-rf",
                           "\xf0\x9f\x98\x80", "~"})
    EXPECT_EQ(TreePath::parse(text).text(), text);
  EXPECT_EQ(TreePath::parse(std::string(255, 'x')).text().size(), 255u);
}

TEST(TreePath, refuses_what_could_lead_elsewhere) {
  EXPECT_EQ(refusal(""), "invalid: '' cannot name a file in a volume: it is empty");
  EXPECT_EQ(refusal("/etc"),
            "invalid: '/etc' cannot name a file in a volume: it begins with '/': expected a name relative to the "
            "volume");
  EXPECT_EQ(refusal("a/"),
            "invalid: 'a/' cannot name a file in a volume: it ends with '/': expected the name of a file");
  EXPECT_EQ(refusal("a/../b"), "invalid: 'a/../b' cannot name a file in a volume: '..' is not a name here");
  EXPECT_EQ(refusal("./a"), "invalid: './a' cannot name a file in a volume: '.' is not a name here");
  EXPECT_EQ(refusal("a//b"),
            "invalid: 'a//b' cannot name a file in a volume: it has an empty component; expected names separated by "
            "single '/'");
}

TEST(TreePath, refuses_what_no_terminal_should_show) {
  EXPECT_EQ(refusal("a\x1b[2J"), "invalid: 'a\\x1b[2J' cannot name a file in a volume: it has a control character");
  EXPECT_EQ(refusal("a\x7f"), "invalid: 'a\\x7f' cannot name a file in a volume: it has a control character");
  EXPECT_EQ(refusal(std::string("a\0b", 3)),
            "invalid: 'a\\x00b' cannot name a file in a volume: it has a control character");
  EXPECT_EQ(refusal("\xff"), "invalid: '\\xff' cannot name a file in a volume: its bytes are not UTF-8");
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf8\x88\x80\x80\x80"})
    EXPECT_THAT(refusal(bad), testing::EndsWith("its bytes are not UTF-8")) << printable(bad);
}

TEST(TreePath, refuses_a_byte_wherever_it_stands) {
  for (size_t size = 1; size < 20; ++size)
    for (size_t at = 0; at < size; ++at)
      for (int byte = 0; byte < 256; ++byte) {
        std::string name(size, 'x');
        name[at] = static_cast<char>(byte);
        const bool is_fine = byte >= ' ' && byte < 0x7f && byte != '/' && name != ".";
        ASSERT_EQ(flaw_of_component(name).empty(), is_fine) << byte << " at " << at << " of " << size;
      }
}

TEST(TreePath, has_limits) {
  EXPECT_THAT(refusal(std::string(256, 'x')), testing::EndsWith("a component has 256 bytes: expected at most 255"));
  std::string deep = "a";
  while (deep.size() < 4096) deep += "/a";
  EXPECT_THAT(refusal(deep), testing::EndsWith("it has 4097 bytes: expected at most 4096"));
  const TreePath longest = TreePath::parse(deep.substr(0, 4095));
  EXPECT_THAT(error_of([&] { longest.child("b"); }), testing::EndsWith("it has 4097 bytes: expected at most 4096"));
}

TEST(TreePath, of_a_directory_forgives_outer_slashes) {
  EXPECT_TRUE(TreePath::parse_directory("").is_root());
  EXPECT_TRUE(TreePath::parse_directory("/").is_root());
  EXPECT_EQ(TreePath::parse_directory("/a/b/").text(), "a/b");
}

TEST(TreePath, is_taken_apart_and_put_together) {
  const TreePath path = TreePath::parse("a/b/c");
  EXPECT_EQ(path.name(), "c");
  EXPECT_EQ(path.parent().text(), "a/b");
  EXPECT_TRUE(TreePath::parse("a").parent().is_root());
  EXPECT_TRUE(TreePath().parent().is_root());
  EXPECT_THAT(path.components(), testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(TreePath().components(), testing::IsEmpty());
  EXPECT_EQ((TreePath() / path), path);
  EXPECT_EQ((path / TreePath()), path);
  EXPECT_EQ(path.parent().child("c"), path);
  EXPECT_EQ(TreePath().child("a").text(), "a");
}

TEST(TreePath, knows_what_it_is_within) {
  const TreePath a = TreePath::parse("a");
  EXPECT_TRUE(TreePath::parse("a/b").is_within(a));
  EXPECT_TRUE(a.is_within(a));
  EXPECT_TRUE(a.is_within(TreePath()));
  EXPECT_FALSE(TreePath::parse("ab").is_within(a));
  EXPECT_FALSE(a.is_within(TreePath::parse("a/b")));
  EXPECT_EQ(TreePath::parse("a/b").relative_to(a).text(), "b");
  EXPECT_TRUE(a.relative_to(a).is_root());
}

RC_GTEST_PROP(TreePathProperty, any_text_is_refused_or_comes_back_as_it_was, (const std::string& text)) {
  std::string found;
  const std::string error = error_of([&] {
    const TreePath path = TreePath::parse(text);
    TreePath joined;
    for (const auto part : path.components()) joined = joined.child(part);
    found = joined.text();
  });
  if (error == "no error") RC_ASSERT(found == text);
  else RC_ASSERT(error.starts_with("invalid: "));
}

}  // namespace
}  // namespace volary
