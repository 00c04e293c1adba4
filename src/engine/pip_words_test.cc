// engine/pip_words_test.cc: which of pip's words are told.
#include "engine/pip_words.h"

#include <gtest/gtest.h>

namespace volary {
namespace {

TEST(what_pip_said, is_its_errors_and_without_any_its_last_line) {
  PipWords words;
  words.take("Collecting a\nERROR: No matching dist");
  words.take("ribution\nWARNING: old\nERROR: gone\n\n");
  EXPECT_EQ(words.text(), "No matching distribution; gone");
  PipWords others;
  others.take("Collecting a\nKilled");
  EXPECT_EQ(others.text(), "Killed");
  EXPECT_FALSE(others.lacks_pip());
  others.take("python3: No module named pip\n");
  EXPECT_TRUE(others.lacks_pip());
}

TEST(what_pip_said, is_short_however_much_that_was) {
  const std::string block(1 << 20, 'x');
  PipWords words;
  for (int i = 0; i < 8; ++i) words.take(block);
  EXPECT_EQ(words.text(), std::string(2000, 'x'));
  for (int i = 0; i < 1000; ++i) words.take("ERROR: again and again\n");
  EXPECT_EQ(words.text().size(), 2000u);
  words.take("ERROR: " + block + "\n");
  EXPECT_EQ(words.text().size(), 2000u);
}

}  // namespace
}  // namespace volary
