// cli/price_file_test.cc: a price list as it is written, and the lines at which it is refused.
#include "cli/price_file.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"

namespace volary {
namespace {

TEST(a_price_list, says_what_a_minute_costs_from_when_on) {
  const PriceList list = parse_prices(
      "currency: EUR\nbilled_states: [PENDING, RUNNING]\nprices:\n  - cpu: 0.0008\n    flavors: {small: 0.5}\n"
      "  - {since: 2026-01-01, gpu: \"1\", job: 2}\n",
      "prices.yaml");
  EXPECT_EQ(list.currency, "EUR");
  EXPECT_EQ(list.billed, (std::vector{JobState::PENDING, JobState::RUNNING}));
  ASSERT_EQ(list.prices.size(), 2u);
  EXPECT_EQ(list.prices[0].cpu.micros, 800);
  EXPECT_EQ(list.prices[0].flavors.at("small").micros, 500'000);
  EXPECT_EQ(to_text(list.prices[1].since), "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(list.prices[1].job.micros, 2'000'000);
}

std::string refusal(const std::string& text) {
  return error_of([&] { parse_prices(text, "prices.yaml"); });
}

TEST(a_price_list, that_is_wrong_is_refused_with_its_line) {
  EXPECT_EQ(refusal("currency: EUR\nprices:\n  - cpu: 0,5\n"),
            "invalid: '0,5' is no amount for the price of cpu: expected digits such as 12 or 0.0008, at most six after "
            "the point\n     while reading prices.yaml:3");
  EXPECT_EQ(refusal("currency: EUR\nprices:\n  - core: 1\n").substr(0, 24), "invalid: prices.yaml:3: ");
  EXPECT_EQ(refusal("billed_states:\n  - RUNNING\n  - DONE\n"),
            "invalid: prices.yaml:3: 'DONE' is where a job has ended, and never billed: expected states before that");
  EXPECT_EQ(refusal("prices: [{cpu: 1}]"),
            "invalid: prices.yaml:1: the price list lacks 'currency': expected a word such as EUR");
  EXPECT_EQ(refusal("currency: EUR\nprices:\n  - since: 2026-02-01\n  - since: 2026-01-01\n"),
            "invalid: prices.yaml:4: prices of 2026-01-01T00:00:00.000000Z stand after those of "
            "2026-02-01T00:00:00.000000Z: expected each 'since' later than the one before");
  EXPECT_NE(refusal("").find("prices.yaml:"), std::string::npos);
  EXPECT_NE(refusal("currency: EUR\nprices:\n  - since: yesterday\n").find("prices.yaml:3"), std::string::npos);
}

}  // namespace
}  // namespace volary
