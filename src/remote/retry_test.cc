// remote/retry_test.cc: how often, how long and what is tried again.
#include "remote/retry.h"

#include <gtest/gtest.h>

#include "remote/memory_remote.h"
#include "remote/remote_words.h"

namespace volary {
namespace {

using std::chrono::milliseconds;

// Takes down the waits instead of waiting; its dice always show the longest.
class Waits : public Random {
 public:
  RetryOptions options() {
    return {.random = this, .sleep = [this](milliseconds time) { list.push_back(time.count()); }};
  }
  std::string bytes(size_t count) override { return SeededRandom(++seed_).bytes(count); }
  std::vector<int64_t> list;

 private:
  uint64_t seed_ = 0;
};

// A memory remote that fails as told: the next `failures` calls, a get after `bytes_first` bytes, a list after a visit.
class Failing final : public Remote {
 public:
  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    ++calls;
    inner->list(prefix, [&](const RemoteObject& object) {
      visit(object);
      fail();
    });
  }
  std::optional<RemoteObject> find(const std::string& key) override { return inner->find(key); }
  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override {
    ++calls;
    asked.push_back(options);
    if (failures > 0 && bytes_first > 0) {
      const uint64_t from = options.range ? options.range->offset : 0;
      inner->get(key, {.range = Range{from, bytes_first}, .if_match = options.if_match}, sink);
    }
    fail();
    return inner->get(key, options, sink);
  }
  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    ++calls;
    if (reads_first) {
      char byte = 0;
      source.read({&byte, 1});
    }
    fail();
    return inner->put(key, source, size);
  }
  void remove(const std::string& key) override {
    ++calls;
    fail();
    inner->remove(key);
  }
  std::string description() const override { return "failing memory"; }

  void fail() {
    if (failures == 0) return;
    --failures;
    Error error(code, "not now");
    error.set_backoff_millis(backoff);
    throw error;
  }

  std::unique_ptr<Remote> inner = open_memory_remote();
  int failures = 0;
  int calls = 0;
  Errc code = Errc::unavailable;
  int64_t backoff = 0;
  uint64_t bytes_first = 0;
  bool reads_first = false;
  std::vector<GetOptions> asked;
};

class Retrying : public ::testing::Test {
 protected:
  Retrying() {
    auto owned = std::make_unique<Failing>();
    failing = owned.get();
    remote = with_retries(std::move(owned), waits.options());
  }
  Waits waits;
  Failing* failing;
  std::unique_ptr<Remote> remote;
};

TEST_F(Retrying, TriesThreeTimesWithGrowingRandomWaits) {
  failing->failures = 2;
  remote->remove("x");
  EXPECT_EQ(failing->calls, 3);
  ASSERT_EQ(waits.list.size(), 2u);
  EXPECT_LE(waits.list[0], 50);
  EXPECT_LE(waits.list[1], 100);
  failing->failures = 3;
  EXPECT_EQ(error_text([&] { remote->remove("x"); }), "unavailable: not now");
  EXPECT_EQ(failing->failures, 0);
}

TEST_F(Retrying, WaitsRandomlyOverTheWholeTimeAndLongerIfAskedTo) {
  failing->backoff = 1000;
  int64_t least = 2000, most = 0;
  for (int i = 0; i < 100; ++i) {
    failing->failures = 1;
    remote->remove("x");
    least = std::min(least, waits.list.back());
    most = std::max(most, waits.list.back());
  }
  EXPECT_LT(least, 100);
  EXPECT_GT(most, 900);
  EXPECT_LE(most, 1000);
}

TEST_F(Retrying, RepeatsNothingThatFailedForGood) {
  for (const Errc code : {Errc::denied, Errc::not_found, Errc::conflict, Errc::corrupt, Errc::invalid}) {
    failing->failures = 1;
    failing->calls = 0;
    failing->code = code;
    EXPECT_TRUE(error_of([&] { remote->remove("x"); }));
    EXPECT_EQ(failing->calls, 1);
  }
}

TEST_F(Retrying, GoesOnWithAGetWhereItBrokeOff) {
  const std::string bytes = some_bytes(10'000);
  const RemoteObject object = put(*failing->inner, "x", bytes);
  failing->failures = 2;
  failing->bytes_first = 1'000;
  EXPECT_TRUE(get(*remote, "x") == bytes);
  ASSERT_EQ(failing->asked.size(), 3u);
  EXPECT_EQ(failing->asked[0].if_match, object.etag);
  EXPECT_EQ(failing->asked[2].if_match, object.etag);
  EXPECT_EQ(failing->asked[2].range->offset, 2'000u);
  EXPECT_EQ(failing->asked[2].range->size, 8'000u);

  failing->failures = 2;
  failing->bytes_first = 10;
  EXPECT_TRUE(get(*remote, "x", {.range = Range{500, 100}}) == bytes.substr(500, 100));
  failing->failures = 1;
  failing->bytes_first = 100;
  EXPECT_TRUE(get(*remote, "x", {.range = Range{500, 100}}) == bytes.substr(500, 100));
}

TEST_F(Retrying, NeverMixesTwoObjects) {
  put(*failing->inner, "x", some_bytes(10'000, 1));
  class Replacing final : public Sink {
   public:
    explicit Replacing(Remote& inner) : inner_(inner) {}
    void write(std::string_view) override { volary::put(inner_, "x", some_bytes(10'000, 2)); }

   private:
    Remote& inner_;
  };
  Replacing sink(*failing->inner);
  failing->failures = 1;
  failing->bytes_first = 1'000;
  EXPECT_EQ(error_text([&] { remote->get("x", {}, sink); }),
            "conflict: 'x' in failing memory was replaced while it was read");
}

TEST_F(Retrying, GoesOnWithAListingAfterTheLastKeyVisited) {
  for (const char* key : {"a", "b", "c"}) put(*failing->inner, key, "");
  failing->failures = 2;
  std::string visited;
  remote->list("", [&](const RemoteObject& object) { visited += object.key; });
  EXPECT_EQ(visited, "abc");
  EXPECT_EQ(failing->calls, 3);
}

TEST_F(Retrying, RepeatsAPutOnlyIfTheSourceGaveNothing) {
  failing->failures = 2;
  put(*remote, "x", "bytes");
  EXPECT_EQ(failing->calls, 3);
  failing->failures = 1;
  failing->reads_first = true;
  EXPECT_EQ(error_text([&] { put(*remote, "x", "other"); }), "unavailable: not now");
  EXPECT_EQ(get(*remote, "x"), "bytes");
}

TEST_F(Retrying, LeavesTheErrorsOfTheCallersSinkAlone) {
  class Busy final : public Sink {
    void write(std::string_view) override { throw Error(Errc::unavailable, "the disk is busy"); }
  };
  put(*failing->inner, "x", "bytes");
  Busy busy;
  EXPECT_EQ(error_text([&] { remote->get("x", {}, busy); }), "unavailable: the disk is busy");
  EXPECT_EQ(failing->calls, 1);
}

TEST_F(Retrying, StopsRetryingInAStormAndRecoversAfterIt) {
  failing->failures = 1'000'000;
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(error_of([&] { remote->remove("x"); }));
  EXPECT_EQ(waits.list.size(), 100u);  // 500 in the budget, 5 for each.
  EXPECT_EQ(failing->calls, 300);
  failing->failures = 0;
  for (int i = 0; i < 5; ++i) remote->remove("x");
  failing->failures = 1;
  remote->remove("x");
}

TEST_F(Retrying, PaysFromOneBudgetWithAllThatAskTheSameStore) {
  RetryOptions options = waits.options();
  options.budget = make_retry_budget();
  auto owned = std::make_unique<Failing>();
  Failing& other = *owned;
  const auto one = with_retries(std::move(owned), options);
  owned = std::make_unique<Failing>();
  Failing& another = *owned;
  const auto two = with_retries(std::move(owned), options);
  other.failures = another.failures = 1'000'000;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(error_of([&] { one->remove("x"); }));
  EXPECT_EQ(other.calls, 150);
  EXPECT_TRUE(error_of([&] { two->remove("x"); }));
  EXPECT_EQ(another.calls, 1);
  EXPECT_TRUE(error_of([&] { remote->remove("x"); }) == std::nullopt);  // Of another store.
}

}  // namespace
}  // namespace volary
