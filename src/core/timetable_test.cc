// core/timetable_test.cc: entries run on their own, survive their errors and end when told.
#include "core/timetable.h"

#include <gtest/gtest.h>

#include <latch>

#include "core/error.h"
#include "core/synced.h"

namespace volary {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Timetable, RunsAnEntryAgainAlsoAfterAnErrorWhichItLogs) {
  Synced<std::vector<std::string>> log;
  std::latch thrice(3);
  Timetable timetable([&](std::string_view line) { log.lock()->emplace_back(line); });
  std::atomic<int> runs = 0;
  timetable.add("sweep", milliseconds(0), milliseconds(1), [&](const std::stop_token&) {
    if (++runs > 3) return;
    thrice.count_down();
    throw Error(Errc::conflict, "run {} went wrong", runs.load());
  });
  thrice.wait();
  timetable.stop();
  const auto lines = *log.lock();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0].find("sweep: "), std::string::npos);
  EXPECT_NE(lines[0].find("run 1 went wrong"), std::string::npos);
}

TEST(Timetable, LetsALongEntryKeepNoOtherWaitingAndEndsItWhenStopped) {
  std::latch long_began(1);
  std::latch other_ran(1);
  std::atomic<bool> ended = false;
  Timetable timetable([](std::string_view) {});
  timetable.add("long", milliseconds(0), hours(1), [&](const std::stop_token& stop) {
    long_began.count_down();
    while (!stop.stop_requested()) std::this_thread::yield();
    ended = true;
  });
  timetable.add("other", milliseconds(1), hours(1), [&](const std::stop_token&) { other_ran.count_down(); });
  long_began.wait();
  other_ran.wait();
  timetable.stop();
  EXPECT_TRUE(ended);
}

TEST(Timetable, StopsBeforeTheFirstRunToo) {
  Timetable timetable([](std::string_view) {});
  timetable.add("never", hours(1), hours(1), [](const std::stop_token&) { FAIL(); });
  timetable.stop();
}

}  // namespace
}  // namespace volary
