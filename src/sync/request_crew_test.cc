// sync/request_crew_test.cc: what lets more requests begin, and how many.
#include "sync/request_crew.h"

#include <gtest/gtest.h>

#include <thread>

namespace volary {
namespace {

using std::chrono::milliseconds;

TEST(RequestCrew, GrowsByAnswersFromAfarAndByNoOthers) {
  const RequestCrew crew(8, 1000, 1000 << 12);
  std::this_thread::sleep_for(milliseconds(100));  // It has not been busy.
  EXPECT_EQ(crew.after(milliseconds(50)), Crew::grows);
  EXPECT_EQ(crew.after(milliseconds(1)), Crew::stays);
  EXPECT_EQ(crew.after({}), Crew::stays);              // An answer without bytes.
  EXPECT_EQ(crew.after(std::chrono::seconds(3)), Crew::stays);  // From a store that has too much to do.
}

TEST(RequestCrew, HoldsNoMoreInMemoryThanItMay) {
  EXPECT_EQ(RequestCrew(8, 20'000, 20'000 << 12).size().most, 512u);  // Of 4 KiB.
  EXPECT_EQ(RequestCrew(8, 64, 64ull << 23).size().most, 15u);         // Of 8 MiB.
  EXPECT_EQ(RequestCrew(32, 64, 64ull << 23).size().most, 32u);
  EXPECT_EQ(RequestCrew(8, 0, 0).size().most, 512u);
}

}  // namespace
}  // namespace volary
