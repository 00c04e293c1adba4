// core/clock_test.cc: RFC 3339, both ways.
#include "core/clock.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(Time, is_written_as_rfc_3339) {
  EXPECT_EQ(to_text({1'000'000'000'000'000}), "2001-09-09T01:46:40.000000Z");
  EXPECT_EQ(to_text({1}), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(to_text({-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_text({}), "");
  EXPECT_FALSE(Time{});
}

TEST(Time, is_read_with_or_without_a_fraction) {
  EXPECT_EQ(parse_time("2001-09-09T01:46:40Z").micros, 1'000'000'000'000'000);
  EXPECT_EQ(parse_time("2001-09-09T01:46:40.5Z").micros, 1'000'000'000'500'000);
  EXPECT_EQ(parse_time("2001-09-09T01:46:40.123456789Z").micros, 1'000'000'000'123'456);
  EXPECT_EQ(parse_time(""), Time{});
}

TEST(Time, is_refused_in_any_other_form) {
  EXPECT_EQ(error_of([] { parse_time("yesterday"); }),
            "invalid: 'yesterday' is not a time: expected RFC 3339 in UTC, such as 2026-11-20T21:34:05Z");
  for (const char* text : {"2001-09-09", "2001-09-09T01:46:40", "2001-09-09T01:46:40+01:00", "2001-09-09T01:46:40Zx",
                           "2001-13-09T01:46:40Z", "2001-02-30T01:46:40Z", "2001-09-09T25:46:40Z",
                           "2001-09-09T01:46:40.Z", " 2001-9-09T01:46:40Z", "+001-09-09T01:46:40Z"})
    EXPECT_NE(error_of([&] { parse_time(text); }), "no error") << text;
}

RC_GTEST_PROP(TimeProperty, comes_back_as_it_was, ()) {
  const Time time{*rc::gen::inRange<int64_t>(-60'000'000'000'000'000, 250'000'000'000'000'000)};
  RC_ASSERT(parse_time(to_text(time)) == time);
}

TEST(FakeClock, stands_still_until_told) {
  FakeClock clock(parse_time("2026-01-01T00:00:00Z"));
  EXPECT_EQ(clock.now(), clock.now());
  clock.set(clock.now().plus_seconds(60));
  EXPECT_EQ(to_text(clock.now()), "2026-01-01T00:01:00.000000Z");
}

}  // namespace
}  // namespace volary
