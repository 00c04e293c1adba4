// access/secrets_test.cc: secrets come back only to the server, only with their key, only from their own row; and never
// in a message.
#include "access/secrets.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "db/scratch_test.h"

namespace volary {
namespace {

using Values = std::map<std::string, std::string>;

class SecretsTest : public testing::Test {
 protected:
  void run(std::string_view sql) {
    database_->write([&](Transaction& transaction) { transaction.run(sql); });
  }
  std::string error_opening(const std::string& name) {
    return error_of([&] { secrets_.open("prj-default", name); });
  }

  const Scratch scratch_;
  const Path key_file_ = scratch_.path() / "secrets.key";
  const Caller caller_{"sub-1", "ann", "ten-default", "prj-default"};
  FakeClock clock_{Time{1}};
  std::unique_ptr<Database> database_ = open_database(scratch_.url());
  Secrets secrets_{*database_, key_file_, clock_};
};

TEST_F(SecretsTest, OpenAsTheyWereSealed) {
  const Values values{{"access_key", "AKIA"}, {"secret_key", std::string("\"quotes\", a\nline, \xc3\xa4, \0", 22)}};
  const Secret made = secrets_.create(caller_, {"s3", values});
  EXPECT_EQ(made.keys, (std::vector<std::string>{"access_key", "secret_key"}));
  EXPECT_EQ(secrets_.open("prj-default", "s3"), values);
}

TEST_F(SecretsTest, AreListedWithoutTheirValues) {
  secrets_.create(caller_, {"s3", {{"access_key", "AKIA-very-secret"}}});
  const std::string shown = print_json(to_json(secrets_.list(caller_)));
  EXPECT_NE(shown.find("\"keys\":[\"access_key\"]"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("AKIA"), std::string::npos);
}

TEST_F(SecretsTest, AreNowhereInTheDatabasesFiles) {
  secrets_.create(caller_, {"s3", {{"access_key", "AKIA-very-secret"}}});
  for (const char* end : {"", "-wal"})
    EXPECT_EQ(read_file(scratch_.file() + end).find("AKIA-very"), std::string::npos);
  const std::string key = read_file(key_file_);
  EXPECT_EQ(read_file(scratch_.file() + "-wal").find(key.substr(0, 64)), std::string::npos);
}

TEST_F(SecretsTest, MakeTheirKeyFileOnceForItsOwnerOnly) {
  EXPECT_FALSE(is_present(key_file_));
  {
    std::vector<std::jthread> crowd;
    for (int i = 0; i < 4; ++i)
      crowd.emplace_back([&, i] { secrets_.create(caller_, {"s" + std::to_string(i), {{"k", "v"}}}); });
  }
  EXPECT_EQ(stat_of(key_file_)->st_mode & 07777, 0600u);
  EXPECT_EQ(read_file(key_file_).size(), 65u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(secrets_.open("prj-default", "s" + std::to_string(i)), (Values{{"k", "v"}}));
}

TEST_F(SecretsTest, SealTheSameValuesDifferentlyEachTime) {
  secrets_.create(caller_, {"a", {{"k", "v"}}});
  secrets_.create(caller_, {"b", {{"k", "v"}}});
  database_->read([](Transaction& transaction) {
    EXPECT_EQ(transaction.find<int64_t>("SELECT count(DISTINCT sealed) FROM secret"), 2);
  });
}

TEST_F(SecretsTest, DoNotOpenWithAnotherKeyAndSayWhichFileItWas) {
  secrets_.create(caller_, {"s3", {{"k", "AKIA-very-secret"}}});
  write_file_durably(key_file_, std::string(64, 'a') + "\n", 0600);
  EXPECT_EQ(error_opening("s3"), "corrupt: secret 's3' does not open with the key in " + key_file_.native() +
                                     ": that is another key, or its row was altered");
}

TEST_F(SecretsTest, DoNotOpenWithoutTheirKeyAndMakeNoNewOneInItsPlace) {
  secrets_.create(caller_, {"s3", {{"k", "v"}}});
  remove_file(key_file_);
  EXPECT_EQ(error_opening("s3"), "unavailable: the key file " + key_file_.native() +
                                     " is not there: what was sealed with it opens only with it, so put it back from "
                                     "where it was kept");
  EXPECT_EQ(error_of([&] { secrets_.create(caller_, {"more", {{"k", "v"}}}); }),
            "unavailable: the key file " + key_file_.native() +
                " is not there, and 1 secrets are sealed with it: put it back from where it was kept, or remove them "
                "first");
  EXPECT_FALSE(is_present(key_file_));
  secrets_.remove(caller_, "s3");
  secrets_.create(caller_, {"more", {{"k", "v"}}});
  EXPECT_EQ(secrets_.open("prj-default", "more"), (Values{{"k", "v"}}));
}

TEST_F(SecretsTest, MakeNoNewKeyWhereAJobsVariablesAreSealedWithTheOldOne) {
  const std::string sealed = secrets_.seal("job-1", "prj-default", "{}");
  database_->write([&](Transaction& t) {
    t.run("INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, "
          "created_at, lease_owner, lease_until, sealed) VALUES ('job-1', 'ten-default', 'prj-default', 'sub-1', "
          "'one', '{}', 'DONE', '', '', 0, 0, '', 0, $1)", sealed);
  });
  remove_file(key_file_);
  EXPECT_TRUE(error_of([&] { secrets_.create(caller_, {"s3", {{"k", "v"}}}); }).ends_with(
      " is not there, and 1 secrets are sealed with it: put it back from where it was kept, or remove them first"));
  EXPECT_FALSE(is_present(key_file_));
}

TEST_F(SecretsTest, RefuseAKeyFileThatOthersMayReadOrThatIsNone) {
  secrets_.create(caller_, {"s3", {{"k", "v"}}});
  change_mode(key_file_, 0640);
  EXPECT_EQ(error_opening("s3"), "denied: the key file " + key_file_.native() +
                                     " has mode 0640, so others may use it: expected 0600");
  for (const std::string& text : {std::string(), std::string(63, 'a'), std::string(66, 'a'), std::string(64, 'x')}) {
    write_file_durably(key_file_, text, 0600);
    EXPECT_EQ(error_opening("s3"),
              "corrupt: the key file " + key_file_.native() + " is no key: expected 64 hexadecimal digits");
  }
}

TEST_F(SecretsTest, DoNotOpenFromAnotherRowOrWhenAltered) {
  secrets_.create(caller_, {"mine", {{"k", "v"}}});
  secrets_.create(caller_, {"other", {{"k", "w"}}});
  run("UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'other') WHERE name = 'mine'");
  EXPECT_TRUE(error_opening("mine").starts_with("corrupt: secret 'mine' does not open"));
  for (const char* sealed : {"", "!", "AAAA", "QUFB"}) {
    database_->write([&](Transaction& t) { t.run("UPDATE secret SET sealed = $1 WHERE name = 'mine'", sealed); });
    EXPECT_TRUE(error_opening("mine").starts_with("corrupt: secret 'mine' does not open"));
  }
  const auto sealed = database_->read([](Transaction& t) {
    return *t.find<std::string>("SELECT sealed FROM secret WHERE name = 'other'");
  });
  for (size_t i = 0; i < sealed.size() - 2; ++i) {  // Each digit but those that may be padding.
    std::string altered = sealed;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    database_->write([&](Transaction& t) { t.run("UPDATE secret SET sealed = $1 WHERE name = 'other'", altered); });
    EXPECT_TRUE(error_opening("other").starts_with("corrupt: secret 'other' does not open")) << i;
  }
}

TEST_F(SecretsTest, AreNotRemovedWhileADatastoreUsesThem) {
  secrets_.create(caller_, {"s3", {{"k", "v"}}});
  for (const char* name : {"corpora", "models"})
    database_->write([&](Transaction& t) {
      t.run("INSERT INTO datastore (id, tenant, project, name, kind, path, endpoint, region, bucket, url_style, "
            "secret, created_at, created_by) "
            "VALUES ($1, 'ten-default', 'prj-default', $1, 's3', '', '', '', '', 'path', 's3', 0, '')", name);
    });
  EXPECT_EQ(error_of([&] { secrets_.remove(caller_, "s3"); }),
            "conflict: secret 's3' is used by the datastores 'corpora', 'models': expected none");
  run("DELETE FROM datastore");
  secrets_.remove(caller_, "s3");
  EXPECT_EQ(error_opening("s3"), "not_found: there is no secret 's3' in this project");
  EXPECT_EQ(error_of([&] { secrets_.remove(caller_, "s3"); }),
            "not_found: there is no secret 's3' in this project");
}

TEST_F(SecretsTest, NeverPutAValueIntoAMessage) {
  const std::string value = "AKIA-very-secret";
  secrets_.create(caller_, {"s3", {{"k", value}}});
  std::string all;
  const auto note = [&](const NewSecret& wanted) { all += error_of([&] { secrets_.create(caller_, wanted); }) + "\n"; };
  note({"s3", {{"k", value}}});                                      // exists
  note({"other", {{value + "=", value}}});                           // the value where the name belongs
  note({"other", {{"", value}}});
  note({"other", {}});
  note({"Bad Name", {{"k", value}}});
  note({"other", {{"k", value + "\xff"}}});
  note({"other", {{"k", value + std::string(secret_value_bytes_max, 'x')}}});
  write_file_durably(key_file_, std::string(64, 'a') + "\n", 0600);
  all += error_opening("s3") + "\n";
  run("DROP TABLE secret");
  note({"other", {{"k", value}}});
  all += error_opening("s3");
  EXPECT_EQ(all.find("AKIA"), std::string::npos) << all;
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 9);
  EXPECT_EQ(all.find("nothing was thrown"), std::string::npos) << all;
}

TEST_F(SecretsTest, OfAnotherProjectAreNotSeen) {
  secrets_.create(caller_, {"s3", {{"k", "v"}}});
  EXPECT_EQ(error_of([&] { secrets_.open("prj-other", "s3"); }),
            "not_found: there is no secret 's3' in this project");
  Caller stranger = caller_;
  stranger.project = "prj-other";
  EXPECT_TRUE(secrets_.list(stranger).empty());
}

}  // namespace
}  // namespace volary
