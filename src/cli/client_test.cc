// cli/client_test.cc: events, pages and problems, against a server over a real socket.
#include "cli/client.h"

#include <atomic>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/error_test.h"
#include "cli/program_test.h"

namespace volary {
namespace {

TEST(EventReaderTest, GivesEachEventOnceItIsWhole) {
  std::vector<std::string> seen;
  EventReader reader(
      [&](const std::string& event, const std::string& content) { seen.push_back(event + "|" + content); });
  reader.write(": a comment\nevent: job\nid: 7\ndata: {\"a\":1}\n");
  EXPECT_TRUE(seen.empty());
  reader.write("\ndata: one\r\ndata: two\r\n\r\n");
  EXPECT_EQ(seen, (std::vector<std::string>{"job|{\"a\":1}", "message|one\ntwo"}));
}

RC_GTEST_PROP(EventReaderTest, DoesNotCareWhereTheBytesAreCut, (const std::vector<uint8_t>& cuts)) {
  const std::string text =
      event_text("job", "1") + ": ping\n\n" + event_text("job", "{\"x\": \"y z\"}") + "data: 3\n\n";
  std::string seen;
  EventReader reader([&](const std::string&, const std::string& content) { seen += content + ";"; });
  size_t at = 0;
  for (const uint8_t cut : cuts) {
    const size_t count = std::min<size_t>(cut % 9, text.size() - at);
    reader.write(std::string_view(text).substr(at, count));
    at += count;
  }
  reader.write(std::string_view(text).substr(at));
  RC_ASSERT(seen == "1;{\"x\": \"y z\"};3;");
}

TEST(EndpointText, IsAUrlOrASocket) {
  EXPECT_EQ(parse_endpoint("https://volary.example.org/").base, "https://volary.example.org");
  EXPECT_EQ(parse_endpoint("unix:/run/volary.sock").unix_socket, "/run/volary.sock");
  for (const char* text :
       {"volary.example.org", "ftp://x", "https://", "https://user@host", "http://a/b", "unix:x", "http:"})
    EXPECT_EQ(error_of([&] { parse_endpoint(text); }),
              "invalid: '" + std::string(text) +
                  "' is no server: expected https://HOST[:PORT], http://HOST[:PORT] or unix:/PATH");
}

TEST(ApiPath, EscapesEverySegment) {
  EXPECT_EQ(api_path({"volumes", "a/b c", "versions"}), "/api/v1/volumes/a%2Fb%20c/versions");
}

class ClientTo : public testing::Test {
 protected:
  Scratch scratch_;
  FakeApi api_{scratch_.path("s")};
  std::unique_ptr<HttpClient> http_ = make_http_client();
  Client client_{*http_, parse_endpoint(api_.url())};
};

TEST_F(ClientTo, AProblemIsTheErrorThatItWasAtTheServer) {
  api_.on("GET /api/v1/me",
          [](const Request&) { return problem_response(409, "conflict", "volume 'x' is held by job j"); });
  EXPECT_EQ(error_of([&] { client_.get("/api/v1/me"); }),
            "conflict: volume 'x' is held by job j\n     while doing a thing");
}

TEST_F(ClientTo, AnAnswerThatIsNoProblemIsNotTakenForOne) {
  api_.on("GET /api/v1/me", 503, "<html>");
  const std::string error = error_of([&] { client_.get("/api/v1/me"); });
  EXPECT_TRUE(error.starts_with("unavailable: ")) << error;
  EXPECT_NE(error.find("answered with status 503 and without a reason"), std::string::npos) << error;
}

TEST_F(ClientTo, AbsenceMayBeAnAnswer) {
  EXPECT_EQ(client_.find("/api/v1/volumes/x"), std::nullopt);
  api_.on("POST /api/v1/volumes", [](const Request&) { return problem_response(409, "exists", "taken"); });
  EXPECT_EQ(client_.post_new("/api/v1/volumes", json::object()), std::nullopt);
  client_.remove_if_present("/api/v1/volumes/x");
}

TEST_F(ClientTo, AListIsReadPageByPage) {
  api_.on("GET /api/v1/volumes", [](const Request& request) {
    if (request.parameter("tag") != "a b") return problem_response(400, "invalid", "no tag");
    if (!request.parameter("cursor")) return json_response(200, R"({"items":[1,2],"nextCursor":"n&xt"})");
    if (request.parameter("cursor") != "n&xt") return problem_response(400, "invalid", "wrong cursor");
    return json_response(200, R"({"items":[3]})");
  });
  EXPECT_EQ(client_.list("/api/v1/volumes", {{"tag", "a b"}}).size(), 3u);
  EXPECT_EQ(client_.list("/api/v1/volumes", {{"tag", "a b"}}, 1).size(), 1u);
}

TEST_F(ClientTo, FollowingGoesOnAfterTheConnectionBroke) {
  std::atomic<int> calls = 0;
  api_.on("GET /events", [&](const Request&) {
    const int call = ++calls;
    return stream_response("text/event-stream", {event_text("job", std::to_string(call)), ": ping\n\n"});
  });
  std::string seen;
  client_.follow("/events", [&](const json::value& event) {
    seen += print_json(event);
    return event == 3 ? Ended::yes : Ended::no;
  });
  EXPECT_EQ(seen, "123");
}

TEST_F(ClientTo, FollowingTellsWhenTheServerIsLost) {
  api_.on("GET /events", [&](const Request&) {
    return stream_response("text/event-stream", {event_text("job", "1"), event_text("job", "2")});
  });
  int lost = 0;
  const auto seen = [&](const json::value& event) {
    if (event == 1) api_.stop();
    return Ended::no;
  };
  const auto told = [&] {
    ++lost;
    throw Error(Errc::conflict, "enough");
  };
  EXPECT_EQ(error_of([&] { client_.follow("/events", seen, told); }).substr(0, 16), "conflict: enough");
  EXPECT_EQ(lost, 1);
}

TEST_F(ClientTo, OtherEncodingsAreRefusedBeforeTheyAreSent) {
  EXPECT_EQ(error_of([&] { client_.post("/things", json::object{{"tags", json::array{"good", "caf\xe9"}}}); }),
            "invalid: 'caf\\xe9' is not UTF-8: expected text in that encoding");
}

// A log that breaks off after that.
class Broken final : public Stream {
 public:
  explicit Broken(std::string text) : text_(std::move(text)) {}
  std::optional<std::string> poll() override {
    if (!text_.empty()) return std::exchange(text_, "");
    throw Error(Errc::unavailable, "broken");
  }

 private:
  std::string text_;
};

// What it asks for is where the server says that it stands, and what came since.
TEST_F(ClientTo, ALogThatBreaksOffIsReadOnFromItsPlace) {
  std::vector<std::string> asked;
  api_.on("GET /log", [&](const Request& request) {
    asked.push_back(request.parameter("tail").value_or("") + "/" + request.parameter("offset").value_or(""));
    Response response = stream_response("text/plain", {"three\n"});
    if (asked.size() == 1) response.stream = std::make_unique<Broken>("one\ntwo\n");
    response.headers.emplace_back("volary-log-offset", asked.size() == 1 ? "100" : "108");
    return response;
  });
  StringSink sink;
  client_.read_log("/log", {{"tail", "3"}}, Until::it_ends, sink);
  EXPECT_EQ(sink.text, "one\ntwo\nthree\n");
  EXPECT_EQ(asked, (std::vector<std::string>{"3/", "/108"}));
}

TEST_F(ClientTo, WhatFollowsALineWhoseEndWasDroppedBeginsALine) {
  std::vector<std::string> asked;
  api_.on("GET /log", [&](const Request& request) {
    asked.push_back(request.parameter("offset").value_or(""));
    const std::vector<std::string> offsets = {"100", "106", "300", "310"};
    Response response = stream_response("text/plain", {"end\n"});
    if (asked.size() == 1) response.stream = std::make_unique<Broken>("one\nth");
    if (asked.size() == 2) response.stream = std::make_unique<Broken>("ree");
    if (asked.size() == 3) response.stream = std::make_unique<Broken>("[dropped]\n");
    response.headers.emplace_back("volary-log-offset", offsets.at(asked.size() - 1));
    return response;
  });
  StringSink sink;
  client_.read_log("/log", {}, Until::it_ends, sink);
  EXPECT_EQ(sink.text, "one\nthree\n[dropped]\nend\n");
  EXPECT_EQ(asked, (std::vector<std::string>{"", "106", "109", "310"}));
}

TEST_F(ClientTo, AnErrorThatIsNotAboutTheConnectionEndsTheFollowing) {
  EXPECT_EQ(error_of([&] { client_.follow("/events", [](const json::value&) { return Ended::no; }); }),
            "not_found: there is no /events\n     while doing a thing");
}

TEST_F(ClientTo, NobodyIsNotAlive) {
  EXPECT_TRUE(client_.is_alive());
  api_.stop();
  Client other(*http_, parse_endpoint("unix:" + scratch_.path("nobody").string()));
  EXPECT_FALSE(other.is_alive());
}

}  // namespace
}  // namespace volary
