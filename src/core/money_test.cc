// core/money_test.cc: money is exact.
#include "core/money.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "core/scratch_test.h"

namespace volary {
namespace {

TEST(money, is_read_to_the_millionth_and_written_so) {
  EXPECT_EQ(parse_money("0.000001", "it").micros, 1);
  EXPECT_EQ(parse_money("12", "it").micros, 12'000'000);
  EXPECT_EQ(to_text(Money{12'000'000}), "12.00");
  EXPECT_EQ(to_text(Money{19'300'000}), "19.30");
  EXPECT_EQ(to_text(Money{800}), "0.0008");
  EXPECT_EQ(to_text(Money{1}), "0.000001");
}

TEST(money, that_is_none_is_refused_with_the_words) {
  for (const char* text : {"", ".5", "1.", "-1", "1e3", "1,5", "0.0000001", "1 ", "1234567890123"}) {
    EXPECT_EQ(error_of([&] { parse_money(text, "the price of a cpu"); }),
              std::string("invalid: '") + text + "' is no amount for the price of a cpu: expected digits such "
                                "as 12 or 0.0008, at most six after the point");
  }
}

TEST(money, that_cannot_be_counted_is_never_a_wrong_number) {
  EXPECT_NE(error_of([] { (void)(Money{INT64_MAX} + Money{1}); }), "");
  EXPECT_NE(error_of([] { (void)(Money{INT64_MAX / 2} * 3); }), "");
  EXPECT_EQ((Money{INT64_MAX / 2} * 2).micros, INT64_MAX - 1);
}

RC_GTEST_PROP(money, is_read_back_as_it_was_written, ()) {
  const Money amount{*rc::gen::inRange<int64_t>(0, 1'000'000'000'000'000)};
  RC_ASSERT(parse_money(to_text(amount), "it") == amount);
}

}  // namespace
}  // namespace volary
