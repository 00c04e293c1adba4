// remote/remote_contract_test.cc: what remote/remote.h promises, held against every Remote.
//
// A new one joins the list of kinds below.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <thread>

#include "core/workers.h"
#include "remote/memory_remote.h"
#include "remote/remote_words.h"
#include "remote/s3_under_test.h"
#include "remote/swift_under_test.h"

namespace volary {
namespace {

enum class Kind { memory, directory, s3_path, s3_virtual_host, s3_tls, with_retries, swift, s3_of_swift };

std::string name_of_kind(Kind kind) {
  switch (kind) {
    case Kind::memory: return "Memory";
    case Kind::directory: return "Directory";
    case Kind::s3_path: return "S3PathStyle";
    case Kind::s3_virtual_host: return "S3VirtualHost";
    case Kind::s3_tls: return "S3OverTls";
    case Kind::with_retries: return "WithRetries";
    case Kind::swift: return "Swift";
    case Kind::s3_of_swift: return "S3OfSwift";
  }
  return "";
}

class RemoteContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const bool is_s3 = GetParam() == Kind::s3_path || GetParam() == Kind::s3_virtual_host || GetParam() == Kind::s3_tls;
    if (is_s3 && !has_s3_server()) GTEST_SKIP() << no_s3_server;
    if (GetParam() == Kind::s3_tls && environment("VOLARY_TEST_S3_TLS_ENDPOINT").empty())
      GTEST_SKIP() << "no VOLARY_TEST_S3_TLS_ENDPOINT: start-rgw.sh --tls-port offers one";
    if (is_s3) open_s3();
    if ((GetParam() == Kind::swift || GetParam() == Kind::s3_of_swift) && !has_swift_server())
      GTEST_SKIP() << no_swift_server;
    if (GetParam() == Kind::swift) open_swift();
    if (GetParam() == Kind::s3_of_swift) open_s3_of_swift();
    if (GetParam() == Kind::memory) remote_ = open_memory_remote();
    if (GetParam() == Kind::with_retries) remote_ = with_retries(open_memory_remote());
    if (GetParam() == Kind::directory) {
      root_ = Path(::testing::TempDir()) / ("volary-remote-" + random_hex(8));
      make_directory(root_);
      remote_ = open_directory_remote(root_);
    }
  }
  void TearDown() override {
    if (swift_) empty_and_remove();
    remote_.reset();
    if (!root_.empty()) remove_tree(root_);
  }

  void open_s3() {
    bucket_ = std::make_unique<TestBucket>();
    http_ = make_http_client({.ca_file = environment("VOLARY_TEST_S3_TLS_CA")});
    S3Options options = bucket_->options;
    if (GetParam() == Kind::s3_virtual_host) {
      const std::string address = options.endpoint.substr(7);
      options.endpoint = "http://" + environment("VOLARY_TEST_S3_VIRTUAL_HOST") + address.substr(address.find(':'));
      options.virtual_host = true;
      options.connect_to = address;
    }
    if (GetParam() == Kind::s3_tls) options.endpoint = environment("VOLARY_TEST_S3_TLS_ENDPOINT");
    remote_ = open_s3_remote(options, *http_, system_clock());
  }

  void open_swift() {
    http_ = make_http_client();
    swift_ = open_swift_account(swift_options(), *http_);
    swift_container_ = "volary-test-" + random_hex(8);
    swift_->create_bucket(swift_container_);
    SwiftOptions options = swift_options();
    options.container = swift_container_;
    options.segmented_bytes_min = 32 << 20;  // So that objects of both kinds are met.
    remote_ = open_swift_remote(options, *http_);
  }
  // Swift's own words for another implementation of S3.
  void open_s3_of_swift() {
    http_ = make_http_client();
    S3Options options;
    options.endpoint = environment("VOLARY_TEST_SWIFT_S3_ENDPOINT");
    options.access_key = environment("VOLARY_TEST_SWIFT_USER");
    options.secret_key = environment("VOLARY_TEST_SWIFT_KEY");
    swift_ = open_s3_account(options, *http_, system_clock());
    swift_container_ = "volary-test-" + random_hex(8);
    swift_->create_bucket(swift_container_);
    options.bucket = swift_container_;
    remote_ = open_s3_remote(options, *http_, system_clock());
  }
  void empty_and_remove() {
    const auto container = swift_->open(swift_container_);
    std::vector<std::string> all;
    container->list("", [&](const RemoteObject& object) { all.push_back(object.key); });
    for_each_index(all.size(), 8, [&](size_t i) { container->remove(all[i]); });
    swift_->remove_bucket(swift_container_);
    // No segment was forgotten: their container could go too.
    for (const Bucket& bucket : swift_->list_buckets()) EXPECT_NE(bucket.name, swift_container_ + "_segments");
  }

  bool is_directory() const { return GetParam() == Kind::directory; }

  std::vector<std::string> keys(const std::string& prefix = "") {
    std::vector<std::string> found;
    remote_->list(prefix, [&](const RemoteObject& object) { found.push_back(object.key); });
    return found;
  }

  Path root_;
  std::unique_ptr<TestBucket> bucket_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<Account> swift_;
  std::string swift_container_;
  std::unique_ptr<Remote> remote_;
};

TEST_P(RemoteContract, GivesBackWhatItWasGivenWhateverItsSize) {
  for (const size_t size : {0ul, 1ul, 4095ul, 65536ul, block_bytes - 1, block_bytes, block_bytes + 1, 3'000'001ul}) {
    const std::string bytes = some_bytes(size, size);
    const RemoteObject stored = put(*remote_, "dir/object", bytes);
    EXPECT_EQ(stored.key, "dir/object");
    EXPECT_EQ(stored.size, size);
    EXPECT_NE(stored.etag, "");
    EXPECT_TRUE(stored.modified);
    StringSink sink;
    const RemoteObject got = remote_->get("dir/object", {}, sink);
    EXPECT_TRUE(sink.text == bytes) << size;
    EXPECT_EQ(got.size, size);
    EXPECT_EQ(got.etag, stored.etag);
    const auto found = remote_->find("dir/object");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->size, size);
    EXPECT_EQ(found->etag, stored.etag);
  }
}

TEST_P(RemoteContract, GivesBackLargeObjectsRoundTheLimitsOfParts) {
  constexpr size_t limit = 16 << 20;
  for (const size_t size : {limit - 1, limit, limit + 1, 2 * limit, 2 * limit + 1}) {
    const std::string bytes = some_bytes(size, size);
    const RemoteObject stored = put(*remote_, "large", bytes);
    EXPECT_EQ(stored.size, size);
    EXPECT_NE(stored.etag, "");
    EXPECT_EQ(remote_->find("large")->etag, stored.etag);
    EXPECT_TRUE(get(*remote_, "large") == bytes) << size;
    EXPECT_TRUE(get(*remote_, "large", {.range = Range{limit - 5, 4}, .if_match = stored.etag}) ==
                bytes.substr(limit - 5, 4));
    EXPECT_EQ(bucket_ ? bucket_->unfinished_uploads() : 0, 0u);
  }
}

TEST_P(RemoteContract, TakesOddKeys) {
  std::vector<std::string> odd = {"sp ace", "pl+us", "per%cent", "per%20cent", "\xc3\xbc\x6e\xc3\xaf", "\xe6\xbc\xa2",
                                  "dt=2024-05-22/x.parquet", "til~de", "amp&lt<>\"'", "q?x=y#z",
                                  "emoji\xf0\x9f\x98\x80",
                                  "trail ", " lead", "a@b:(c)!x,y;z'*$[]", "back\\slash", "a\tb", "-._~", "..a", "a.."};
  if (!is_directory()) odd.insert(odd.end(), {"a//b", "/lead", "dir/", "a/../b", "./c", "d/.", "new\nline"});
  for (const std::string& key : odd) {
    put(*remote_, key, "the bytes of " + key);
    EXPECT_EQ(get(*remote_, key), "the bytes of " + key) << key;
    EXPECT_TRUE(remote_->find(key)) << key;
  }
  std::sort(odd.begin(), odd.end());
  EXPECT_EQ(keys(), odd);
  for (const std::string& key : odd) EXPECT_EQ(keys(key).at(0), key);
  for (const std::string& key : odd) remote_->remove(key);
  EXPECT_EQ(keys(), std::vector<std::string>{});
}

TEST_P(RemoteContract, GivesRangesExactlyOrNotAtAll) {
  const std::string bytes = some_bytes(10'000);
  const RemoteObject stored = put(*remote_, "object", bytes);
  EXPECT_EQ(get(*remote_, "object", {.range = Range{0, 1}}), bytes.substr(0, 1));
  EXPECT_EQ(get(*remote_, "object", {.range = Range{9'999, 1}}), bytes.substr(9'999));
  EXPECT_EQ(get(*remote_, "object", {.range = Range{1'234, 5'678}}), bytes.substr(1'234, 5'678));
  EXPECT_EQ(get(*remote_, "object", {.range = Range{0, 10'000}}), bytes);
  EXPECT_EQ(get(*remote_, "object", {.range = Range{5, 0}}), "");
  EXPECT_EQ(get(*remote_, "object", {.range = Range{10'000, 0}}), "");
  StringSink sink;
  EXPECT_EQ(remote_->get("object", {.range = Range{7, 3}}, sink).size, 10'000u);
  for (const Range range : {Range{9'999, 2}, Range{10'000, 1}, Range{10'001, 0}, Range{20'000, 5}, Range{0, 10'001}}) {
    StringSink nothing;
    const auto error = error_of([&] { remote_->get("object", {.range = range}, nothing); });
    ASSERT_TRUE(error) << range.offset << " " << range.size;
    EXPECT_EQ(error->code(), Errc::invalid) << error->what();
    EXPECT_EQ(nothing.text, "");
  }
}

TEST_P(RemoteContract, RefusesAnotherObjectThanTheOneExpected) {
  const RemoteObject first = put(*remote_, "object", "first");
  EXPECT_EQ(get(*remote_, "object", {.if_match = first.etag}), "first");
  const RemoteObject second = put(*remote_, "object", "second!");
  EXPECT_NE(first.etag, second.etag);
  for (const std::optional<Range>& range : {std::optional<Range>(), std::optional<Range>(Range{1, 2})}) {
    StringSink sink;
    const auto error = error_of([&] { remote_->get("object", {.range = range, .if_match = first.etag}, sink); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), Errc::conflict) << error->what();
    EXPECT_EQ(sink.text, "");
  }
  EXPECT_EQ(get(*remote_, "object", {.range = Range{1, 2}, .if_match = second.etag}), "ec");
}

TEST_P(RemoteContract, ReplacesWhatIsThere) {
  put(*remote_, "object", "a longer text");
  put(*remote_, "object", "short");
  EXPECT_EQ(get(*remote_, "object"), "short");
  EXPECT_EQ(keys(), std::vector<std::string>{"object"});
}

TEST_P(RemoteContract, CopiesUnderOtherNames) {
  const std::string bytes = some_bytes(300'000);
  const RemoteObject stored = put(*remote_, "from/a b+c", bytes);
  put(*remote_, "to", "an older one");
  for (const char* key : {"to", "other/di rec+tory/\xc3\xbc", "from/a b+c"}) {
    const RemoteObject copied = remote_->copy("from/a b+c", key);
    EXPECT_EQ(copied.key, key);
    EXPECT_EQ(copied.size, bytes.size());
    EXPECT_EQ(copied.etag, remote_->find(key)->etag);
    EXPECT_TRUE(get(*remote_, key) == bytes) << key;
  }
  put(*remote_, "empty", "");
  EXPECT_EQ(remote_->copy("empty", "to").size, 0u);
  EXPECT_EQ(get(*remote_, "to"), "");
  const auto error = error_of([&] { remote_->copy("absent", "to"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::not_found);
  EXPECT_EQ(get(*remote_, "to"), "");
}

TEST_P(RemoteContract, ListsInByteOrderOfWholeKeys) {
  std::vector<std::string> all = {"a.txt", "a/b", "a/b.c", "a/b/c", "a0", "a-b", "a/", "Z", "z", "\xc3\xa9", "a b",
                                  "aa/a", "a/b!", "a/b0/x"};
  if (is_directory()) std::erase(all, "a/"), std::erase(all, "a/b/c");  // Names of directories there.
  for (const std::string& key : all) put(*remote_, key, key);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(keys(), all);
  for (const std::string prefix : {"a", "a/", "a/b", "a/b/", "a.", "Z", "nothing", "a/b0/x", "a/b0/x/"}) {
    std::vector<std::string> expected;
    for (const std::string& key : all)
      if (key.starts_with(prefix)) expected.push_back(key);
    EXPECT_EQ(keys(prefix), expected) << prefix;
  }
}

TEST_P(RemoteContract, ListsWhatFindSays) {
  for (const char* key : {"one", "two/three"}) put(*remote_, key, std::string("bytes of ") + key);
  size_t count = 0;
  remote_->list("", [&](const RemoteObject& object) {
    const auto found = remote_->find(object.key);
    ASSERT_TRUE(found);
    EXPECT_EQ(object.size, found->size);
    EXPECT_EQ(object.etag, found->etag);
    EXPECT_LT(std::abs(object.modified.micros - found->modified.micros), 1'000'000);  // HTTP has whole seconds.
    ++count;
  });
  EXPECT_EQ(count, 2u);
}

TEST_P(RemoteContract, ListsMoreThanAPage) {
  std::vector<std::string> all;
  const int count = swift_ ? 252 : 2'500;  // Swift is slow, and asked for smaller pages.
  for (int i = 0; i < count; ++i) all.push_back(fmt::format("{:02}/object {:04}", i % 7, i));
  for_each_index(all.size(), 8, [&](size_t i) { put(*remote_, all[i], "x"); });
  std::sort(all.begin(), all.end());
  EXPECT_TRUE(keys() == all);
  EXPECT_EQ(keys("03/").size(), swift_ ? 36u : 357u);
}

TEST_P(RemoteContract, KnowsWhatIsAbsent) {
  put(*remote_, "there", "x");
  EXPECT_EQ(remote_->find("absent"), std::nullopt);
  EXPECT_EQ(remote_->find("there/below"), std::nullopt);
  StringSink sink;
  const auto error = error_of([&] { remote_->get("absent", {}, sink); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::not_found);
  EXPECT_NE(error->message().find("there is no 'absent' in " + remote_->description()), std::string::npos)
      << error->what();
  remote_->remove("absent");
  remote_->remove("there");
  remote_->remove("there");
  EXPECT_EQ(remote_->find("there"), std::nullopt);
}

TEST_P(RemoteContract, KeepsNothingOfASourceThatEndsTooEarly) {
  put(*remote_, "object", "the old one");
  for (const uint64_t size : {100ull, 40ull << 20}) {
    const std::string bytes = some_bytes(size / 2);
    StringSource source(bytes);
    const auto error = error_of([&] { remote_->put("object", source, size); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), Errc::corrupt) << error->what();
  }
  EXPECT_EQ(get(*remote_, "object"), "the old one");
  EXPECT_EQ(keys(), std::vector<std::string>{"object"});
  EXPECT_EQ(bucket_ ? bucket_->unfinished_uploads() : 0, 0u);
}

TEST_P(RemoteContract, PassesOnWhatTheSinkThrows) {
  class Full final : public Sink {
    void write(std::string_view) override { throw Error(Errc::exhausted, "the disk is full"); }
  };
  put(*remote_, "object", some_bytes(100'000));
  Full full;
  EXPECT_EQ(error_text([&] { remote_->get("object", {}, full); }), "exhausted: the disk is full");
  EXPECT_EQ(get(*remote_, "object").size(), 100'000u);
}

TEST_P(RemoteContract, PassesOnWhatTheVisitorThrows) {
  put(*remote_, "object", "x");
  const auto stop = [](const RemoteObject&) { throw Error(Errc::unavailable, "enough seen"); };
  EXPECT_EQ(error_text([&] { remote_->list("", stop); }), "unavailable: enough seen");
}

TEST_P(RemoteContract, RefusesAnEmptyKey) {
  const std::string expected = "invalid: the key of an object is empty";
  EXPECT_EQ(error_text([&] { put(*remote_, "", "x"); }), expected);
  EXPECT_EQ(error_text([&] { get(*remote_, ""); }), expected);
  EXPECT_EQ(error_text([&] { remote_->find(""); }), expected);
  EXPECT_EQ(error_text([&] { remote_->remove(""); }), expected);
}

TEST_P(RemoteContract, ShowsObjectsOnlyWhole) {
  const std::string a(300'000, 'a');
  const std::string b(300'000, 'b');
  put(*remote_, "object", a);
  std::jthread writer([&] {
    for (int i = 0; i < 20; ++i) put(*remote_, "object", i % 2 ? a : b);
  });
  for (int i = 0; i < 20; ++i) {
    StringSink sink;
    if (error_of([&] { remote_->get("object", {}, sink); })) continue;  // Noticed that it was replaced meanwhile.
    EXPECT_TRUE(sink.text == a || sink.text == b);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, RemoteContract,
                         ::testing::Values(Kind::memory, Kind::directory, Kind::s3_path, Kind::s3_virtual_host,
                                           Kind::s3_tls, Kind::with_retries, Kind::swift, Kind::s3_of_swift),
                         [](const auto& kind) { return name_of_kind(kind.param); });

// The sorting of a directory's walk against the plain sorting of keys.
RC_GTEST_PROP(DirectoryOrder, IsByteOrderForAnyTree, ()) {
  const auto part = rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab.-0 +~")));
  const auto parts = *rc::gen::container<std::vector<std::vector<std::string>>>(
      rc::gen::container<std::vector<std::string>>(part));
  const Path root = Path(::testing::TempDir()) / ("volary-order-" + random_hex(8));
  make_directory(root);
  const auto remote = open_directory_remote(root);
  std::set<std::string> expected;
  for (const auto& one : parts) {
    std::string key;
    for (const std::string& name : one) key += (key.empty() ? "" : "/") + name;
    if (!error_of([&] { put(*remote, key, ""); })) expected.insert(key);
  }
  std::vector<std::string> found;
  remote->list("", [&](const RemoteObject& object) { found.push_back(object.key); });
  remove_tree(root);
  RC_ASSERT(found == std::vector<std::string>(expected.begin(), expected.end()));
}

}  // namespace
}  // namespace volary
