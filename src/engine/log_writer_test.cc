// engine/log_writer_test.cc: lines, splits, and disks that refuse.
#include "engine/log_writer.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "engine/runs_test.h"

namespace volary {
namespace {

const Time noon = parse_time("2026-11-20T12:00:00Z");
const std::string stamp = "2026-11-20T12:00:00.000000Z ";

TEST(LogWriter, puts_the_time_before_each_line_and_ends_the_last_one) {
  const testing::Scratch scratch;
  LogWriter log(scratch.path() / "log");
  log.take("one\ntw", noon);
  EXPECT_EQ(read_file(scratch.path() / "log"), stamp + "one\n");
  EXPECT_EQ(log.last_line(), "tw");
  log.take("o\n\nthree", noon.plus_seconds(1));
  log.finish(noon.plus_seconds(2));
  const std::string later = "2026-11-20T12:00:01.000000Z ";
  EXPECT_EQ(read_file(scratch.path() / "log"), stamp + "one\n" + stamp + "two\n" + later + "\n" + later + "three\n");
  EXPECT_EQ(log.last_line(), "three");
}

TEST(LogWriter, splits_a_line_of_more_than_64_kib) {
  const testing::Scratch scratch;
  LogWriter log(scratch.path() / "log");
  const std::string full(log_line_bytes_max, 'x');
  log.take(full, noon);
  log.take("\n" + full + "y\n", noon);
  log.finish(noon);
  EXPECT_EQ(read_file(scratch.path() / "log"), stamp + full + "\n" + stamp + full + "\n" + stamp + "y\n");
}

TEST(LogWriter, keeps_the_last_pieces_of_a_log_that_is_full) {
  const testing::Scratch scratch;
  const Path path = scratch.path() / "log";
  const std::string line = std::string(71, 'x') + "\n";  // A hundred bytes with its time, which is a piece.
  LogWriter log(path, 800);
  log.take(line, noon);
  for (int i = 0; i < 7; ++i) log.take(line, noon);
  EXPECT_EQ(find_log_pieces(path).size(), 8u);
  EXPECT_EQ(read_log(path, 0, 1000).offset, 0u);
  log.take(line + "short\n", noon);
  const auto pieces = find_log_pieces(path);
  ASSERT_EQ(pieces.size(), 8u);
  EXPECT_EQ(pieces.front().start, 200u);  // The ninth was full too.
  EXPECT_FALSE(is_present(path));
  EXPECT_EQ(read_log(path, 0, 1000).offset, 200u);
  EXPECT_EQ(log_end(path), 900 + stamp.size() + 6);
  EXPECT_EQ(read_log(path, 900, 1000).text, stamp + "short\n");
}

// Wherever its supervisor died, and however large its pieces: a place in the log stays that place.
RC_GTEST_PROP(LogWriterProperty, goes_on_where_another_ended, (const std::vector<std::string>& parts)) {
  const testing::Scratch scratch;
  const Path path = scratch.path() / "log";
  std::string all;
  for (const std::string& part : parts) {
    std::string line = part;
    std::replace(line.begin(), line.end(), '\n', '_');
    all += stamp + line + "\n";
    LogWriter(path, 8 * *rc::gen::inRange<uint64_t>(1, 200)).take(line + "\n", noon);
    RC_ASSERT(log_end(path) == all.size());
  }
  const auto pieces = find_log_pieces(path);
  RC_ASSERT(pieces.size() <= log_pieces_max);
  std::string kept;
  const uint64_t begin = pieces.empty() ? 0 : pieces.front().start;
  while (true) {
    const LogText found = read_log(path, begin + kept.size(), *rc::gen::inRange<uint64_t>(1, 50));
    RC_ASSERT(found.offset == begin + kept.size());
    if (found.text.empty()) break;
    kept += found.text;
  }
  RC_ASSERT(kept == all.substr(begin));
}

TEST(LogWriter, says_how_many_lines_a_full_disk_cost) {
  const testing::Scratch scratch;
  if (::mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=16k") < 0) GTEST_SKIP() << "no right to mount";
  std::string found;
  {
    LogWriter log(scratch.path() / "log");
    log.take("one\n", noon);
    const Fd filler = create_file(scratch.path() / "filler");
    const std::string page(4096, 'x');
    while (::write(filler.get(), page.data(), page.size()) > 0) {
    }
    log.take(page + "\nthree\n", noon);
    EXPECT_EQ(::ftruncate(filler.get(), 0), 0);
    log.take("four\n", noon);
    log.finish(noon);
    found = read_file(scratch.path() / "log");
  }
  ::umount(scratch.path().c_str());
  EXPECT_EQ(found.substr(0, 2 * stamp.size() + 10), stamp + "one\n" + stamp + "xxxxxx");
  EXPECT_TRUE(found.ends_with("xxx\n" + stamp + "[volary: 2 lines of the log are lost: No space left on device]\n" +
                              stamp + "four\n"))
      << found;
}

RC_GTEST_PROP(LogWriterProperty, keeps_every_byte_however_it_arrives, (const std::vector<std::string>& parts)) {
  const testing::Scratch scratch;
  std::string all;
  LogWriter log(scratch.path() / "log");
  for (const std::string& part : parts) {
    all += part;
    log.take(part, noon);
  }
  log.finish(noon);
  if (!all.empty() && all.back() != '\n') all += '\n';
  RC_ASSERT(testing::texts(try_read_file(scratch.path() / "log").value_or("")) == all);
}

}  // namespace
}  // namespace volary
