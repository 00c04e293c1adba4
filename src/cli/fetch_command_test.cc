// cli/fetch_command_test.cc: `volary fetch` as a process: what it leaves, and what it leaves alone.
#include <unistd.h>

#include <cstdlib>

#include <gtest/gtest.h>

#include "cli/program_test.h"

namespace volary {
namespace {

class FetchWith : public testing::Test {
 protected:
  FetchWith() { make_directories(scratch_.path("tmp")); }

  Ran fetch(std::vector<std::string> words, Variables more = {}) {
    words.insert(words.begin(), "fetch");
    more["TMPDIR"] = scratch_.path("tmp").native();
    return run_volary(scratch_, std::move(words), std::move(more));
  }
  std::vector<std::string> temporary() const {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : list_directory(scratch_.path("tmp"))) names.push_back(entry.name);
    return names;
  }

  Scratch scratch_;
};

TEST_F(FetchWith, TheStandardOutputGetsTheFileAndNothingElse) {
  if (std::system("git --version > /dev/null") != 0) GTEST_SKIP() << "no git";
  const std::string at = scratch_.path("code").native();
  scratch_.write("code/a.txt", "hello\n");
  const std::string commit = "git init -q . && git add . && git -c user.name=x -c user.email=x commit -qm x";
  ASSERT_EQ(std::system(("cd '" + at + "' && " + commit + " && mv .git ../code.git").c_str()), 0);
  const std::string url = "file://" + at + ".git//a.txt";
  for (const std::string format : {"table", "json", "name"}) {
    const Ran ran = fetch({url, "-o", "-"}, {{"VOLARY_OUTPUT", format}});
    EXPECT_EQ(ran.out, "hello\n") << format;
    EXPECT_EQ(ran.err, "1 fetched (6 B)\n") << format;
  }
  const Ran both = fetch({url, "-o", "-", "-j"});
  EXPECT_EQ(both.err, "volary: invalid: the file itself goes to the standard output: expected no --json with it\n");
  EXPECT_EQ(both.out, "");
}

TEST_F(FetchWith, ARepositorySweepsWhatIsItsUsersOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory to somebody else";
  scratch_.write("tmp/volary-fetch-mine/lock", "");
  scratch_.write("tmp/volary-fetch-theirs/lock", "");
  const Path trap = scratch_.path("tmp/volary-fetch-trap");
  make_directories(trap);
  make_symlink(scratch_.path("made").native(), trap / "lock");
  for (const std::string name : {"theirs", "theirs/lock", "trap"})
    ASSERT_EQ(::chown(scratch_.path("tmp/volary-fetch-" + name).c_str(), 12345, 12345), 0);
  const std::vector<std::string> all = temporary();

  EXPECT_NE(fetch({"http://127.0.0.1:1/x"}).code, 0);
  EXPECT_EQ(temporary(), all);  // Only a repository needs a directory.
  EXPECT_NE(fetch({"file:///nonexistent/code.git", "-o", scratch_.path("out").native()}).code, 0);
  EXPECT_EQ(temporary(), (std::vector<std::string>{"volary-fetch-theirs", "volary-fetch-trap"}));
  EXPECT_FALSE(is_present(scratch_.path("made")));
}

}  // namespace
}  // namespace volary
