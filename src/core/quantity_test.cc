// core/quantity_test.cc: sizes and durations, read and written.
#include "core/quantity.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(Bytes, are_read_with_their_units) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 0},         {"1536", 1536},       {"10MB", 10'000'000}, {"10 MiB", 10 << 20},
      {"1.5GiB", 3ull << 29}, {"2 TiB", 2ull << 40}, {"1K", 1024},  {"1kB", 1000}};
  for (const auto& [text, bytes] : cases) EXPECT_EQ(parse_bytes(text, "the quota"), bytes) << text;
}

TEST(Bytes, are_refused_with_an_example_of_what_is_expected) {
  EXPECT_EQ(error_of([] { parse_bytes("ten", "the quota"); }),
            "invalid: 'ten' is not the quota: expected a size such as 500MB, 10GiB or 1.5TiB");
  for (const char* text : {"", "-1", "1XB", "1e3", "nan", "inf", "1 2", "MB", "0x10", "9999999999PB"})
    EXPECT_NE(error_of([&] { parse_bytes(text, "the quota"); }), "no error") << text;
}

TEST(Bytes, are_written_with_three_digits) {
  const std::pair<uint64_t, const char*> cases[] = {{0, "0 B"},          {1023, "1023 B"},      {1024, "1.00 KiB"},
                                                    {1536, "1.50 KiB"},  {10'240, "10.0 KiB"},  {102'400, "100 KiB"},
                                                    {1'048'575, "1.00 MiB"}, {1ull << 40, "1.00 TiB"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(bytes_text(bytes), text);
}

TEST(Seconds, are_read_and_written) {
  EXPECT_EQ(parse_seconds("90", "the time limit"), 90);
  EXPECT_EQ(parse_seconds("15m", "the time limit"), 900);
  EXPECT_EQ(parse_seconds("1.5h", "the time limit"), 5400);
  EXPECT_EQ(parse_seconds("7d", "the time limit"), 604'800);
  EXPECT_EQ(error_of([] { parse_seconds("soon", "the time limit"); }),
            "invalid: 'soon' is not the time limit: expected a duration such as 90s, 15m, 12h or 7d");
  EXPECT_EQ(seconds_text(45), "45s");
  EXPECT_EQ(seconds_text(190), "3m10s");
  EXPECT_EQ(seconds_text(7500), "2h05m");
  EXPECT_EQ(seconds_text(273'600), "3d4h");
}

RC_GTEST_PROP(BytesProperty, what_is_written_is_read_back_to_half_a_percent, ()) {
  const auto bytes = *rc::gen::inRange<uint64_t>(0, uint64_t{1} << 62);
  const std::string text = bytes_text(bytes);
  if (text.ends_with("EiB")) return;
  const auto again = static_cast<double>(parse_bytes(text, "the size"));
  RC_ASSERT(std::abs(again - static_cast<double>(bytes)) <= 0.0051 * static_cast<double>(bytes));
}

}  // namespace
}  // namespace volary
