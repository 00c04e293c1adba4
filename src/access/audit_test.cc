// access/audit_test.cc: The chain of audit records: complete, in order, and broken by whoever alters it.
#include "access/audit.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "db/scratch_test.h"

namespace volary {
namespace {

class AuditTest : public testing::Test {
 protected:
  void append(int count) {
    for (int i = 0; i < count; ++i)
      audit_.append({"ten-default", "ann", "POST /api/v1/volumes", "wiki-" + std::to_string(i), "ok", "req-1"});
  }
  std::string verified() {
    return error_of([&] { audit_.verify_chain(); });
  }
  void run(std::string_view sql) {
    database_->write([&](Transaction& transaction) { transaction.run(sql); });
  }

  std::unique_ptr<Database> database_ = open_database("sqlite::memory:");
  FakeClock clock_{parse_time("2026-11-20T12:00:00Z")};
  Audit audit_{*database_, clock_};
};

TEST_F(AuditTest, ChainsItsRecords) {
  EXPECT_EQ(audit_.verify_chain().records, 0u);
  append(3);
  const AuditRecord last = audit_.append({"", "", "GET /api/v1/audit", "", "denied", "req-2"});
  EXPECT_EQ(last.number, 4u);
  EXPECT_EQ(last.at, clock_.now());
  const AuditVerification verification = audit_.verify_chain();
  EXPECT_EQ(verification.records, 4u);
  EXPECT_EQ(verification.last_hash, last.hash);
}

TEST_F(AuditTest, HashesWhatItsFormatSays) {
  const AuditRecord record = audit_.append({"t", "s", "a", "o", "ok", "r"});
  const auto number = [](char last) { return std::string(7, '\0') + last; };
  std::string bytes(32, '\0');
  bytes += number(1);
  std::string at;
  for (int shift = 56; shift >= 0; shift -= 8) at += static_cast<char>(clock_.now().micros >> shift & 0xff);
  bytes += at + number(1) + "t" + number(1) + "s" + number(1) + "a" + number(1) + "o" + number(2) + "ok";
  bytes += number(1) + "r";
  EXPECT_EQ(record.hash, Digest::of(bytes));
}

TEST_F(AuditTest, ShowsEveryAlteration) {
  for (const char* change :
       {"tenant = 'x'", "at = at + 1", "subject = 'bob'", "action = 'GET /'", "object = ''", "outcome = 'denied'",
        "request = request || '1'", "hash = 'ff' || substr(hash, 3)", "hash = ''",
        "object = object || subject, subject = ''"}) {
    run("DELETE FROM audit");
    append(5);
    run(std::string("UPDATE audit SET ") + change + " WHERE number = 3");
    EXPECT_TRUE(verified().starts_with("corrupt: audit record 3 was altered, or those before it")) << change;
    append(1);  // A spoiled record does not end the audit.
    EXPECT_TRUE(verified().starts_with("corrupt: audit record 3 was altered")) << change;
  }
}

TEST_F(AuditTest, ShowsARecordThatIsMissingOrInAnothersPlace) {
  append(5);
  run("DELETE FROM audit WHERE number = 3");
  EXPECT_EQ(verified(), "corrupt: the audit has no record 3: the one after 2 is 4");
  run("UPDATE audit SET number = number - 1 WHERE number > 3");
  EXPECT_TRUE(verified().starts_with("corrupt: audit record 3 was altered, or those before it"));
  run("DELETE FROM audit WHERE number = 1");
  EXPECT_EQ(verified(), "corrupt: the audit has no record 1: the one after 0 is 2");
}

TEST_F(AuditTest, ShowsThatItsEndWasCutOffOrItWasAllMadeAnewToWhoKnowsALaterHash) {
  append(5);
  const AuditVerification known = audit_.verify_chain();
  append(1);
  EXPECT_EQ(audit_.verify_chain(known).records, 6u);
  run("DELETE FROM audit WHERE number > 3");
  EXPECT_EQ(error_of([&] { audit_.verify_chain(known); }),
            "corrupt: the audit ends with record 3: expected at least 5");
  clock_.set(Time{1});
  append(4);
  EXPECT_EQ(verified(), "nothing was thrown");
  EXPECT_TRUE(error_of([&] { audit_.verify_chain(known); })
                  .starts_with("corrupt: audit record 5 is another than the one known: its hash is "));
}

TEST_F(AuditTest, ListsByPagesNewestFirstAndOnlyTheTenantsOwn) {
  append(4);
  audit_.append({"ten-other", "eve", "POST /", "", "ok", "req"});
  audit_.append({"", "", "GET /", "", "denied", "req"});  // Nobody's: everybody's.
  const auto first = audit_.list("ten-default", "", 2);
  ASSERT_EQ(first.items.size(), 2u);
  EXPECT_EQ(first.items[0].number, 6u);
  EXPECT_EQ(first.items[1].number, 4u);
  const auto second = audit_.list("ten-default", first.next_cursor.value(), 2);
  EXPECT_EQ(second.items[1].number, 2u);
  const auto third = audit_.list("ten-default", second.next_cursor.value(), 2);
  EXPECT_EQ(third.items.size(), 1u);
  EXPECT_EQ(third.items[0].object, "wiki-0");
  EXPECT_FALSE(third.next_cursor);
  for (const char* cursor : {"x", "-1", "1x", "99999999999999999999", "18446744073709551615"})
    EXPECT_EQ(error_of([&] { audit_.list("ten-default", cursor, 2); }),
              std::string("invalid: '") + cursor + "' is no cursor: expected the nextCursor of a page before");
}

TEST_F(AuditTest, BelongsToTheTransactionOfTheChange) {
  EXPECT_EQ(error_of([&] {
              database_->write([&](Transaction& transaction) {
                audit_.append(transaction, {"ten-default", "ann", "POST /", "", "ok", "req"});
                throw Error(Errc::conflict, "not now");
              });
            }),
            "conflict: not now");
  EXPECT_EQ(audit_.verify_chain().records, 0u);
}

TEST_F(AuditTest, TakesRecordsOfManyThreads) {
  {
    std::vector<std::jthread> crowd;
    for (int i = 0; i < 4; ++i) crowd.emplace_back([&] { append(50); });
  }
  EXPECT_EQ(audit_.verify_chain().records, 200u);
}

RC_GTEST_PROP(AuditProperty, FieldsCannotFlowIntoEachOther, (const std::string& a, const std::string& b)) {
  static const auto database = open_database("sqlite::memory:");
  FakeClock clock(Time{1});
  Audit audit(*database, clock);
  const auto hash = [&](const std::string& subject, const std::string& action) {
    database->write([](Transaction& transaction) { transaction.run("DELETE FROM audit"); });
    return audit.append({"t", subject, action, "", "ok", ""}).hash;
  };
  RC_PRE(!b.empty());
  RC_ASSERT(hash(a, b) != hash(a + b.substr(0, 1), b.substr(1)));
}

}  // namespace
}  // namespace volary
