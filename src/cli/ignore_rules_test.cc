// cli/ignore_rules_test.cc: the language of .gitignore, held against git's own reading of it.
#include "cli/ignore_rules.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "cli/program_test.h"

namespace volary {
namespace {

bool ignores(std::string_view rules, std::string_view path) {
  const bool is_directory = path.ends_with('/');
  if (is_directory) path.remove_suffix(1);
  return IgnoreRules(rules).ignores(path, is_directory ? NodeKind::directory : NodeKind::file);
}

TEST(IgnoreRules, TakeTheLastLineThatMatches) {
  EXPECT_TRUE(ignores("*.log\n!keep.log\n", "a.log"));
  EXPECT_FALSE(ignores("*.log\n!keep.log\n", "deep/keep.log"));
  EXPECT_TRUE(ignores("!keep.log\n*.log\n", "keep.log"));
  EXPECT_FALSE(ignores("", "a"));
}

TEST(IgnoreRules, KnowCommentsEscapesAndBlanks) {
  EXPECT_FALSE(ignores("# a\n\n   \n", "a"));
  EXPECT_TRUE(ignores("\\#a\r\n", "#a"));
  EXPECT_TRUE(ignores("\\!a", "!a"));
  EXPECT_TRUE(ignores("a  ", "a"));
  EXPECT_TRUE(ignores("a\\ ", "a "));
}

// Each pattern against each path, as `git check-ignore` sees them.
TEST(IgnoreRules, AgreeWithGit) {
  if (std::system("git --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no git here";
  const std::vector<std::string> patterns = {
      "a", "/a", "a/", "a/b", "/a/b", "**/b", "a/**", "a/**/c", "*", "*.x", "b/*.x", "?", "[ab]", "[!a]", "a*/b", "**",
      "/**/c/", "b/", "*/c", "a/*/c", "\\*", ".*", "**/b/**", "A"};
  const std::vector<std::string> paths = {"a",     "b",       "c",     "a.x", "b/a.x", "a/b",  "b/a",
                                          "a/b/c", "a/q/r/c", "d/a/b", ".h",  "*",     "b/c/d"};
  const Scratch scratch;
  const std::string in_tree = "cd '" + scratch.path().native() + "' && git ";
  ASSERT_EQ(std::system((in_tree + "init -q .").c_str()), 0);
  std::string asked;
  for (const std::string& path : paths) asked += path + '\0';
  scratch.write("paths", asked);
  size_t ignored = 0;
  for (const std::string& pattern : patterns) {
    scratch.write(".gitignore", pattern + "\n");
    ASSERT_NE(std::system((in_tree + "check-ignore --no-index --stdin -z < paths > answer").c_str()), -1);
    const std::string answer = '\0' + read_file(scratch.path("answer"));
    for (const std::string& path : paths) {
      bool ours = ignores(pattern, path);
      for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
        ours = ours || ignores(pattern, path.substr(0, slash + 1));
      const bool git = answer.find('\0' + path + '\0') != std::string::npos;
      EXPECT_EQ(ours, git) << "pattern '" << pattern << "' and path '" << path << "'";
      ignored += git;
    }
  }
  EXPECT_GT(ignored, paths.size());
}

}  // namespace
}  // namespace volary
