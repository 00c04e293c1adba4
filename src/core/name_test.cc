// core/name_test.cc: the names people may give.
#include "core/name.h"

#include <gtest/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(Name, takes_the_plain_ones) {
  for (const char* text : {"a", "0", "wiki-en", "a.b_c-d", "v1.2"}) EXPECT_EQ(Name::parse(text, "volume").text(), text);
  EXPECT_EQ(Name::parse(std::string(63, 'a'), "volume").text().size(), 63u);
}

TEST(Name, refuses_all_others_and_says_what_is_expected) {
  EXPECT_EQ(error_of([] { Name::parse("A b", "volume"); }),
            "invalid: 'A b' is no name for a volume: expected 1 to 63 of a-z, 0-9, '-', '.', '_', beginning and ending "
            "with a letter or digit");
  for (const std::string text : {"", "-a", "a-", ".", "..", "a/b", "é", "a\n", "A"})
    EXPECT_NE(error_of([&] { Name::parse(text, "volume"); }), "no error") << text;
  EXPECT_NE(error_of([&] { Name::parse(std::string(64, 'a'), "volume"); }), "no error");
}

}  // namespace
}  // namespace volary
