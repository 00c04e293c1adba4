// net/tunnel_test.cc: connections that are handed over, and the frames on them.
#include "net/tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "net/http_server.h"

namespace volary {
namespace {

RC_GTEST_PROP(Frames, come_whole_however_they_are_cut, (const std::vector<std::string>& texts)) {
  std::string bytes;
  for (const std::string& text : texts) bytes += print_frame(FrameKind::output, text);
  FrameReader reader;
  std::vector<std::string> found;
  while (!bytes.empty()) {
    const auto size = *rc::gen::inRange<size_t>(1, bytes.size() + 1);
    reader.add(std::string_view(bytes).substr(0, size));
    bytes.erase(0, size);
    while (const auto frame = reader.next()) found.push_back(frame->payload);
  }
  RC_ASSERT(found == texts);
}

TEST(Frames, are_refused_when_they_are_too_large) {
  FrameReader reader;
  reader.add(std::string("i\0\1\0\1", 5));
  try {
    reader.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "corrupt: a frame of 65537 bytes came over the connection: expected at most 65536");
  }
}

class TunnelTo : public ::testing::Test {
 protected:
  void serve(const Handler& handler) {
    server_ = start_http_server({.unix_socket = socket_, .host = "127.0.0.1"}, handler);
  }
  HttpRequest request(const std::string& body) const {
    HttpRequest asked;
    asked.method = "POST";
    asked.url = "http://server/here";
    asked.unix_socket = socket_;
    asked.body = body;
    return asked;
  }

  const std::string socket_ = std::filesystem::temp_directory_path() / new_id("tunnel");
  std::unique_ptr<HttpServer> server_;
};

// Says what the request said, and then whatever comes, until nothing does.
Response echoing(const Request& request) {
  Response response;
  response.status = 101;
  response.protocol = request.header("upgrade").value_or("");
  response.take_over = [first = request.body](Fd connection) {
    std::thread([connection = std::move(connection), first] {
      ::send(connection.get(), first.data(), first.size(), MSG_NOSIGNAL);
      char byte = 0;
      while (true) {
        const ssize_t size = ::recv(connection.get(), &byte, 1, 0);
        if (size < 0 && errno == EAGAIN) continue;
        if (size <= 0 || ::send(connection.get(), &byte, 1, MSG_NOSIGNAL) <= 0) return;
      }
    }).detach();
  };
  return response;
}

std::string read_bytes_of(const Fd& connection, size_t count) {
  std::string text(count, '\0');
  return ::recv(connection.get(), text.data(), count, MSG_WAITALL) == static_cast<ssize_t>(count) ? text : "";
}

TEST_F(TunnelTo, a_server_goes_both_ways_over_a_unix_socket_and_tcp) {
  serve(echoing);
  HttpRequest over_tcp = request("hello");
  over_tcp.unix_socket.clear();
  over_tcp.url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/here";
  for (const HttpRequest& asked : {request("hello"), over_tcp}) {
    const Tunnel tunnel = open_tunnel(asked);
    ASSERT_EQ(tunnel.response.status, 101);
    EXPECT_EQ(tunnel.response.header("upgrade"), tunnel_protocol);
    EXPECT_EQ(read_bytes_of(tunnel.connection, 5), "hello");
    ::send(tunnel.connection.get(), "again", 5, MSG_NOSIGNAL);
    EXPECT_EQ(read_bytes_of(tunnel.connection, 5), "again");
  }
}

TEST_F(TunnelTo, a_server_over_tcp_has_all_of_its_words_read_and_its_end_seen_and_can_be_left_in_the_middle) {
  static const std::string words(8 << 20, 'w');  // Its sender may outlive the test: the second tunnel is left.
  serve([](const Request&) {
    Response response;
    response.status = 101;
    response.take_over = [](Fd connection) {
      std::thread([connection = std::move(connection)] {
        for (size_t sent = 0; sent < words.size();) {
          const ssize_t size = ::send(connection.get(), &words[sent], words.size() - sent, MSG_NOSIGNAL);
          if (size < 0 && errno != EAGAIN) return;
          if (size > 0) sent += static_cast<size_t>(size);
        }
      }).detach();
    };
    return response;
  });
  HttpRequest asked = request("");
  asked.unix_socket.clear();
  asked.url = fmt::format("http://127.0.0.1:{}/", server_->port());
  {
    const Tunnel tunnel = open_tunnel(asked);
    EXPECT_EQ(read_bytes_of(tunnel.connection, words.size()), words);
    char byte = 0;
    EXPECT_EQ(::recv(tunnel.connection.get(), &byte, 1, 0), 0);
  }
  const Tunnel left = open_tunnel(asked);
  EXPECT_EQ(read_bytes_of(left.connection, 1), "w");
}

TEST_F(TunnelTo, a_server_that_refuses_has_its_answer_read) {
  serve([](const Request&) {
    Response response;
    response.status = 409;
    response.body = "{\"no\":1}";
    return response;
  });
  const Tunnel tunnel = open_tunnel(request(""));
  EXPECT_EQ(tunnel.response.status, 409);
  EXPECT_EQ(tunnel.response.body, "{\"no\":1}");
}

TEST_F(TunnelTo, nobody_is_unavailable) {
  EXPECT_THROW(open_tunnel(request("")), Error);
  serve(echoing);
  HttpRequest encrypted = request("");
  encrypted.unix_socket.clear();
  encrypted.url = fmt::format("https://127.0.0.1:{}/here", server_->port());
  EXPECT_THROW(open_tunnel(encrypted), Error);  // It speaks no TLS.
}

}  // namespace
}  // namespace volary
