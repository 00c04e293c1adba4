// cli/fetch_command_test.cc: `volary fetch` as a process: what it leaves, and what it leaves alone.
#include <unistd.h>

#include <gtest/gtest.h>

#include "cli/program_test.h"

namespace volary {
namespace {

class FetchWith : public testing::Test {
 protected:
  FetchWith() { make_directories(scratch_.path("tmp")); }

  Ran fetch(std::vector<std::string> words) {
    words.insert(words.begin(), "fetch");
    return run_volary(scratch_, std::move(words), {{"TMPDIR", scratch_.path("tmp").native()}});
  }
  std::vector<std::string> temporary() const {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : list_directory(scratch_.path("tmp"))) names.push_back(entry.name);
    return names;
  }

  Scratch scratch_;
};

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
