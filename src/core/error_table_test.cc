// core/error_table_test.cc: the nine codes and what they become.
#include "core/error_table.h"

#include <set>

#include <gtest/gtest.h>

namespace volary {
namespace {

TEST(ErrorTable, HasARowForEachCodeAndNoTwoExitStatusesAreEqual) {
  std::set<int> exits;
  for (const ErrorRow& row : error_table()) {
    EXPECT_EQ(&row_of(row.code), &row);
    EXPECT_EQ(errc_named(name_of(row.code)), row.code);
    EXPECT_GE(row.http_status, 400);
    EXPECT_TRUE(exits.insert(row.exit_status).second);
  }
  EXPECT_EQ(exits, (std::set<int>{2, 3, 4, 5, 6, 7, 8, 9, 70}));
}

TEST(ErrorTable, ReadsTheStatusOfAnAnswerThatIsNotOurs) {
  EXPECT_EQ(errc_of_http_status(401), Errc::denied);
  EXPECT_EQ(errc_of_http_status(404), Errc::not_found);
  EXPECT_EQ(errc_of_http_status(413), Errc::invalid);
  EXPECT_EQ(errc_of_http_status(429), Errc::unavailable);
  EXPECT_EQ(errc_of_http_status(502), Errc::unavailable);
  EXPECT_EQ(errc_of_http_status(507), Errc::exhausted);
  EXPECT_EQ(errc_of_http_status(500), Errc::internal);
}

}  // namespace
}  // namespace volary
