// net/http_client_test.cc: the client against servers that behave, break off, lie and fall silent.
#include "net/http_client.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "core/file.h"
#include "net/scripted_server.h"

namespace volary {
namespace {

// The message of the Error that `work` ends with.
template <class Work>
std::string error_text(Work work) {
  try {
    work();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

ScriptedServer::Script always(std::string status, std::string body, std::string headers = "") {
  return [=](Peer& peer, size_t) {
    while (peer.read_request()) peer.answer(status, body, headers);
  };
}

enum class Way { tcp, tcp_by_curl, unix_socket };

std::set<std::string>& asked_by_curl() {  // Servers, by URL.
  static std::set<std::string> all;
  return all;
}

std::map<std::string, std::string>& sockets() {  // Of the servers that have one, by URL.
  static std::map<std::string, std::string> all;
  return all;
}

// A scripted server that is reached in one way or the other by the same URL.
class Server {
 public:
  Server(Way way, ScriptedServer::Script script)
      : socket_(way == Way::unix_socket
                    ? fmt::format("{}volary-http-{}-{}", ::testing::TempDir(), ::getpid(), made++) : ""),
        scripted_(std::move(script), socket_) {
    if (way == Way::unix_socket) sockets()[url()] = socket_;
    if (way == Way::tcp_by_curl) asked_by_curl().insert(url());
  }
  ~Server() {
    sockets().erase(url());
    asked_by_curl().erase(url());
    if (!socket_.empty()) ::unlink(socket_.c_str());
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  std::string url() const {
    return socket_.empty() ? scripted_.url() : "http://of" + socket_.substr(socket_.rfind('-'));
  }
  size_t connections() const { return scripted_.connections(); }

 private:
  static inline int made = 0;
  const std::string socket_;
  ScriptedServer scripted_;
};

// Asks each server in its way.
class FindingClient final : public HttpClient {
 public:
  HttpResponse send(const HttpRequest& request, Sink* sink) override {
    HttpRequest asked = request;
    const std::string server = request.url.substr(0, request.url.find('/', sizeof "http://"));
    if (const auto found = sockets().find(server); found != sockets().end()) asked.unix_socket = found->second;
    asked.follow_redirects |= asked_by_curl().contains(server);  // There are none to follow.
    return client_->send(asked, sink);
  }

 private:
  const std::unique_ptr<HttpClient> client_ = make_http_client();
};

std::unique_ptr<HttpClient> make_client() { return std::make_unique<FindingClient>(); }

// What holds over TCP, with libcurl's parser or ours, and over Unix sockets alike.
class HttpClientEitherWay : public testing::TestWithParam<Way> {};
std::string way_text(const testing::TestParamInfo<Way>& way) {
  constexpr std::array names = {"Tcp", "TcpByCurl", "UnixSockets"};
  return names.at(static_cast<size_t>(way.param));
}
INSTANTIATE_TEST_SUITE_P(Over, HttpClientEitherWay, testing::Values(Way::tcp, Way::tcp_by_curl, Way::unix_socket),
                         way_text);

class Refusing final : public Sink {
 public:
  void write(std::string_view) override { throw Error(Errc::exhausted, "the disk is full"); }
};

TEST_P(HttpClientEitherWay, SendsTheUrlAsItIsAndHeadersAsTheyAre) {
  Synced<std::string> seen;
  Server server(GetParam(), [&](Peer& peer, size_t) {
    while (auto request = peer.read_request()) {
      *seen.lock() = *request;
      peer.answer("200 OK", "hello", "X-Thing:  two words \r\n");
    }
  });
  const auto client = make_client();
  const HttpResponse response = client->send({.url = server.url() + "/b/a/../b//c%2B+?x=%7E&y",
                                              .headers = {{"x-empty", ""}, {"range", "bytes=0-9"}}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.header("x-thing"), "two words");
  EXPECT_EQ(response.header("X-Thing"), std::nullopt);
  const std::string request = *seen.lock();
  EXPECT_TRUE(request.starts_with("GET /b/a/../b//c%2B+?x=%7E&y HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("\r\nx-empty:\r\n"), std::string::npos) << request;
  EXPECT_EQ(request.find("Accept-Encoding"), std::string::npos);
  EXPECT_EQ(request.find("Expect"), std::string::npos);
}

TEST_P(HttpClientEitherWay, KeepsItsConnectionForTheNextRequest) {
  Server server(GetParam(), always("200 OK", "x"));
  const auto client = make_client();
  for (int i = 0; i < 5; ++i) client->send({.url = server.url() + "/"});
  EXPECT_EQ(server.connections(), 1u);
}

TEST_P(HttpClientEitherWay, SendsBodiesOfEveryMethodWithTheirLength) {
  Synced<std::vector<std::string>> seen;
  Server server(GetParam(), [&](Peer& peer, size_t) {
    while (auto request = peer.read_request()) {
      seen.lock()->push_back(request->substr(0, request->find(' ')) + request->substr(request->find("\r\n\r\n") + 3));
      peer.answer("201 Created", "");
    }
  });
  const auto client = make_client();
  for (const char* method : {"PUT", "POST", "PATCH", "DELETE"})
    EXPECT_EQ(client->send({.method = method, .url = server.url() + "/", .body = "the body"}).status, 201);
  const std::string large(5'000'000, 'x');
  StringSource source(large);
  client->send({.method = "PUT", .url = server.url() + "/", .source = &source, .source_bytes = large.size()});
  client->send({.method = "POST", .url = server.url() + "/"});
  EXPECT_EQ(*seen.lock(), (std::vector<std::string>{"PUT\nthe body", "POST\nthe body", "PATCH\nthe body",
                                                    "DELETE\nthe body", "PUT\n" + large, "POST\n"}));
}

TEST_P(HttpClientEitherWay, RefusesASourceThatEndsTooEarly) {
  Server server(GetParam(), always("200 OK", ""));
  StringSource source("1234");
  EXPECT_EQ(error_text([&] {
              make_client()->send({.method = "PUT", .url = server.url() + "/k?secret=1", .source = &source,
                                        .source_bytes = 10});
            }),
            "corrupt: the body to send to " + server.url() + "/k ended after 4 of 10 bytes");
}

TEST_P(HttpClientEitherWay, GivesTheBodyOfA2xxToTheSinkAndOthersToTheResponse) {
  Server good(GetParam(), always("206 Partial Content", "to the sink"));
  Server bad(GetParam(), always("404 Not Found", "to the response"));
  const auto client = make_client();
  StringSink sink;
  EXPECT_EQ(client->send({.url = good.url() + "/"}, &sink).body, "");
  EXPECT_EQ(sink.text, "to the sink");
  EXPECT_EQ(client->send({.url = bad.url() + "/"}, &sink).body, "to the response");
  EXPECT_EQ(sink.text, "to the sink");
}

// Each piece ends at a block's end or before it.
class WithinBlocks final : public Sink {
 public:
  void write(std::string_view bytes) override {
    EXPECT_EQ(came / block_bytes, (came + bytes.size() - 1) / block_bytes) << came << " and " << bytes.size();
    came += bytes.size();
  }
  uint64_t came = 0;
};

TEST(HttpClient, GivesTheBlocksOfALongBodyUndivided) {
  const std::string body(5 * block_bytes + 777, 'x');
  for (const Way way : {Way::tcp, Way::unix_socket}) {
    Server server(way, always("200 OK", body));
    WithinBlocks sink;
    make_client()->send({.url = server.url()}, &sink);
    EXPECT_EQ(sink.came, body.size());
  }
}

TEST_P(HttpClientEitherWay, PassesOnWhatSinkAndOnHeadersThrow) {
  Server server(GetParam(), always("200 OK", "some bytes"));
  const auto client = make_client();
  Refusing refusing;
  EXPECT_EQ(error_text([&] { client->send({.url = server.url() + "/"}, &refusing); }),
            "exhausted: the disk is full");
  StringSink sink;
  const auto refuse = [](const HttpResponse& r) { throw Error(Errc::corrupt, "not this one: {}", r.status); };
  EXPECT_EQ(error_text([&] { client->send({.url = server.url() + "/", .on_headers = refuse}, &sink); }),
            "corrupt: not this one: 200");
  EXPECT_EQ(error_text([&] { client->send({.method = "HEAD", .url = server.url() + "/", .on_headers = refuse}); }),
            "corrupt: not this one: 200");
  EXPECT_EQ(sink.text, "");
  EXPECT_EQ(client->send({.url = server.url() + "/"}).body, "some bytes");
}

TEST_P(HttpClientEitherWay, CallsABodyShorterThanSaidUnavailable) {
  Server server(GetParam(), [](Peer& peer, size_t connection) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    if (connection == 1) peer.reset();
  });
  StringSink sink;
  const auto client = make_client();
  EXPECT_NE(error_text([&] { client->send({.url = server.url() + "/k?signature=s"}, &sink); })
                .find("unavailable: the request to " + server.url() + "/k failed: "), std::string::npos);
  EXPECT_NE(error_text([&] { client->send({.url = server.url() + "/k"}, &sink); }).find("unavailable: "),
            std::string::npos);
}

TEST(HttpClient, CallsAServerThatIsNotThereUnavailable) {
  uint16_t port = 0;
  { port = ScriptedServer([](Peer&, size_t) {}).port(); }
  EXPECT_NE(error_text([&] { make_http_client()->send({.url = fmt::format("http://127.0.0.1:{}/", port)}); })
                .find("unavailable: the request to http://127.0.0.1:"), std::string::npos);
}

TEST_P(HttpClientEitherWay, SendsAgainOnANewConnectionWhenTheKeptOneIsDead) {
  Server server(GetParam(), [](Peer& peer, size_t) {  // One answer a connection, and no word that it closes.
    if (const auto request = peer.read_request()) peer.answer("200 OK", request->substr(request->find("\r\n\r\n") + 4));
  });
  const auto client = make_client();
  for (int i = 0; i < 500; ++i)  // Often enough to meet the moment at which writing fails.
    EXPECT_EQ(client->send({.method = "PUT", .url = server.url() + "/", .body = "again"}).body, "again");
}

TEST_P(HttpClientEitherWay, GivesUpOnAServerThatFallsSilent) {
  Server server(GetParam(), [](Peer& peer, size_t) { peer.stay_silent(); });
  EXPECT_NE(error_text([&] { make_client()->send({.url = server.url() + "/", .stall_seconds = 1}); })
                .find("does not answer, or nothing moved for 1 s"), std::string::npos);
}

TEST_P(HttpClientEitherWay, StopsWhenAsked) {
  std::stop_source stop;
  Server server(GetParam(), [&](Peer& peer, size_t) {
    peer.read_request();
    stop.request_stop();
    peer.stay_silent();
  });
  EXPECT_EQ(error_text([&] {
              make_client()->send({.url = server.url() + "/x", .stall_seconds = 0, .stop = stop.get_token()});
            }),
            "unavailable: the request to " + server.url() + "/x was stopped");
}

TEST_P(HttpClientEitherWay, TakesAnAnswerThatComesBeforeTheWholeBody) {
  Server server(GetParam(), [](Peer& peer, size_t) {
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much");
    peer.stay_silent();
  });
  const std::string large(20'000'000, 'x');
  StringSource source(large);
  const HttpResponse response = make_client()->send(
      {.method = "PUT", .url = server.url() + "/", .source = &source, .source_bytes = large.size()});
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "too much");
}

TEST_P(HttpClientEitherWay, ReadsAnswersInPiecesInChunksAndToTheEndOfTheConnection) {
  Server server(GetParam(), [](Peer& peer, size_t) {
    for (const std::string how : {"pieces", "chunks", "close"}) {
      peer.read_request();
      peer.send("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n");
      if (how == "pieces")
        for (const char c : std::string("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npieces")) peer.send({&c, 1});
      if (how == "chunks")
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n3;x=y\r\nnks\r\n0\r\n\r\n");
      if (how == "close") peer.send("HTTP/1.1 200 OK\r\n\r\nclose");
    }
  });
  const auto client = make_client();
  for (const char* how : {"pieces", "chunks", "close"}) {
    const HttpResponse response = client->send({.url = server.url() + "/"});
    EXPECT_EQ(response.body, how);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("x-interim"), std::nullopt);
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST_P(HttpClientEitherWay, AnInterimAnswerIsNoAnswer) {
  Server server(GetParam(), [](Peer& peer, size_t) {
    peer.read_request();
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
  });
  EXPECT_TRUE(error_text([&] { make_client()->send({.url = server.url() + "/"}); }).starts_with("unavailable: "));
}

TEST_P(HttpClientEitherWay, AsksForHeadersAlone) {
  Server server(GetParam(), [](Peer& peer, size_t) {
    while (peer.read_request()) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nEtag: x\r\n\r\n");
  });
  const auto client = make_client();
  for (int i = 0; i < 2; ++i) {
    const HttpResponse response = client->send({.method = "HEAD", .url = server.url() + "/"});
    EXPECT_EQ(response.header("content-length"), "1000");
    EXPECT_EQ(response.header("etag"), "x");
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpClient, SaysWhichUnixSocketNobodyListensOn) {
  EXPECT_EQ(error_text([] { make_http_client()->send({.url = "http://x/y?z", .unix_socket = "/nowhere/socket"}); }),
            "unavailable: the request to http://x/y failed: cannot connect to '/nowhere/socket': No such file or "
            "directory");
  EXPECT_NE(error_text([] {
              make_http_client()->send({.url = "http://x/y", .unix_socket = "/" + std::string(200, 'x')});
            }).find("File name too long"), std::string::npos);
  EXPECT_EQ(error_text([] { make_http_client()->send({.url = "http://x/y z", .unix_socket = "/nowhere"}); }),
            "invalid: 'http://x/y z' is not a URL that can be asked: expected http://HOST/…");
}

TEST(HttpClient, WaitsAtACrowdedUnixSocketNoLongerThanItWasTold) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("{}volary-crowd-{}", ::testing::TempDir(), ::getpid());
  path.copy(static_cast<char*>(address.sun_path), path.size());
  const Fd server(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(server.get(), 0), 0);
  std::vector<Fd> crowd;
  do crowd.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  while (::connect(crowd.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  EXPECT_EQ(error_text([&] { make_http_client()->send({.url = "http://x/", .unix_socket = path, .seconds_max = 1}); }),
            "unavailable: the request to http://x/ failed: cannot connect to '" + path +
                "': Resource temporarily unavailable");
  ::unlink(path.c_str());
}

TEST(HttpClient, FollowsRedirectsOnlyIfAskedAndKeepsAuthorizationFromOtherHosts) {
  Synced<std::string> seen;
  ScriptedServer target([&](Peer& peer, size_t) {
    while (auto request = peer.read_request()) {
      *seen.lock() = *request;
      peer.answer("200 OK", "there");
    }
  });
  ScriptedServer first(always("302 Found", "elsewhere", "Location: " + target.url() + "/there\r\n"));
  ScriptedServer circle(always("302 Found", "", "Location: /again\r\n"));
  ScriptedServer to_file(always("302 Found", "", "Location: file:///etc/passwd\r\n"));
  const auto client = make_http_client();
  HttpRequest request{.url = first.url() + "/",
                      .headers = {{"authorization", "Bearer secret"}, {"X-Auth-Token", "secret"},
                                   {"cookie", "a=secret"},
                                   {"x-amz-security-token", "secret"}, {"Range", "bytes=0-4"}}};
  EXPECT_EQ(client->send(request).status, 302);
  request.follow_redirects = true;
  StringSink sink;
  EXPECT_EQ(client->send(request, &sink).status, 200);
  EXPECT_EQ(sink.text, "there");
  EXPECT_EQ(seen.lock()->find("secret"), std::string::npos);
  EXPECT_NE(seen.lock()->find("Range: bytes=0-4"), std::string::npos);
  request.method = "POST";
  EXPECT_EQ(client->send(request).status, 302);
  EXPECT_EQ(error_text([&] { client->send({.url = circle.url() + "/", .follow_redirects = true}); }),
            "unavailable: " + circle.url() + "/ redirects more than 10 times");
  EXPECT_NE(error_text([&] { client->send({.url = to_file.url() + "/", .follow_redirects = true}); })
                .find("invalid: "), std::string::npos);
}

TEST(HttpClient, GoesNoNearerToThisMachineThanItWasMadeFor) {
  ScriptedServer server(always("200 OK", "inside"));
  const std::string port = server.url().substr(server.url().rfind(':'));
  const auto client = make_http_client({.made_for = AddressKind::open});
  const size_t before = server.connections();
  EXPECT_EQ(error_text([&] { client->send({.url = server.url() + "/a?token=x"}); }),
            "denied: " + server.url() + "/a leads to an address of this machine by now: expected one of the internet, "
            "as when it was made");
  EXPECT_NE(error_text([&] { client->send({.url = "http://localhost" + port + "/"}); }).find("denied: "),
            std::string::npos);
  EXPECT_EQ(server.connections(), before);  // Not even a connection was made.
  const auto open = make_http_client({.made_for = AddressKind::this_machine});
  EXPECT_EQ(open->send({.url = "http://localhost" + port + "/"}).body, "inside");
}

TEST(HttpClient, FollowsRedirectsToNothingNearerThanWhereItBegan) {
  ScriptedServer metadata(always("200 OK", "credentials"));
  ScriptedServer first(always("302 Found", "", "Location: http://169.254.169.254/latest?key=x\r\n"));
  const auto client = make_http_client();
  EXPECT_EQ(error_text([&] { client->send({.url = first.url() + "/", .follow_redirects = true}); }),
            "denied: " + first.url() + "/ redirects to http://169.254.169.254/latest, an address of this machine's own "
            "link: expected one of this machine");
  // Through a proxy the addresses that stand in URLs are all that can be seen.
  ScriptedServer proxy(always("302 Found", "", "Location: http://127.0.0.1:1/\r\n"));
  const auto through = make_http_client({.proxy = proxy.url()});
  EXPECT_NE(error_text([&] { through->send({.url = "http://example.org/", .follow_redirects = true}); })
                .find("denied: http://example.org/ redirects to http://127.0.0.1:1/, 127.0.0.1 of this machine"),
            std::string::npos);
  const auto anywhere = make_http_client({.proxy = proxy.url(), .redirects = Redirects::anywhere});
  EXPECT_NE(error_text([&] { anywhere->send({.url = "http://example.org/", .follow_redirects = true}); })
                .find("more than 10 times"),
            std::string::npos);
}

TEST(HttpClient, GoesThroughAProxyOnlyIfItsOptionsSaySo) {
  ScriptedServer proxy(always("200 OK", "from the proxy"));
  ScriptedServer server(always("200 OK", "from the server"));
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::setenv("ALL_PROXY", proxy.url().c_str(), 1);
  EXPECT_EQ(make_http_client()->send({.url = server.url() + "/"}).body, "from the server");
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  EXPECT_EQ(make_http_client({.proxy = proxy.url()})->send({.url = server.url() + "/"}).body, "from the proxy");
  EXPECT_EQ(make_http_client({.proxy = proxy.url(), .no_proxy = "127.0.0.1"})->send({.url = server.url() + "/"}).body,
            "from the server");
}

TEST(HttpClient, ConnectsElsewhereIfAskedTo) {
  Synced<std::string> seen;
  ScriptedServer server([&](Peer& peer, size_t) {
    if (auto request = peer.read_request()) *seen.lock() = *request;
    peer.answer("200 OK", "");
  });
  make_http_client()->send({.url = "http://bucket.s3.test/k", .connect_to = server.address()});
  EXPECT_NE(seen.lock()->find("\r\nHost: bucket.s3.test\r\n"), std::string::npos) << *seen.lock();
}

TEST(HttpClient, RefusesWhatCannotBeSent) {
  const auto client = make_http_client();
  EXPECT_EQ(error_text([&] { client->send({.url = "http://127.0.0.1:1/", .headers = {{"a", "b\r\nc: d"}}}); }),
            "invalid: 'a' cannot be sent as a header: it contains a line break or has no name");
  EXPECT_NE(error_text([&] { client->send({.url = "file:///etc/passwd"}); }).find("invalid: 'file:///etc/passwd'"),
            std::string::npos);
  EXPECT_NE(error_text([&] { client->send({.url = "http://user:pass@"}); }).find("invalid: "), std::string::npos);
}

TEST_P(HttpClientEitherWay, LimitsABodyThatNobodyTakes) {
  Server server(GetParam(), [](Peer& peer, size_t) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
    while (peer.send(chunk)) {
    }
  });
  EXPECT_EQ(error_text([&] { make_client()->send({.url = server.url() + "/"}); }),
            "exhausted: " + server.url() + "/ answers with more than the 67108864 bytes that are taken of such a "
            "response");
}

TEST_P(HttpClientEitherWay, ServesManyThreadsAtOnce) {
  Server server(GetParam(), [](Peer& peer, size_t) {
    while (const auto request = peer.read_request())
      peer.answer("200 OK", request->substr(5, request->find(' ', 5) - 5));
  });
  const auto client = make_client();
  std::atomic<int> right{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const std::string name = fmt::format("{}-{}", t, i);
          right += client->send({.url = server.url() + "/" + name}).body == name;
        }
      });
  }
  EXPECT_EQ(right, 400);
  EXPECT_LE(server.connections(), 8u);
}

TEST(PercentEncoding, LeavesUnreservedCharactersAndNothingElse) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("a b+c%d/é"), "a%20b%2Bc%25d%2F%C3%A9");
  EXPECT_EQ(percent_encode("a b/c", true), "a%20b/c");
}

TEST(PercentEncoding, RefusesBrokenEscapes) {
  for (const char* text : {"%", "a%", "%4", "%4x", "%x4", "%%41"})
    EXPECT_NE(error_text([&] { percent_decode(text); }).find("is not percent-encoded"), std::string::npos) << text;
  EXPECT_EQ(percent_decode("%41%4a%4A+"), "AJJ+");
}

RC_GTEST_PROP(PercentEncoding, IsUndoneByDecoding, (const std::string& text)) {
  RC_ASSERT(percent_decode(percent_encode(text)) == text);
  RC_ASSERT(percent_decode(percent_encode(text, true)) == text);
}

}  // namespace
}  // namespace volary
