// remote/pages_ahead_test.cc: pages that come in order, that fail, that lead elsewhere, and that nobody waits for.
#include "remote/pages_ahead.h"

#include <gtest/gtest.h>

#include <atomic>

#include "core/error.h"

namespace volary {
namespace {

// The page of token "5": it says that "6" is next, as long as that is less than `end`.
std::string page_of(const std::string& token, int end) {
  const int next = std::stoi(token) + 1;
  if (next >= end) return "<ListBucketResult/>";
  return "<NextContinuationToken>" + std::to_string(next) + "</NextContinuationToken><Contents>" + token +
         "</Contents>";
}

TEST(PagesAhead, ComeInOrderToTheEnd) {
  PagesAhead pages([](const std::string& token) { return page_of(token, 50); }, "1");
  for (int number = 1; number < 50; ++number) {
    const std::string token = std::to_string(number);
    EXPECT_EQ(pages.take(token), page_of(token, 50));
  }
  EXPECT_EQ(pages.take("50"), std::nullopt);
}

TEST(PagesAhead, AreAskedForOnlySoFarAhead) {
  std::atomic<size_t> asked = 0;
  PagesAhead pages(
      [&](const std::string& token) {
        ++asked;
        return page_of(token, 1'000'000);
      },
      "1");
  for (size_t number = 1; number < 100; ++number) {
    ASSERT_TRUE(pages.take(std::to_string(number)));
    EXPECT_LE(asked, number + pages_ahead_max);
  }
}

TEST(PagesAhead, ThrowWhatAskingThrewWhenThatPageIsTaken) {
  PagesAhead pages(
      [](const std::string& token) {
        if (token == "3") throw Error(Errc::denied, "no more");
        return page_of(token, 50);
      },
      "1");
  EXPECT_TRUE(pages.take("1"));
  EXPECT_TRUE(pages.take("2"));
  EXPECT_THROW(pages.take("3"), Error);
  EXPECT_EQ(pages.take("4"), std::nullopt);
}

TEST(PagesAhead, AreNotTakenForOthers) {
  PagesAhead pages([](const std::string& token) { return page_of(token, 50); }, "1");
  EXPECT_TRUE(pages.take("1"));
  EXPECT_EQ(pages.take("7"), std::nullopt);
}

}  // namespace
}  // namespace volary
