// net/http_server_life_test.cc: many clients, slow ones and gone ones; streams; stopping; addresses.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"
#include "net/http_server.h"
#include "net/raw_client.h"

namespace volary {
namespace {

// --- many at once, slow ones, gone ones

TEST_F(HttpServerTest, Serves200ClientsAtOnce) {
  start(echo);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<RawClient>(port_));
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 200; ++i) clients[i]->send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 200; ++i) {
      const std::string name = std::to_string(i);
      EXPECT_EQ(body_of(clients[i]->read_answer()), "GET /" + name + " [" + name + "]");
    }
  }
}

TEST_F(HttpServerTest, Answers503WhenTooManyWait) {
  Door door;
  std::atomic<int> running = 0;
  ServerOptions options;
  options.handler_threads = 1;
  options.queue_max = 1;
  start(
      [&](const Request& request) {
        ++running;
        door.pass();
        return echo(request);
      },
      options);
  RawClient first(port_);
  first.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
  while (running == 0) std::this_thread::yield();
  // The one thread is taken. Of two more requests one waits and one is refused.
  RawClient second(port_), third(port_);
  second.send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  third.send("GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  pollfd questions[2] = {{second.fd(), POLLIN, 0}, {third.fd(), POLLIN, 0}};
  ASSERT_EQ(::poll(questions, 2, -1), 1);
  RawClient& refused = questions[0].revents ? second : third;
  const std::string answer = refused.read_answer();
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_NE(answer.find("retry-after: 1\r\n"), std::string::npos);
  EXPECT_NE(answer.find("the server has too much to do: try again"), std::string::npos);
  door.open();
  EXPECT_EQ(status_of(first.read_answer()), "200");
  EXPECT_EQ(status_of((questions[0].revents ? third : second).read_answer()), "200");
}

TEST_F(HttpServerTest, EndsAClientThatNeverFinishesItsHeadOrBody) {
  ServerOptions options;
  options.patience = std::chrono::milliseconds(50);
  start(echo, options);
  RawClient silent(port_), head(port_), body(port_);
  head.send("GET / HTTP/1.1\r\nHos");
  body.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nab");
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(head.read_all(), "");
  EXPECT_EQ(body.read_all(), "");
}

TEST_F(HttpServerTest, EndsAClientThatNeverReadsItsAnswer) {
  ServerOptions options;
  options.patience = std::chrono::milliseconds(50);
  std::atomic<int> answers = 0;
  class Endless final : public Stream {
   public:
    explicit Endless(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
    ~Endless() override { --alive_; }
    std::optional<std::string> poll() override { return std::string(4 << 10, 'x'); }

   private:
    std::atomic<int>& alive_;
  };
  start(
      [&](const Request&) {
        Response response;
        response.stream = std::make_unique<Endless>(streams_alive_);
        ++answers;
        return response;
      },
      options);
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (answers == 0) std::this_thread::yield();
  wait_until_no_stream_is_left();  // Time for 4 KiB at 16 KiB a second, then it is over.
}

TEST_F(HttpServerTest, SurvivesClientsThatLeaveInTheMiddle) {
  std::atomic<int> calls = 0;
  start([&](const Request& request) {
    ++calls;
    return echo(request);
  });
  const std::string whole = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t length = 0; length < whole.size(); ++length) {
    RawClient client(port_);
    client.send(whole.substr(0, length));
    client.close();
  }
  RawClient client(port_);
  client.send(whole);
  EXPECT_EQ(body_of(client.read_answer()), "PUT / body:5:hello");
  EXPECT_EQ(calls, 1);
}

// --- streams

TEST_F(HttpServerTest, SendsAStreamInChunksAndServesTheNextRequest) {
  start([&](const Request& request) {
    if (request.path == "/next") return echo(request);
    return stream_response({"one", "", "three"}, PiecesStream::Then::end);
  });
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = client.read_to("\r\n\r\n");
  EXPECT_NE(head.find("transfer-encoding: chunked\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("content-type: text/event-stream\r\n"), std::string::npos);
  EXPECT_EQ(client.read_to("0\r\n\r\n"), "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n");
  EXPECT_EQ(body_of(client.read_answer()), "GET /next [next]");
  wait_until_no_stream_is_left();
}

TEST_F(HttpServerTest, SendsAStreamToHttp10WithoutChunks) {
  start([&](const Request&) { return stream_response({"one", "two"}, PiecesStream::Then::end); });
  RawClient client(port_);
  client.send("GET / HTTP/1.0\r\n\r\n");
  const std::string answer = client.read_all();
  EXPECT_EQ(body_of(answer), "onetwo");
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
}

TEST_F(HttpServerTest, SendsOnlyTheHeadOfAStreamToHead) {
  start([&](const Request& request) {
    if (request.path == "/next") return echo(request);
    return stream_response({"one"}, PiecesStream::Then::silence);
  });
  RawClient client(port_);
  client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  client.read_to("\r\n\r\n");
  EXPECT_EQ(body_of(client.read_answer()), "GET /next [next]");
}

TEST_F(HttpServerTest, LeavesTheLastChunkOutWhenAStreamFails) {
  start([&](const Request&) { return stream_response({"one"}, PiecesStream::Then::failure); });
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(client.read_all()), "3\r\none\r\n");
}

TEST_F(HttpServerTest, FreesTheStreamOfAClientThatHasGone) {
  start([&](const Request&) { return stream_response({"one"}, PiecesStream::Then::silence); });
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(port_));
    clients.back()->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    clients.back()->read_to("one\r\n");
  }
  EXPECT_EQ(streams_alive_, 20);
  clients.clear();
  wait_until_no_stream_is_left();
}

// --- stopping

TEST_F(HttpServerTest, StopEndsIdleConnectionsAndStreamsAndFreesThem) {
  start([&](const Request& request) {
    return request.path == "/s" ? stream_response({"one"}, PiecesStream::Then::silence) : echo(request);
  });
  RawClient idle(port_), used(port_), half(port_), stream(port_);
  used.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  used.read_answer();
  half.send("GET / HTTP/1.1\r\nHo");
  stream.send("GET /s HTTP/1.1\r\nHost: h\r\n\r\n");
  stream.read_to("one\r\n");
  server_->stop();
  EXPECT_EQ(streams_alive_, 0);
  for (RawClient* client : {&idle, &used, &half, &stream}) EXPECT_EQ(client->read_all(), "");
  server_->stop();  // Again is nothing.
}

TEST_F(HttpServerTest, StopLetsARunningHandlerAnswer) {
  Door door;
  std::atomic<bool> running = false;
  start([&](const Request& request) {
    running = true;
    door.pass();
    return echo(request);
  });
  RawClient client(port_);
  client.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  while (!running) std::this_thread::yield();
  std::jthread first([&] { server_->stop(); });
  std::jthread second([&] { server_->stop(); });
  door.open();
  const std::string answer = client.read_all();
  EXPECT_EQ(body_of(answer), "GET /x [x]");
}

TEST_F(HttpServerTest, AHandlerMayStopTheServerAndIsAnswered) {
  start([&](const Request& request) {
    server_->stop();
    return echo(request);
  });
  RawClient client(port_);
  client.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(client.read_all()), "GET /x [x]");
  server_->stop();
}

// --- addresses

TEST_F(HttpServerTest, RefusesATcpAddressThatIsTaken) {
  start(echo);
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = port_;
  try {
    start_http_server(options, echo);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "exists: cannot listen at 127.0.0.1:" + std::to_string(port_) + ": the address is taken");
  }
}

class UnixSocketTest : public HttpServerTest {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / new_id("http");
    make_directory(directory_, 0700);
    options_.unix_socket = directory_ / "server.sock";
  }
  void TearDown() override { remove_tree(directory_); }
  std::string error_of_start() {
    try {
      start_http_server(options_, echo);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  Path directory_;
  ServerOptions options_;
};

TEST_F(UnixSocketTest, ServesOnASocketThatOnlyItsOwnerMayUseAndRemovesIt) {
  const mode_t before = ::umask(0);
  server_ = start_http_server(options_, echo);
  ::umask(before);
  const auto found = stat_of(options_.unix_socket);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->st_mode & 07777, 0600u);
  RawClient client{Path(options_.unix_socket)};
  client.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(client.read_answer()), "GET /x [x]");
  EXPECT_EQ(server_->port(), 0);
  server_->stop();
  EXPECT_FALSE(is_present(options_.unix_socket));
}

TEST_F(UnixSocketTest, ReplacesASocketThatNobodyServes) {
  {
    const Fd stale(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options_.unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(stale.get(), 1), 0);
    // Another program serves there, one that knows nothing of our lock.
    EXPECT_EQ(error_of_start(), "exists: cannot listen at '" + options_.unix_socket + "': another server does");
  }
  ASSERT_TRUE(is_present(options_.unix_socket));
  EXPECT_EQ(error_of_start(), "");
}

TEST_F(UnixSocketTest, RefusesAPathThatIsServedIsAFileOrIsTooLong) {
  server_ = start_http_server(options_, echo);
  EXPECT_EQ(error_of_start(), "exists: cannot listen at '" + options_.unix_socket + "': another server does");
  options_.unix_socket = directory_ / "file";
  write_file_durably(options_.unix_socket, "precious");
  EXPECT_EQ(error_of_start(), "exists: cannot listen at '" + options_.unix_socket + "': it is there and no socket");
  EXPECT_EQ(read_file(options_.unix_socket), "precious");
  options_.unix_socket = directory_ / std::string(200, 'x');
  EXPECT_NE(error_of_start().find("cannot be a Unix socket"), std::string::npos);
}

}  // namespace
}  // namespace volary
