// engine/log_pieces_test.cc: from where on a log is read.
#include "engine/log_pieces.h"

#include <gtest/gtest.h>

#include "engine/log_writer.h"
#include "engine/runs_test.h"

namespace volary {
namespace {

const Time noon = parse_time("2026-11-20T12:00:00Z");
constexpr uint64_t line_bytes = 28 + 3;  // "TIME 07\n"

class LogPieces : public ::testing::Test {
 protected:
  // Lines "00", "01", …: one a second since noon.
  void write(int lines, uint64_t bytes_max) {
    LogWriter log(path_, bytes_max);
    for (int i = 0; i < lines; ++i) log.take(fmt::format("{:02}\n", i), noon.plus_seconds(i));
  }
  uint64_t start(std::optional<int64_t> second, std::optional<uint64_t> lines) const {
    LogWish wish{.since = std::nullopt, .lines = lines};
    if (second) wish.since = noon.plus_seconds(*second);
    return find_log_start(path_, wish);
  }

  testing::Scratch scratch_;
  const Path path_ = scratch_.path() / "log";
};

TEST_F(LogPieces, are_searched_for_a_time_and_for_the_last_lines) {
  write(40, 8 * 5 * line_bytes);  // Five lines a piece.
  EXPECT_EQ(start({}, {}), 0u);
  for (const int second : {0, 1, 4, 5, 6, 17, 39}) EXPECT_EQ(start(second, {}), second * line_bytes);
  EXPECT_EQ(start(-5, {}), 0u);
  EXPECT_EQ(start(40, {}), 40 * line_bytes);
  for (const uint64_t lines : {1, 2, 5, 6, 39}) EXPECT_EQ(start({}, lines), (40 - lines) * line_bytes);
  EXPECT_EQ(start({}, 40), 0u);
  EXPECT_EQ(start({}, 100), 0u);
  EXPECT_EQ(start(30, 3), 37 * line_bytes);
  EXPECT_EQ(start(38, 3), 38 * line_bytes);
}

TEST_F(LogPieces, are_asked_for_from_the_start_where_more_is_wished_for_than_is_kept) {
  write(50, 8 * 5 * line_bytes);
  const uint64_t first = find_log_pieces(path_).front().start;
  EXPECT_EQ(first, 10 * line_bytes);
  EXPECT_EQ(start(3, {}), 0u);
  EXPECT_EQ(start({}, 45), 0u);
  EXPECT_EQ(start(10, 5), 45 * line_bytes);
}

TEST_F(LogPieces, are_searched_from_the_first_late_line_on_though_the_clock_was_set_back) {
  write(20, 8 * 5 * line_bytes);
  EXPECT_EQ(last_log_time(path_), noon.plus_seconds(19));
  write(10, 8 * 5 * line_bytes);
  EXPECT_EQ(start(8, {}), 8 * line_bytes);
  EXPECT_EQ(start(17, {}), 17 * line_bytes);
  EXPECT_EQ(last_log_time(path_), noon.plus_seconds(9));
}

TEST_F(LogPieces, say_what_was_dropped_where_the_place_asked_for_stays_before_that) {
  write(50, 8 * 5 * line_bytes);
  const uint64_t first = find_log_pieces(path_).front().start;
  ASSERT_GT(first, 100u);
  const LogText told = read_log_and_notice(path_, 10, 2 * line_bytes);
  const std::string notice = fmt::format("2026-11-20T12:00:10.000000Z [volary: {} bytes of the log before this line "
                                         "were dropped: it is full]\n", first - 10);
  EXPECT_EQ(told.text, notice + "2026-11-20T12:00:10.000000Z 10\n2026-11-20T12:00:11.000000Z 11\n");
  EXPECT_EQ(told.end(), first + 2 * line_bytes);
  EXPECT_EQ(read_log_and_notice(path_, first - notice.size(), line_bytes).offset, first - notice.size());
  for (const uint64_t place : {first - notice.size() + 1, first - 1, first}) {
    const LogText silent = read_log_and_notice(path_, place, line_bytes);
    EXPECT_EQ(silent.offset, first);
    EXPECT_EQ(silent.text, "2026-11-20T12:00:10.000000Z 10\n");
  }
  const LogText none = read_log_and_notice(path_, 50 * line_bytes, 9);
  EXPECT_EQ(none.offset, 50 * line_bytes);
  EXPECT_EQ(none.text, "");
}

TEST_F(LogPieces, may_be_none) {
  EXPECT_EQ(start(3, 3), 0u);
  EXPECT_EQ(log_end(path_), 0u);
  EXPECT_EQ(last_log_time(path_), std::nullopt);
  EXPECT_EQ(read_log(path_, 7, 10).text, "");
}

TEST_F(LogPieces, end_in_a_line_that_has_not_ended) {
  write(3, 1 << 20);
  write_all(open_to_append(path_).get(), "half", path_);
  EXPECT_EQ(start({}, 1), 3 * line_bytes);
  EXPECT_EQ(start({}, 2), 2 * line_bytes);
  EXPECT_EQ(last_log_time(path_), noon.plus_seconds(2));
}

}  // namespace
}  // namespace volary
