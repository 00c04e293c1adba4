// remote/account_test.cc: what remote/account.h promises, held against every Account.
//
// A new one joins the list of kinds below.
#include "remote/account.h"

#include <gtest/gtest.h>

#include <set>

#include "core/scratch_test.h"
#include "core/workers.h"
#include "remote/fake_http.h"
#include "remote/memory_remote.h"
#include "remote/parted.h"
#include "remote/remote_words.h"
#include "remote/s3_under_test.h"
#include "remote/swift_under_test.h"
#include "remote/text_content.h"

namespace volary {
namespace {

enum class Kind { directory, s3, swift };

class AccountContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::directory) {
      account_ = open_directory_account(scratch_.path());
      return;
    }
    if (GetParam() == Kind::swift) {
      if (!has_swift_server()) GTEST_SKIP() << no_swift_server;
      account_ = open_swift_account(swift_options(), *http_);
      return;
    }
    if (!has_s3_server()) GTEST_SKIP() << no_s3_server;
    S3Options options;
    options.endpoint = environment("VOLARY_TEST_S3_ENDPOINT");
    options.access_key = environment("VOLARY_TEST_S3_ACCESS_KEY");
    options.secret_key = environment("VOLARY_TEST_S3_SECRET_KEY");
    account_ = open_s3_account(options, *http_, system_clock());
  }
  void TearDown() override {
    for (const std::string& name : made_) {
      const auto bucket = account_->open(name);
      std::vector<std::string> keys;
      bucket->list("", [&](const RemoteObject& object) { keys.push_back(object.key); });
      for (const std::string& key : keys) bucket->remove(key);
      account_->remove_bucket(name);
    }
  }
  // Gone at the end.
  std::string make(const std::string& suffix = "") {
    made_.push_back("account-" + random_hex(6) + suffix);
    account_->create_bucket(made_.back());
    return made_.back();
  }
  bool is_listed(const std::string& name) {
    const auto all = account_->list_buckets();
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
    return std::any_of(all.begin(), all.end(), [&](const Bucket& one) { return one.name == name; });
  }

  TestDirectory scratch_;
  const std::unique_ptr<HttpClient> http_ = make_http_client();
  std::unique_ptr<Account> account_;
  std::vector<std::string> made_;
};

TEST_P(AccountContract, MakesListsAndRemovesBuckets) {
  const std::string name = make();
  EXPECT_TRUE(is_listed(name));
  EXPECT_EQ(error_of([&] { account_->create_bucket(name); })->code(), Errc::exists);
  const auto bucket = account_->open(name);
  put(*bucket, "a/b", "bytes");
  const auto full = error_of([&] { account_->remove_bucket(name); });
  ASSERT_TRUE(full);
  EXPECT_EQ(full->code(), Errc::conflict) << full->what();
  EXPECT_NE(full->message().find("is not empty"), std::string::npos) << full->what();
  EXPECT_EQ(get(*bucket, "a/b"), "bytes");
  bucket->remove("a/b");
  EXPECT_TRUE(is_listed(name));
  account_->remove_bucket(name);
  made_.clear();
  EXPECT_FALSE(is_listed(name));
  EXPECT_EQ(error_of([&] { account_->remove_bucket(name); })->code(), Errc::not_found);
}

TEST_P(AccountContract, SaysThatABucketIsNotThere) {
  const std::string absent = "absent-" + random_hex(6);
  const auto list = [&] { account_->open(absent)->list("", [](const RemoteObject&) {}); };
  const auto error = error_of(list);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::not_found) << error->what();
  EXPECT_NE(error->message().find(absent), std::string::npos) << error->what();
  EXPECT_EQ(error_of([&] { put(*account_->open(absent), "k", "x"); })->code(), Errc::not_found);
  EXPECT_FALSE(is_listed(absent));
}

TEST_P(AccountContract, RefusesNamesThatCannotBe) {
  for (const std::string& name : {std::string(""), std::string("."), std::string(".."), std::string("a/b"),
                                  std::string("a\0b", 3)}) {
    EXPECT_EQ(error_of([&] { account_->create_bucket(name); })->code(), Errc::invalid) << name;
    EXPECT_EQ(error_of([&] { account_->remove_bucket(name); })->code(), Errc::invalid) << name;
    EXPECT_EQ(error_of([&] { account_->open(name); })->code(), Errc::invalid) << name;
  }
}

TEST_P(AccountContract, CopiesFromBucketToBucket) {
  const std::string one = make(), two = make();
  const std::string bytes = some_bytes(100'000);
  put(*account_->open(one), "a b/+c", bytes);
  const RemoteObject copied = account_->copy({one, "a b/+c"}, {two, "d/\xc3\xa9"});
  EXPECT_EQ(copied.key, "d/\xc3\xa9");
  EXPECT_EQ(copied.size, bytes.size());
  EXPECT_TRUE(get(*account_->open(two), "d/\xc3\xa9") == bytes);
  EXPECT_TRUE(get(*account_->open(one), "a b/+c") == bytes);
  EXPECT_EQ(error_of([&] { account_->copy({one, "absent"}, {two, "x"}); })->code(), Errc::not_found);
  EXPECT_EQ(error_of([&] { account_->copy({one, "a b/+c"}, {"absent-" + random_hex(6), "x"}); })->code(),
            Errc::not_found);
}

TEST_P(AccountContract, IsARemoteWhoseKeysBeginWithTheBucket) {
  const std::string plain = make(), dashed = plain + "-x";
  account_->create_bucket(dashed);
  made_.push_back(dashed);
  const auto remote = open_account_remote(std::move(account_));
  put(*remote, plain + "/a/b", "one");
  put(*remote, plain + "/c", "two");
  put(*remote, dashed + "/d", "three");
  std::vector<std::string> keys;
  const auto visit = [&](const RemoteObject& object) { keys.push_back(object.key); };
  remote->list(plain, visit);
  EXPECT_EQ(keys, (std::vector<std::string>{dashed + "/d", plain + "/a/b", plain + "/c"}));  // '-' is before '/'.
  keys.clear();
  remote->list(plain + "/a", visit);
  EXPECT_EQ(keys, std::vector<std::string>{plain + "/a/b"});
  EXPECT_EQ(remote->find(plain + "/c")->key, plain + "/c");
  EXPECT_EQ(remote->find(plain), std::nullopt);
  EXPECT_EQ(remote->find(plain + "/"), std::nullopt);
  EXPECT_EQ(get(*remote, dashed + "/d"), "three");
  EXPECT_EQ(remote->copy(dashed + "/d", plain + "/e").key, plain + "/e");
  EXPECT_EQ(get(*remote, plain + "/e"), "three");
  const auto error = error_of([&] { put(*remote, "no-bucket", "x"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message(), "'no-bucket' names no object of " + remote->description() + ": expected BUCKET/KEY");
  remote->remove(plain);
  for (const std::string& key : {plain + "/a/b", plain + "/c", plain + "/e", dashed + "/d"}) remote->remove(key);
  keys.clear();
  remote->list(plain, visit);
  EXPECT_TRUE(keys.empty());
  if (GetParam() == Kind::directory) account_ = open_directory_account(scratch_.path());
  else SetUp();
}

INSTANTIATE_TEST_SUITE_P(Every, AccountContract, ::testing::Values(Kind::directory, Kind::s3, Kind::swift),
                         [](const auto& kind) {
                           if (kind.param == Kind::swift) return "Swift";
                           return kind.param == Kind::directory ? "Directory" : "S3";
                         });

TEST(DirectoryAccount, FollowsNoLink) {
  const TestDirectory scratch, outside;
  make_symlink(outside.path().native(), scratch.path() / "link");
  write_file_durably(outside.path() / "secret", "x");
  const auto account = open_directory_account(scratch.path());
  EXPECT_TRUE(account->list_buckets().empty());
  EXPECT_EQ(error_of([&] { account->open("link"); })->code(), Errc::not_found);
  EXPECT_EQ(error_of([&] { account->remove_bucket("link"); })->code(), Errc::not_found);
}

RetryOptions without_waits() {
  RetryOptions retries;
  retries.sleep = [](auto) {};
  return retries;
}

// Does what it is asked and loses its answer, each odd time.
TEST(Account, TakesNoHarmFromAnAnswerThatIsLost) {
  FakeHttp http;
  bool is_there = false;
  int lost = 0;
  const auto lose_first = [&](HttpResponse response) {
    if (++lost % 2 == 0) return response;
    throw Error(Errc::unavailable, "the answer is lost");
  };
  http.script = [&](const HttpRequest& request) -> HttpResponse {
    if (request.url.ends_with("/auth/v1.0"))
      return answer(200, "", {{"x-storage-url", "http://store/v1"}, {"x-auth-token", "t"}});
    const bool was_there = is_there;
    const bool is_swift = request.url.find("/v1/") != std::string::npos;
    if (request.method == "GET") return is_there ? answer(200) : refuse(404, "NoSuchBucket");
    if (request.url.ends_with("_segments")) return answer(204);
    is_there = request.method == "PUT";
    if (request.method == "PUT" && is_swift) return lose_first(answer(was_there ? 202 : 201));
    if (request.method == "PUT") return lose_first(was_there ? refuse(409, "BucketAlreadyOwnedByYou") : answer(200));
    return lose_first(was_there ? answer(204) : refuse(404, "NoSuchBucket"));
  };
  SwiftOptions swift;
  swift.auth_url = "http://store/auth/v1.0";
  swift.user = swift.key = "u";
  S3Options s3;
  s3.endpoint = "http://store";
  s3.access_key = s3.secret_key = "k";
  const std::unique_ptr<Account> accounts[] = {open_swift_account(swift, http, without_waits()),
                                               open_s3_account(s3, http, system_clock(), without_waits())};
  for (const auto& account : accounts) {
    EXPECT_EQ(error_text([&] { account->create_bucket("bucket"); }), "no error") << account->description();
    EXPECT_TRUE(is_there);
    EXPECT_EQ(error_text([&] { account->remove_bucket("bucket"); }), "no error") << account->description();
    EXPECT_FALSE(is_there);
  }
  EXPECT_EQ(lost, 8);
}

class KeysNoted final : public UploadNotes {
 public:
  std::optional<UploadNote> find(const std::string& key) override { return note(key); }
  void begun(const std::string& key, const UploadNote&) override { note(key); }
  void ended(const std::string& key) override { note(key); }
  Synced<std::set<std::string>> keys;

 private:
  std::optional<UploadNote> note(const std::string& key) {
    keys.lock()->insert(key);
    return std::nullopt;
  }
};

TEST(AccountRemote, PutsInPartsWhereItsBucketsDo) {
  EXPECT_EQ(open_account_remote(open_one_bucket_account(open_memory_remote(), "b"))->parted(), nullptr);
  FakeHttp http;
  const auto swift = open_account_remote(open_swift_account({.auth_url = "http://store/v1/AUTH_x"}, http));
  EXPECT_NE(swift->parted(), nullptr);
  std::set<std::string> urls;
  http.script = [&](const HttpRequest& request) {
    urls.insert(request.method + " " + request.url.substr(0, request.url.find('?')));
    return request.method == "DELETE" ? answer(204) : refuse(403, "AccessDenied");
  };
  S3Options options;
  options.endpoint = "http://store";
  options.access_key = options.secret_key = "k";
  const auto remote = open_account_remote(open_s3_account(options, http, system_clock(), without_waits()));
  PartedRemote* parted = remote->parted();
  ASSERT_NE(parted, nullptr);
  KeysNoted notes;
  TextContent large(std::string(40 << 20, 'x'));
  EXPECT_TRUE(error_text([&] { parted->put_content("bucket/a/b", large, {.notes = notes}); }).starts_with("denied: "));
  EXPECT_TRUE(urls.contains("POST http://store/bucket/a/b")) << *urls.begin();
  EXPECT_EQ(*notes.keys.lock(), std::set<std::string>{"bucket/a/b"});
  parted->abandon("bucket/c", {"upload", "mark"});
  EXPECT_TRUE(urls.contains("DELETE http://store/bucket/c"));
  TextContent small("hello");
  EXPECT_TRUE(parted->is_same("5d41402abc4b2a76b9719d911017c592", small));
  EXPECT_FALSE(parted->is_same("5d41402abc4b2a76b9719d911017c593", small));
  EXPECT_TRUE(error_text([&] { parted->put_content("b", small, {.notes = notes}); }).starts_with("invalid: "));
}

TEST(OneBucketAccount, IsThisBucketOnly) {
  const auto account = open_one_bucket_account(open_memory_remote(), "corpora");
  EXPECT_EQ(account->list_buckets().at(0).name, "corpora");
  put(*account->open("corpora"), "k", "bytes");
  EXPECT_EQ(get(*account->open("corpora"), "k"), "bytes");
  EXPECT_EQ(error_text([&] { account->open("other"); }),
            "not_found: there is no bucket 'other' here: this is memory only");
  EXPECT_EQ(error_text([&] { account->create_bucket("b"); }), "invalid: 'b' cannot be made: this is memory only");
  EXPECT_EQ(error_text([&] { account->remove_bucket("corpora"); }),
            "invalid: 'corpora' cannot be removed: this is memory only");
}

}  // namespace
}  // namespace volary
