// engine/log_writer_test.cc: lines, splits, and disks that refuse.
#include "engine/log_writer.h"

#include <sys/mount.h>
#include <unistd.h>

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

TEST(LogWriter, ends_the_log_at_its_limit_and_says_so) {
  const testing::Scratch scratch;
  LogWriter log(scratch.path() / "log", 100);
  log.take("first\n", noon);
  log.take(std::string(200, 'x') + "\n", noon);
  log.take("later\n", noon);
  log.finish(noon);
  EXPECT_EQ(read_file(scratch.path() / "log"),
            stamp + "first\n" + stamp + "[volary: the log ends here, at its limit of 100 B]\n");
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
