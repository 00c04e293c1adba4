// cli/landing_test.cc: names that somebody else chose stay below the directory, and files appear only whole.
#include "cli/landing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "cli/error_test.h"
#include "cli/program_test.h"

namespace volary {
namespace {

class LandingIn : public testing::Test {
 protected:
  LandingIn() {
    make_directories(scratch_.path("in"));
    scratch_.write("outside/secret", "secret");
  }

  void receive(const std::string& name, std::string_view content) {
    Arrival arrival = landing().begin(name, "");
    arrival.write(content);
    arrival.finish(false);
  }
  Landing landing() const { return Landing(scratch_.path("in")); }
  std::vector<std::string> all() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path("in")))
      names.push_back(entry.path().lexically_relative(scratch_.path("in")).native());
    std::sort(names.begin(), names.end());
    return names;
  }

  Scratch scratch_;
};

TEST_F(LandingIn, RefusesNamesThatLeadElsewhere) {
  const std::vector<std::string> hostile = {
      "..", "../x", "a/../../x", "/etc/x", "a//b", "a/./b", "", "a/", ".", "a/..", "x/../y", "../in2",
      std::string("a\0b", 3), std::string(256, 'n'), "d/" + std::string(5000, '/'),
      ".volary-part-0123456789abcdef01234567"};
  for (const std::string& name : hostile) {
    EXPECT_NE(error_of([&] { receive(name, "x"); }), "") << name;
    EXPECT_NE(error_of([&] { landing().make_directory(name); }), "") << name;
    EXPECT_NE(error_of([&] { landing().remove(name); }), "") << name;
  }
  EXPECT_EQ(error_of([&] { receive("a/../../x", "x"); }),
            "invalid: 'a/../../x' cannot be a file's name here: a part of it is empty, '.', '..' or reserved");
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "d/";
  EXPECT_NE(error_of([&] { receive(deep + "x", "x"); }), "");
  EXPECT_EQ(all(), std::vector<std::string>{});
  EXPECT_FALSE(is_present(scratch_.path("x")));
}

TEST_F(LandingIn, FollowsNoLinkBelow) {
  make_symlink(scratch_.path("outside").native(), scratch_.path("in/link"));
  make_symlink(scratch_.path("outside/secret").native(), scratch_.path("in/file"));
  EXPECT_EQ(error_of([&] { receive("link/secret", "mine"); }),
            "conflict: 'link/secret' cannot be below '" + scratch_.path("in").native() +
                "': 'link' is no directory there");
  EXPECT_FALSE(landing().has("link/secret"));
  landing().remove("link/secret");
  receive("file", "mine");  // Replaces the link, not what it points to.
  EXPECT_EQ(read_file(scratch_.path("in/file")), "mine");
  EXPECT_EQ(read_file(scratch_.path("outside/secret")), "secret");
}

TEST_F(LandingIn, GoesOnWithTheSameContentOnly) {
  { landing().begin("d/f", "one").write("abc"); }
  EXPECT_EQ(landing().begin("d/f", "two").bytes(), 0u);
  {
    Arrival arrival = landing().begin("d/f", "one");
    EXPECT_EQ(arrival.bytes(), 3u);
    EXPECT_EQ(error_of([&] { landing().begin("d/f", "one"); }),
              "conflict: '" + scratch_.path("in/d/f").native() + "' is being received by another process");
    EXPECT_FALSE(landing().has("d/f"));
    arrival.write("def");
    arrival.finish(true);
  }
  EXPECT_EQ(read_file(scratch_.path("in/d/f")), "abcdef");
  EXPECT_EQ(stat_of(scratch_.path("in/d/f"))->st_mode & 0100, 0100u);
  EXPECT_EQ(all(), (std::vector<std::string>{"d", "d/f"}));  // What had nothing left nothing.
}

TEST_F(LandingIn, BeginsAnewAfterTheMachineStopped) {
  { landing().begin("f", "one").write("abc"); }
  const std::string part = all().front();
  ASSERT_TRUE(is_unfinished(part)) << part;
  const struct timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, scratch_.path("in/" + part).c_str(), long_ago, 0), 0);
  EXPECT_EQ(landing().begin("f", "one").bytes(), 0u);
}

TEST_F(LandingIn, LeavesNothingWhereADirectoryStands) {
  make_directories(scratch_.path("in/d"));
  EXPECT_EQ(error_of([&] { receive("d", "x"); }),
            "conflict: there is a directory where '" + scratch_.path("in/d").native() + "' would be");
  EXPECT_EQ(all(), std::vector<std::string>{"d"});
}

TEST_F(LandingIn, RemovesTheDirectoriesThatItEmpties) {
  receive("a/b/c", "x");
  receive("a/d", "x");
  landing().remove("a/b/c");
  EXPECT_EQ(all(), (std::vector<std::string>{"a", "a/d"}));
  landing().remove("absent/x");
}

}  // namespace
}  // namespace volary
