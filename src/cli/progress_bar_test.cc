// cli/progress_bar_test.cc: what is shown of long work, by a clock that the test moves.
#include "cli/progress_bar.h"

#include <gtest/gtest.h>

namespace volary {
namespace {

constexpr uint64_t gib = 1ull << 30;
constexpr Amounts half = {.files_done = 12, .files_total = 24, .bytes_done = gib, .bytes_total = 2 * gib};

TEST(BarLine, HasBarFilesBytesRateAndTimeLeft) {
  EXPECT_EQ(bar_line(half, 128.0 * (1 << 20), 120),
            "[============>           ]  50%  12/24 files  1.00 GiB/2.00 GiB  128 MiB/s  8s left");
  EXPECT_EQ(bar_line({.files_done = 24, .files_total = 24, .bytes_done = gib, .bytes_total = gib}, 1e6, 120),
            "[========================] 100%  24/24 files  1.00 GiB/1.00 GiB  977 KiB/s");
}

TEST(BarLine, FitsIntoTheTerminal) {
  EXPECT_EQ(bar_line(half, 128.0 * (1 << 20), 50), "[======>     ]  50%  12/24 files  128 MiB/s");
  EXPECT_EQ(bar_line(half, 128.0 * (1 << 20), 80),
            "[======>     ]  50%  12/24 files  1.00 GiB/2.00 GiB  128 MiB/s  8s left");
  for (size_t columns = 1; columns < 100; ++columns) EXPECT_LT(bar_line(half, 1e6, columns).size(), columns);
}

TEST(BarLine, GuessesNothingWithoutATotal) {
  EXPECT_EQ(bar_line({}, 0, 120), "[........................]  looking at what there is");
  const std::string line =
      bar_line({.files_done = 3, .files_total = 0, .bytes_done = 2048, .bytes_total = 0}, 1024, 120);
  EXPECT_EQ(line, "[........................]  3 files  2.00 KiB  1.00 KiB/s");
}

TEST(Sentence, SaysTheSame) {
  EXPECT_EQ(sentence(half, 128.0 * (1 << 20)), "12 of 24 files, 1.00 GiB of 2.00 GiB (50%), 128 MiB/s, 8s left");
  EXPECT_EQ(sentence({}, 0), "looking at what there is");
  EXPECT_EQ(sentence({.files_done = 3, .files_total = 12, .bytes_done = 0, .bytes_total = 0}, 0),
            "3 of 12 files, 0 B of 0 B (25%)");
}

class Shown : public testing::Test {
 protected:
  ProgressBar::Options options(ProgressBar::Kind kind) {
    return {.kind = kind, .columns = 100, .seconds_between = 5, .now = [this] { return now_; },
            .print = [this](std::string_view text) { text_ += text; }};
  }
  double now_ = 100;
  std::string text_;
};

TEST_F(Shown, WithoutATerminalItIsALineEveryFiveSeconds) {
  ProgressBar bar("import", options(ProgressBar::Kind::sentences));
  for (uint64_t i = 0; i <= 12; ++i, now_ += 1)
    bar.show({.files_done = i, .files_total = 20, .bytes_done = i << 20, .bytes_total = 20 << 20});
  EXPECT_EQ(text_,
            "import: 5 of 20 files, 5.00 MiB of 20.0 MiB (25%), 1.00 MiB/s, 15s left\n"
            "import: 10 of 20 files, 10.0 MiB of 20.0 MiB (50%), 1.00 MiB/s, 10s left\n");
}

TEST_F(Shown, OnATerminalItIsDrawnOverItselfAndTakenAway) {
  {
    ProgressBar bar("import", options(ProgressBar::Kind::bar));
    bar.show(half);
    bar.show(half);  // At the same moment: not drawn again.
  }
  EXPECT_EQ(text_, "\r\x1b[K[============>           ]  50%  12/24 files  1.00 GiB/2.00 GiB  0 B/s\r\x1b[K");
}

TEST_F(Shown, TheRateIsThatOfTheLastSeconds) {
  ProgressBar bar("import", options(ProgressBar::Kind::sentences));
  for (uint64_t i = 0; i < 40; ++i, now_ += 1)  // A quick start that soon does not count any more.
    bar.show({.files_done = 0, .files_total = 1, .bytes_done = (100 + i) << 20, .bytes_total = 200 << 20});
  EXPECT_NE(text_.rfind("1.00 MiB/s"), std::string::npos);
}

}  // namespace
}  // namespace volary
