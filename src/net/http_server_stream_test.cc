// net/http_server_stream_test.cc: bodies that are streamed to their handler, and answers that say when they go on.
#include <gtest/gtest.h>
#include <poll.h>

#include "net/http_client.h"
#include "net/raw_client.h"

namespace volary {
namespace {

std::string put_head(uint64_t bytes) {
  return "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

class StreamedBodies : public HttpServerTest {
 protected:
  void start_streaming(Handler handler, ServerOptions options = {}) {
    options.streams = [](const Request& request) { return request.method == "PUT"; };
    start(std::move(handler), options);
  }
  // Answers how many bytes came and whether they were streamed.
  static Response count(const Request& request) {
    Response response;
    uint64_t bytes = request.body.size();
    std::string block(100'000, '\0');
    if (request.body_source)
      while (const size_t size = request.body_source->read(block)) bytes += size;
    response.body = (request.body_source ? "streamed " : "whole ") + std::to_string(bytes);
    return response;
  }
};

TEST_F(StreamedBodies, ComeAsTheyAreWhateverTheirSizeAndLeaveTheConnectionUsable) {
  start_streaming(count);
  RawClient client(port_);
  for (const uint64_t bytes : {uint64_t{streamed_bytes_min}, uint64_t{3} << 20, uint64_t{20} << 20}) {
    client.send(put_head(bytes) + std::string(bytes, 'x'));
    EXPECT_EQ(body_of(client.read_answer()), "streamed " + std::to_string(bytes));
  }
  client.send(put_head(5) + "small");
  EXPECT_EQ(body_of(client.read_answer()), "whole 5");
  const std::string more(1 << 20, 'y');
  client.send(put_head(more.size()) + more + put_head(2) + "ab");  // Pipelined.
  EXPECT_EQ(body_of(client.read_answer()), "streamed 1048576");
  EXPECT_EQ(body_of(client.read_answer()), "whole 2");
}

TEST_F(StreamedBodies, AreHeldBackWhileTheHandlerIsBusy) {
  Door door;
  start_streaming([&](const Request& request) {
    door.pass();
    return count(request);
  });
  RawClient client(port_);
  const uint64_t bytes = 256 << 20;
  client.send(put_head(bytes));
  const std::string block(1 << 20, 'x');
  bool was_held_back = false;
  uint64_t sent = 0;
  while (sent < bytes) {
    pollfd writable{client.fd(), POLLOUT, 0};
    if (::poll(&writable, 1, was_held_back ? -1 : 200) == 0) {
      was_held_back = true;
      EXPECT_LT(sent, bytes / 2);
      door.open();
      continue;
    }
    const size_t left = std::min<uint64_t>(block.size(), bytes - sent);
    const ssize_t more = ::send(client.fd(), block.data(), left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (more > 0) sent += static_cast<uint64_t>(more);
  }
  EXPECT_TRUE(was_held_back);
  door.open();
  EXPECT_EQ(body_of(client.read_answer()), "streamed " + std::to_string(bytes));
}

TEST_F(StreamedBodies, MayBeRefusedBeforeTheirEnd) {
  start_streaming([](const Request& request) {
    Response response;
    std::string first(10, '\0');
    response.status = 403;
    response.body = "no: " + std::to_string(request.body_source->read(first));
    return response;
  });
  RawClient client(port_);
  client.send(put_head(30 << 20) + std::string(2 << 20, 'x'));
  const std::string answer = client.read_answer();
  EXPECT_EQ(status_of(answer), "403");
  EXPECT_EQ(body_of(answer), "no: 10");
  EXPECT_NE(answer.find("connection: close"), std::string::npos);
}

TEST_F(StreamedBodies, SayThatTheClientWentAway) {
  Synced<std::string> error;
  std::atomic<bool> has_ended{false};
  start_streaming([&](const Request& request) {
    try {
      count(request);
    } catch (const Error& gone) {
      *error.lock() = gone.what();
    }
    has_ended = true;
    return Response();
  });
  {
    RawClient client(port_);
    client.send(put_head(10 << 20) + std::string(1 << 20, 'x'));
  }
  while (!has_ended) std::this_thread::yield();
  EXPECT_EQ(*error.lock(), "unavailable: the client went away before the whole body of its request had come");
}

// However much it sent before: a thread waits for it.
TEST_F(StreamedBodies, EndSoonWhenTheClientFallsSilent) {
  std::atomic<uint64_t> read{0};
  std::atomic<bool> is_broken{false};
  ServerOptions options;
  options.patience = std::chrono::milliseconds(50);
  start_streaming(
      [&](const Request& request) {
        std::string block(100'000, '\0');
        try {
          while (const size_t size = request.body_source->read(block)) read += size;
        } catch (const Error&) {
          is_broken = true;
        }
        return Response();
      },
      options);
  RawClient client(port_);
  client.send(put_head(10 << 20));
  const std::string piece(512 << 10, 'x');
  for (uint64_t sent = piece.size(); sent <= (4 << 20); sent += piece.size()) {
    client.send(piece);
    while (read < sent && !is_broken) std::this_thread::yield();  // So that the pipe is never full.
  }
  pollfd closed{client.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&closed, 1, 20'000), 1) << "the silent client is still waited for";
  client.close();
  while (!is_broken) std::this_thread::yield();
}

TEST_F(StreamedBodies, TakeNoMoreThanHalfOfTheThreads) {
  Door door;
  std::atomic<int> running{0};
  ServerOptions options;
  options.handler_threads = 4;
  start_streaming(
      [&](const Request& request) {
        ++running;
        if (request.body_source) door.pass();
        return count(request);
      },
      options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<RawClient>(port_));
    clients.back()->send(put_head(streamed_bytes_min) + std::string(streamed_bytes_min, 'x'));
  }
  while (running < 2) std::this_thread::yield();
  RawClient third(port_);
  third.send(put_head(streamed_bytes_min) + std::string(streamed_bytes_min, 'x'));
  EXPECT_EQ(status_of(third.read_answer()), "503");
  RawClient small(port_);
  small.send(put_head(1) + "x");
  EXPECT_EQ(body_of(small.read_answer()), "whole 1");
  door.open();
  for (const auto& client : clients) EXPECT_EQ(status_of(client->read_answer()), "200");
}

TEST_F(StreamedBodies, AreNotAskedForWhenThereIsNoPlaceForThem) {
  Door door;
  std::atomic<int> running{0};
  ServerOptions options;
  options.handler_threads = 2;
  start_streaming(
      [&](const Request& request) {
        ++running;
        door.pass();
        return count(request);
      },
      options);
  const std::string asking = "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " +
                             std::to_string(streamed_bytes_min) + "\r\n\r\n";
  RawClient first(port_);
  first.send(asking);
  EXPECT_EQ(first.read_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  RawClient second(port_);
  second.send(asking);
  const std::string answer = second.read_answer();
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_NE(answer.find("connection: close"), std::string::npos);
  door.open();
  first.send(std::string(streamed_bytes_min, 'x'));
  EXPECT_EQ(status_of(first.read_answer()), "200");
  EXPECT_EQ(running, 1);
}

TEST_F(StreamedBodies, ReachTheServerFromOurOwnClientToo) {
  start_streaming(count);
  const auto http = make_http_client();
  const std::string bytes(5 << 20, 'x');
  for (int i = 0; i < 3; ++i) {
    StringSource source(bytes);
    HttpRequest request{.method = "PUT", .url = "http://127.0.0.1:" + std::to_string(port_) + "/x"};
    request.source = &source;
    request.source_bytes = bytes.size();
    EXPECT_EQ(http->send(request).body, "streamed 5242880");
  }
}

// Says "" until it is told to go on, and then that it has more.
class TalkingStream final : public Stream {
 public:
  void call_when_ready(std::function<void()> ready) override {
    talker_ = std::jthread([this, ready = std::move(ready)] {
      for (int i = 0; i < 200; ++i) {
        while (has_more_) std::this_thread::yield();
        has_more_ = true;
        ready();
      }
    });
  }
  std::optional<std::string> poll() override {
    if (given_ == 200) return std::nullopt;
    if (!has_more_.exchange(false)) return "";
    ++given_;
    return "x";
  }

 private:
  std::atomic<bool> has_more_{false};
  int given_ = 0;
  std::jthread talker_;
};

TEST_F(StreamedBodies, AndAnswersThatSayWhenTheyGoOnNeedNotBeWaitedFor) {
  start([](const Request&) {
    Response response;
    response.stream = std::make_unique<TalkingStream>();
    return response;
  });
  RawClient client(port_);
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(client.read_all()), std::string(200, 'x'));
}

}  // namespace
}  // namespace volary
