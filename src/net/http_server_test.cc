// net/http_server_test.cc: what the server makes of requests, well formed and hostile, byte by byte.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include "net/raw_client.h"

namespace volary {
namespace {

TEST_F(HttpServerTest, AnswersARequestAndKeepsTheConnectionOpen) {
  start(echo);
  RawClient client(port_);
  client.send("GET /a%2Fb/c%20d?x=1+2&y=%41 HTTP/1.1\r\nHost: h\r\nX-Mark: one\r\nX-Mark: two\r\n\r\n");
  const std::string first = client.read_answer();
  EXPECT_TRUE(first.starts_with("HTTP/1.1 200 OK\r\n")) << first;
  EXPECT_NE(first.find("x-request-id: req-"), std::string::npos);
  EXPECT_EQ(first.find("connection:"), std::string::npos);
  EXPECT_EQ(body_of(first), "GET /a/b/c d [a/b] [c d] x=1 2 y=A mark:one, two");
  client.send("GET http://host/other HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(client.read_answer()), "GET /other [other]");
}

TEST_F(HttpServerTest, ReadsARequestThatComesByteByByte) {
  start(echo);
  RawClient client(port_);
  for (const char c : std::string("\r\nPOST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"))
    client.send(std::string_view(&c, 1));
  EXPECT_EQ(body_of(client.read_answer()), "POST /x [x] body:5:hello");
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInTheirOrder) {
  start(echo);
  RawClient client(port_);
  std::string requests;
  for (int i = 0; i < 50; ++i)
    requests += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  client.send(requests);
  for (int i = 0; i < 50; ++i) {
    const std::string name = std::to_string(i);
    EXPECT_EQ(body_of(client.read_answer()), "POST /" + name + " [" + name + "] body:3:abc");
  }
}

TEST_F(HttpServerTest, ReadsAChunkedBodyAndIgnoresWhatItsTrailersSay) {
  start(echo);
  RawClient client(port_);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Mark: true\r\n\r\n5\r\nhel");
  client.send("lo\r\n6;why=not\r\n world\r\n0\r\nX-Mark: false\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(client.read_answer()), "POST / mark:true body:11:hello world");
  EXPECT_EQ(body_of(client.read_answer()), "GET /next [next]");
}

TEST_F(HttpServerTest, TakesABodyOfTheLargestSizeAndRefusesOneByteMore) {
  start(echo);
  RawClient client(port_);
  const std::string size = std::to_string(body_bytes_max);
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + size + "\r\n\r\n" + std::string(body_bytes_max, 'x'));
  EXPECT_TRUE(body_of(client.read_answer()).starts_with("PUT / body:" + size));
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body_bytes_max + 1) + "\r\n\r\n" +
              std::string(body_bytes_max + 1, 'x'));
  const std::string answer = client.read_answer();
  EXPECT_EQ(status_of(answer), "413");
  EXPECT_NE(answer.find("the body of the request has more than 8388608 bytes"), std::string::npos) << answer;
  EXPECT_NE(answer.find("connection: close"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesAChunkedBodyThatGrowsTooLarge) {
  start(echo);
  RawClient client(port_);
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  for (int i = 0; i < 10; ++i) client.send(chunk);
  EXPECT_EQ(status_of(client.read_answer()), "413");
}

TEST_F(HttpServerTest, RefusesAHeadThatIsTooLarge) {
  start(echo);
  for (const size_t lines : {1, 3000}) {
    RawClient client(port_);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 0; i < lines; ++i) client.send("X-Long: " + std::string(20000 / lines, 'x') + "\r\n");
    client.send("\r\n");
    EXPECT_EQ(status_of(client.read_answer()), "431") << lines;
  }
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  start(echo);
  const std::pair<std::string, std::string> cases[] = {
      {"hello\r\n\r\n", "400"},
      {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"GET /?a=%4 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx", "417"},
  };
  for (const auto& [request, status] : cases) {
    RawClient client(port_);
    client.send(request);
    const std::string answer = client.read_answer();
    EXPECT_EQ(status_of(answer), status) << request << answer;
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos) << answer;
    EXPECT_EQ(client.read_all(), "") << request;
  }
}

TEST_F(HttpServerTest, RefusesAChunkWhoseSizeNeverEnds) {
  start(echo);
  RawClient client(port_);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(1 << 20, 'x'));
  EXPECT_EQ(status_of(client.read_answer()), "400");
}

TEST_F(HttpServerTest, AsksForTheBodyOfAClientThatWaitsForThat) {
  start(echo);
  RawClient client(port_);
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_EQ(body_of(client.read_answer()), "PUT / body:2:hi");
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(status_of(client.read_answer()), "413");
}

TEST_F(HttpServerTest, AnswersHeadWithTheLengthButNotTheBody) {
  start(echo);
  RawClient client(port_);
  client.send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_to("\r\n\r\n").find("content-length: 15\r\n"), std::string::npos);
  EXPECT_EQ(body_of(client.read_answer()), "GET /");
}

TEST_F(HttpServerTest, SendsNoBodyWith204) {
  start([](const Request&) {
    Response response;
    response.status = 204;
    return response;
  });
  RawClient client(port_);
  client.send("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = client.read_to("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 204 No Content\r\n"));
  EXPECT_EQ(head.find("content-"), std::string::npos) << head;
}

TEST_F(HttpServerTest, ClosesWhenTheClientSaysSoAndAfterHttp10) {
  start(echo);
  for (const std::string request :
       {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    RawClient client(port_);
    client.send(request);
    const std::string answer = client.read_all();
    EXPECT_EQ(body_of(answer), "GET /");
    EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
  }
}

TEST_F(HttpServerTest, LetsNoHeaderValueEndItsLine) {
  start([](const Request&) {
    Response response;
    response.headers.emplace_back("x-name", "a\r\nset-cookie: evil");
    return response;
  });
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_answer().find("\r\nx-name: a  set-cookie: evil\r\n"), std::string::npos);
}

}  // namespace
}  // namespace volary
