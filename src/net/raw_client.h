// net/raw_client.h: for tests: a client that sends exactly what it is told, and a server that echoes or streams.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/error.h"
#include "core/file.h"
#include "core/synced.h"
#include "net/http_server.h"

namespace volary {

class RawClient {
 public:
  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  explicit RawClient(const Path& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // The server has closed: what it said is still to be read.
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // Everything up to and with `end`, or to the end of the connection.
  std::string read_to(std::string_view end) {
    for (;;) {
      if (const size_t at = seen_.find(end); at != std::string::npos) return take(at + end.size());
      if (!receive()) return take(seen_.size());
    }
  }
  std::string read_all() {
    while (receive()) {}
    return take(seen_.size());
  }
  // One answer with a content-length.
  std::string read_answer() {
    std::string head = read_to("\r\n\r\n");
    const size_t at = head.find("content-length: ");
    const size_t size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    while (seen_.size() < size && receive()) {}
    return head + take(size);
  }
  void close() { socket_.close(); }
  int fd() const { return socket_.get(); }

 private:
  bool receive() {
    char block[65536];
    const ssize_t got = ::recv(socket_.get(), block, sizeof block, 0);
    if (got > 0) seen_.append(block, static_cast<size_t>(got));
    return got > 0;
  }
  std::string take(size_t count) {
    std::string taken = seen_.substr(0, count);
    seen_.erase(0, count);
    return taken;
  }

  Fd socket_;
  std::string seen_;
};

inline std::string status_of(const std::string& answer) { return answer.substr(9, 3); }
inline std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

// A door that a test opens when it likes.
class Door {
 public:
  void open() {
    *open_.lock() = true;
    changed_.notify_all();
  }
  void pass() {
    auto held = open_.lock();
    held.wait(changed_, [&] { return *held; });
  }

 private:
  Synced<bool> open_{false};
  std::condition_variable changed_;
};

// Gives its pieces one by one, then "" for ever or the end; counts how many of its kind there are.
class PiecesStream final : public Stream {
 public:
  enum class Then { end, silence, failure };
  PiecesStream(std::vector<std::string> pieces, Then then, std::atomic<int>& alive)
      : pieces_(std::move(pieces)), then_(then), alive_(alive) {
    ++alive_;
  }
  ~PiecesStream() override { --alive_; }
  std::optional<std::string> poll() override {
    if (at_ < pieces_.size()) return pieces_[at_++];
    if (then_ == Then::end) return std::nullopt;
    if (then_ == Then::failure) throw Error(Errc::corrupt, "the log is damaged");
    return "";
  }

 private:
  std::vector<std::string> pieces_;
  Then then_;
  std::atomic<int>& alive_;
  size_t at_ = 0;
};

class HttpServerTest : public testing::Test {
 protected:
  void start(Handler handler, ServerOptions options = {}) {
    options.host = "127.0.0.1";
    server_ = start_http_server(options, std::move(handler));
    port_ = server_->port();
  }
  // Answers method, path, query, body and one header.
  static Response echo(const Request& request) {
    Response response;
    response.content_type = "text/plain";
    response.body = request.method + " " + request.path;
    for (const std::string& segment : request.segments) response.body += " [" + segment + "]";
    for (const auto& [name, value] : request.query) response.body += " " + name + "=" + value;
    if (const auto mark = request.header("x-mark")) response.body += " mark:" + *mark;
    if (!request.body.empty()) response.body += " body:" + std::to_string(request.body.size()) + ":" +
                                                request.body.substr(0, 40);
    return response;
  }
  Response stream_response(std::vector<std::string> pieces, PiecesStream::Then then) {
    Response response;
    response.content_type = "text/event-stream";
    response.stream = std::make_unique<PiecesStream>(std::move(pieces), then, streams_alive_);
    return response;
  }
  void wait_until_no_stream_is_left() {
    while (streams_alive_ > 0) std::this_thread::yield();
  }

  std::atomic<int> streams_alive_ = 0;
  std::unique_ptr<HttpServer> server_;
  uint16_t port_ = 0;
};

}  // namespace volary
