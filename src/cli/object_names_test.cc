// cli/object_names_test.cc: what files become as objects, containers in each spelling, and the older words.
#include "cli/object_names.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"
#include "cli/object_options.h"

namespace volary {
namespace {

TEST(ObjectNames, AreThePathsAsGiven) {
  EXPECT_EQ(object_name_of("/tmp/d/f"), "tmp/d/f");
  EXPECT_EQ(object_name_of("./f"), "f");
  EXPECT_EQ(object_name_of("a//b/../c"), "a/c");
  EXPECT_EQ(object_name_of("../../d/f"), "d/f");
  EXPECT_EQ(object_name_of("d/"), "d/");
  EXPECT_EQ(object_name_of("."), "");
  EXPECT_EQ(object_name_of(".."), "");
  EXPECT_EQ(object_name_of("/"), "");
}

TEST(ObjectNames, LoseOnePrefixAndGetAnother) {
  EXPECT_EQ(renamed("srv/sets/a", {"srv/sets", "raw/"}), "raw/a");
  EXPECT_EQ(renamed("srv/sets/a", {"/srv/sets/", ""}), "a");
  EXPECT_EQ(renamed("srv/sets/a", {"other", "x-"}), "x-srv/sets/a");
  EXPECT_EQ(renamed("abc", {"ab", ""}), "c");
}

std::string place(std::string_view text) {
  const ContainerPlace found = parse_container_place(text);
  return found.datastore + "|" + found.container + "|" + found.prefix;
}

TEST(Containers, AreNamedInSeveralWays) {
  EXPECT_EQ(place("data@gra"), "gra|data|");
  EXPECT_EQ(place("data@GRA/"), "gra|data|");
  EXPECT_EQ(place("data@GRA/train/x"), "gra|data|train/x");
  EXPECT_EQ(place("gra:data/train/x"), "gra|data|train/x");
}

TEST(Containers, AreRefusedWithoutOne) {
  for (const std::string text : {"data", "", "gra:", "gra:/x", "@gra"})
    EXPECT_NE(error_of([&] { parse_container_place(text); }), "") << text;
  EXPECT_EQ(error_of([] { parse_container_place("data"); }),
            "invalid: 'data' names no container: expected CONTAINER@ALIAS, such as 'data@gra'");
}

TEST(Trash, IsAContainerAndADirectoryInIt) {
  EXPECT_EQ(parse_trash_place("bin").directory, "");
  EXPECT_EQ(parse_trash_place("/bin/a/b/").container, "bin");
  EXPECT_EQ(parse_trash_place("/bin/a/b/").directory, "a/b/");
  EXPECT_EQ(error_of([] { parse_trash_place("/"); }),
            "invalid: '/' is no value for --trash: expected CONTAINER/DIRECTORY");
}

TEST(OlderWords, SayTheSame) {
  EXPECT_EQ(in_older_words("volary bucket object upload data@gra a b -r x"), "volary data upload gra data a b -r x");
  EXPECT_EQ(in_older_words("volary bucket object ls data@gra\nvolary bucket object ls data@gra -p x"),
            "volary data ls gra data\nvolary data ls gra data -p x");
}

TEST(Workers, AreAsManyAsTold) {
  EXPECT_EQ(workers_of({}), 8u);
  EXPECT_EQ(workers_of("64"), 64u);
  for (const std::string text : {"0", "65", "-1", "many", ""})
    EXPECT_NE(error_of([&] { workers_of(text); }), "") << text;
}

}  // namespace
}  // namespace volary
