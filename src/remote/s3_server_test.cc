// remote/s3_server_test.cc: a real S3 server: its refusals, and a network between that breaks.
#include <gtest/gtest.h>

#include "net/scripted_server.h"
#include "remote/remote_words.h"
#include "remote/s3_connection.h"
#include "remote/s3_copy.h"
#include "remote/s3_under_test.h"

namespace volary {
namespace {

// What happens to a connection after so many bytes went through it in one direction.
struct Fault {
  enum class Way { down, up } way = Way::down;
  uint64_t after_bytes = UINT64_MAX;
  enum class Act { close, reset, flip_a_bit } act = Act::close;
};

// Passes bytes between clients and the server; each connection has the next fault of the list, then none.
class FaultyProxy {
 public:
  FaultyProxy(const std::string& target, std::vector<Fault> faults)
      : port_(static_cast<uint16_t>(std::stoul(target.substr(target.rfind(':') + 1)))), faults_(std::move(faults)),
        server_([this](Peer& peer, size_t connection) { pass(peer, connection); }) {}
  std::string url() const { return server_.url(); }
  size_t connections() const { return server_.connections(); }

 private:
  void pass(Peer& peer, size_t connection) {
    const Fault fault = connection < faults_.size() ? faults_[connection] : Fault{};
    const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return;
    uint64_t up = 0, down = 0;
    for (;;) {
      pollfd ready[2] = {{peer.fd(), POLLIN, 0}, {server.get(), POLLIN, 0}};
      ::poll(ready, 2, -1);
      if (ready[0].revents && !move(peer.fd(), server.get(), up, fault, Fault::Way::up)) break;
      if (ready[1].revents && !move(server.get(), peer.fd(), down, fault, Fault::Way::down)) break;
    }
    const uint64_t moved = fault.way == Fault::Way::up ? up : down;
    if (fault.act == Fault::Act::reset && moved >= fault.after_bytes) peer.reset();
  }
  static bool move(int from, int to, uint64_t& moved, const Fault& fault, Fault::Way way) {
    char block[65536];
    const ssize_t received = ::recv(from, block, sizeof block, 0);
    if (received <= 0) return false;
    auto size = static_cast<size_t>(received);
    const bool is_due = fault.way == way && moved <= fault.after_bytes && fault.after_bytes < moved + size;
    if (is_due && fault.act == Fault::Act::flip_a_bit) block[fault.after_bytes - moved] ^= 1;
    if (is_due && fault.act != Fault::Act::flip_a_bit) size = fault.after_bytes - moved;
    for (size_t sent = 0; sent < size;) {
      const ssize_t more = ::send(to, block + sent, size - sent, MSG_NOSIGNAL);
      if (more <= 0) return false;
      sent += static_cast<size_t>(more);
    }
    moved += size;
    return !is_due || fault.act == Fault::Act::flip_a_bit;
  }

  const uint16_t port_;
  const std::vector<Fault> faults_;
  ScriptedServer server_;
};

class S3Server : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_s3_server()) GTEST_SKIP() << no_s3_server;
    bucket = std::make_unique<TestBucket>();
    retries.sleep = [this](std::chrono::milliseconds) { ++waits; };
  }
  std::unique_ptr<Remote> remote() { return open_s3_remote(bucket->options, *bucket->http, system_clock(), retries); }
  // The same bucket through a network with these faults.
  std::unique_ptr<Remote> remote_behind(std::vector<Fault> faults) {
    proxy = std::make_unique<FaultyProxy>(bucket->options.endpoint, std::move(faults));
    S3Options options = bucket->options;
    options.endpoint = proxy->url();
    return with_retries(open_s3_remote(options, *bucket->http, system_clock(), retries), retries);
  }

  std::unique_ptr<TestBucket> bucket;
  std::unique_ptr<FaultyProxy> proxy;
  RetryOptions retries;
  std::atomic<int> waits{0};
};

// Every verb ends with this code and a message that holds this text, and none with a secret.
void expect_refused(Remote& remote, Errc code, const std::string& text) {
  const std::string large = some_bytes(20'000'000);
  const std::vector<std::function<void()>> verbs = {
      [&] { get(remote, "k"); },      [&] { put(remote, "k", "x"); },         [&] { put(remote, "k", large); },
      [&] { remote.find("k"); },      [&] { remote.list("", [](const RemoteObject&) {}); },
      [&] { remote.remove("k"); }};
  for (size_t i = 0; i < verbs.size(); ++i) {
    const auto error = error_of(verbs[i]);
    ASSERT_TRUE(error) << i;
    EXPECT_EQ(error->code(), code) << i << " " << error->what();
    EXPECT_NE(error->message().find(text), std::string::npos) << i << " " << error->what();
    EXPECT_EQ(error->message().find(environment("VOLARY_TEST_S3_SECRET_KEY")), std::string::npos);
    EXPECT_EQ(error->message().find("Signature="), std::string::npos);
  }
}

TEST_F(S3Server, NamesABucketThatDoesNotExist) {
  S3Options options = bucket->options;
  options.bucket = "volary-no-such-bucket";
  expect_refused(*open_s3_remote(options, *bucket->http, system_clock()), Errc::not_found,
                 "there is no s3 bucket 'volary-no-such-bucket' at " + options.endpoint + " (NoSuchBucket)");
}

TEST_F(S3Server, DeniesAWrongSecret) {
  S3Options options = bucket->options;
  options.secret_key += "x";
  expect_refused(*open_s3_remote(options, *bucket->http, system_clock()), Errc::denied, "403 SignatureDoesNotMatch");
}

TEST_F(S3Server, DeniesAnUnknownKey) {
  S3Options options = bucket->options;
  options.access_key = "NOBODYSACCESSKEY0000";
  expect_refused(*open_s3_remote(options, *bucket->http, system_clock()), Errc::denied, "403 InvalidAccessKeyId");
}

TEST_F(S3Server, DeniesTheAnonymous) {
  S3Options options = bucket->options;
  options.access_key = "";
  expect_refused(*open_s3_remote(options, *bucket->http, system_clock()), Errc::denied, "403 AccessDenied");
}

TEST_F(S3Server, IsAskedWithItsOwnTimeIfThisClockIsOff) {
  FakeClock slow(system_clock().now().plus_seconds(-86'400));
  const auto off = open_s3_remote(bucket->options, *bucket->http, slow);
  put(*off, "k", "bytes");
  EXPECT_EQ(get(*off, "k"), "bytes");
}

TEST_F(S3Server, GivesTheWholeObjectThroughANetworkThatBreaksOff) {
  const std::string bytes = some_bytes(5'000'000);
  put(*remote(), "k", bytes);
  for (const auto act : {Fault::Act::close, Fault::Act::reset}) {
    const auto broken = remote_behind({{.after_bytes = 1'000'000, .act = act}, {.after_bytes = 2'000'000, .act = act}});
    EXPECT_TRUE(get(*broken, "k") == bytes);
    EXPECT_EQ(proxy->connections(), 3u);
    EXPECT_TRUE(get(*broken, "k", {.range = Range{1'000, 3'000'000}}) == bytes.substr(1'000, 3'000'000));
  }
}

TEST_F(S3Server, ReportsATruncatedBodyIfNobodyRetries) {
  const std::string bytes = some_bytes(1'000'000);
  put(*remote(), "k", bytes);
  for (uint64_t sixteenth = 0; sixteenth < 16; ++sixteenth) {
    const FaultyProxy cutting(bucket->options.endpoint, {{.after_bytes = sixteenth * 62'500}});
    S3Options options = bucket->options;
    options.endpoint = cutting.url();
    StringSink sink;
    const auto client = make_http_client();
    const auto error = error_of([&] { open_s3_remote(options, *client, system_clock())->get("k", {}, sink); });
    ASSERT_TRUE(error) << sixteenth;
    EXPECT_EQ(error->code(), Errc::unavailable);
    EXPECT_LT(sink.text.size(), bytes.size());
  }
}

TEST_F(S3Server, StoresThroughANetworkThatBreaksOff) {
  const std::string small = some_bytes(1'000'000);
  const std::string large = some_bytes(40'000'000);
  using enum Fault::Way;
  using enum Fault::Act;
  auto broken = remote_behind({{up, 500'000, reset}, {up, 900'000, close}});
  put(*broken, "small", small);
  EXPECT_TRUE(get(*remote(), "small") == small);
  // The first connection begins the upload and sends a part; one of the others loses the answer to its own.
  broken = remote_behind({{up, 9'000'000, reset}, {down, 0, close}, {up, 15'000'000, close}});
  put(*broken, "large", large);
  EXPECT_TRUE(get(*remote(), "large") == large);
  EXPECT_EQ(bucket->unfinished_uploads(), 0u);
}

TEST_F(S3Server, SendsAgainWhatWasChangedOnTheWay) {
  using enum Fault::Way;
  using enum Fault::Act;
  const std::string bytes = some_bytes(1'000'000);
  const auto flipping = remote_behind({{up, 700'000, flip_a_bit}});
  put(*flipping, "k", bytes);
  EXPECT_TRUE(get(*remote(), "k") == bytes);
  EXPECT_EQ(waits, 1);
}

TEST_F(S3Server, ListsEverythingThroughANetworkThatBreaksOff) {
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) expected.push_back(fmt::format("object-{:04}", i));
  for (const std::string& key : expected) put(*remote(), key, "");
  std::vector<std::string> found;
  remote_behind({{.after_bytes = 10'000}, {.after_bytes = 50'000, .act = Fault::Act::reset}})
      ->list("", [&](const RemoteObject& object) { found.push_back(object.key); });
  EXPECT_EQ(found, expected);
}

TEST_F(S3Server, LeavesNothingBehindWhenAnUploadFails) {
  class Breaking final : public Source {
    size_t read(std::span<char> to) override {
      if (++reads_ > 3) throw Error(Errc::exhausted, "the tape is torn");
      return std::min<size_t>(to.size(), 16 << 20);
    }
    int reads_ = 0;
  };
  Breaking source;
  EXPECT_EQ(error_text([&] { remote()->put("k", source, 200 << 20); }),
            "exhausted: the tape is torn\n     while reading part 4 of 13");
  EXPECT_EQ(bucket->unfinished_uploads(), 0u);
  EXPECT_EQ(remote()->find("k"), std::nullopt);
}

TEST_F(S3Server, CopiesByPartsWhatIsTooLargeForOneRequest) {
  const std::string bytes = some_bytes(11 << 20);
  put(*remote(), "large", bytes);
  S3Connection connection(bucket->options, *bucket->http, system_clock());
  Retries tries(retries);
  const RemoteObject copied = copy_in_s3(connection, "large", connection, "copy of it", tries, 1 << 20, 5 << 20);
  EXPECT_EQ(copied.key, "copy of it");
  EXPECT_EQ(copied.size, bytes.size());
  EXPECT_TRUE(copied.etag.ends_with("-3")) << copied.etag;
  EXPECT_TRUE(get(*remote(), "copy of it") == bytes);
  EXPECT_EQ(bucket->unfinished_uploads(), 0u);
}

TEST_F(S3Server, MovesManyObjectsByManyThreadsOverFewConnections) {
  const auto counting = remote_behind({});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) put(*counting, fmt::format("{}/{}", t, i), fmt::format("{}-{}", t, i));
      for (int i = 0; i < 20; ++i) EXPECT_EQ(get(*counting, fmt::format("{}/{}", t, i)), fmt::format("{}-{}", t, i));
    });
  threads.clear();
  EXPECT_LE(proxy->connections(), 8u);
}

}  // namespace
}  // namespace volary
