// remote/swift_remote_test.cc: how Swift is entered, and what it says when it refuses. remote_contract_test.cc has the
// rest, with a real one.
#include "remote/swift_remote.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "net/scripted_server.h"
#include "remote/fake_http.h"
#include "remote/fingerprint.h"
#include "remote/remote_words.h"

namespace volary {
namespace {

// A Keystone and a Swift with one object, whose token expires when told.
class Cloud {
 public:
  std::string url() const { return server_.url(); }
  std::vector<std::string> requests() { return *requests_.lock(); }
  void expire() { ++*generation_.lock(); }

 private:
  void serve(Peer& peer) {
    while (auto request = peer.read_request()) {
      requests_.lock()->push_back(*request);
      const std::string token = "token-" + std::to_string(*generation_.lock());
      if (request->starts_with("POST /v3/auth/tokens")) {
        const auto endpoint = [&](const char* interface, const char* region, const char* path) {
          return fmt::format(R"({{"interface": "{}", "region": "{}", "url": "{}{}"}})", interface, region,
                             server_.url(), path);
        };
        const std::string catalog = endpoint("internal", "GRA", "/inside") + "," + endpoint("public", "BHS", "/bhs") +
                                    "," + endpoint("public", "GRA", "/v1/AUTH_x");
        peer.answer("201 Created",
                    R"({"token": {"catalog": [{"type": "compute", "endpoints": []}, {"type": "object-store",)"
                    R"("endpoints": [)" + catalog + "]}]}}",
                    "X-Subject-Token: " + token + "\r\n");
      } else if (request->find("x-auth-token: " + token + "\r\n") == std::string::npos) {
        peer.answer("401 Unauthorized", "<html><h1>Unauthorized</h1><p>This token\nhas expired.</p></html>");
      } else {
        peer.answer("200 OK", "bytes", "ETag: 4b3a6218bb3e3a7303e8a171a60fcf92\r\n");
      }
    }
  }

  Synced<std::vector<std::string>> requests_;
  Synced<int> generation_{1};
  ScriptedServer server_{[this](Peer& peer, size_t) { serve(peer); }};
};

TEST(Swift, IsEnteredThroughKeystoneAndAgainWhenTheTokenHasExpired) {
  Cloud cloud;
  const auto http = make_http_client();
  SwiftOptions options;
  options.auth_url = cloud.url() + "/v3/";
  options.container = "c";
  options.region = "GRA";
  options.username = "somebody";
  options.password = "pass word";
  options.project = "p";
  const auto remote = open_swift_remote(options, *http);
  EXPECT_EQ(get(*remote, "a b"), "bytes");
  EXPECT_EQ(cloud.requests().size(), 2u);
  const std::string asked = cloud.requests()[0];
  EXPECT_EQ(asked.substr(asked.find("\r\n\r\n") + 4),
            R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"somebody","domain":)"
            R"({"name":"Default"},"password":"pass word"}}},"scope":{"project":{"name":"p","domain":)"
            R"({"name":"Default"}}}}})");
  EXPECT_TRUE(cloud.requests()[1].starts_with("GET /v1/AUTH_x/c/a%20b HTTP/1.1"));
  cloud.expire();
  EXPECT_EQ(get(*remote, "a"), "bytes");  // Refused once, then with a new token.
  EXPECT_EQ(cloud.requests().size(), 5u);
  cloud.expire();
  EXPECT_EQ(remote->find("a")->size, 5u);

  options.username.clear();
  options.application_credential_id = "id";
  options.application_credential_secret = "secret";
  EXPECT_EQ(get(*open_swift_remote(options, *http), "a"), "bytes");
  EXPECT_NE(cloud.requests()[cloud.requests().size() - 2].find(
                R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":)"
                R"({"id":"id","secret":"secret"}}}})"),
            std::string::npos);

  options.region = "WAW";
  EXPECT_EQ(error_text([&] { get(*open_swift_remote(options, *http), "a"); }),
            "not_found: swift at " + cloud.url() +
                "/v3 knows no object store in region 'WAW': expected one of BHS, GRA");
}

// Lets a number of requests through, and then only what takes back what was begun, as for one who was asked to stop.
class StoppedHttp final : public HttpClient {
 public:
  HttpResponse send(const HttpRequest& request, Sink*) override {
    const std::string line = request.method + " " + request.url.substr(request.url.find('/', 8));
    if (!request.takes_back && begun_++ >= begins) throw Error(Errc::unavailable, "asked to stop");
    if (request.takes_back) taken_back.push_back(line);
    if (request.takes_back && is_silent) throw Error(Errc::unavailable, "no answer");
    if (request.method == "HEAD" && request.url.ends_with("/k")) return {404, {}, ""};
    return {201, {}, ""};
  }
  size_t begins = 0;
  bool is_silent = false;
  std::vector<std::string> taken_back;

 private:
  size_t begun_ = 0;
};

class Zeros final : public Source {
 public:
  size_t read(std::span<char> to) override {
    std::fill(to.begin(), to.end(), '\0');
    return to.size();
  }
};

TEST(Swift, IsToldToForgetTheSegmentsOfOneThatWasAskedToStopUnlessItIsSilent) {
  for (const bool is_silent : {false, true}) {
    StoppedHttp http;
    http.begins = 5;  // HEAD of the container and the object, PUT of the segments' container, two segments.
    http.is_silent = is_silent;
    RetryOptions retries;
    retries.sleep = [](std::chrono::milliseconds) {};
    const auto remote = open_swift_remote(
        {.auth_url = "http://swift.example.com/v1/AUTH_x", .container = "c", .segmented_bytes_min = 1}, http, retries);
    Zeros zeros;
    EXPECT_NE(error_text([&] { remote->put("k", zeros, 80 << 20); }).find("asked to stop"), std::string::npos);
    EXPECT_EQ(http.taken_back.size(), is_silent ? 2u : 3u);
    EXPECT_TRUE(http.taken_back.at(0).starts_with("DELETE /v1/AUTH_x/c_segments/volary/"));
  }
}

// Its token expires after the last answer before the bytes are sent, and those can be sent only once.
TEST(Swift, GetsAnotherTokenBeforeItSendsWhatItCannotSendAgain) {
  FakeHttp http;
  std::string token = "first";
  int heads = 0, sent = 0;
  http.script = [&](const HttpRequest& request) -> HttpResponse {
    if (request.url.ends_with("/auth/v1.0"))
      return answer(200, "", {{"x-storage-url", "http://store/v1"}, {"x-auth-token", token}});
    const bool is_valid = std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
      return header.first == "x-auth-token" && header.second == token;
    });
    if (!is_valid) return answer(401);
    if (request.method == "HEAD" && request.url.ends_with("/k")) return answer(404);
    if (request.method == "HEAD" && ++heads == 1) token = "second";
    if (request.method == "HEAD") return answer(204);
    ++sent;
    Hash md5(Hash::Kind::md5);
    std::string block(1 << 20, '\0');
    while (const size_t size = request.source->read(block)) md5.update({block.data(), size});
    return answer(201, "", {{"etag", hex_text(md5.finish())}});
  };
  SwiftOptions options;
  options.auth_url = "http://store/auth/v1.0";
  options.container = "c";
  options.user = options.key = "u";
  const auto remote = open_swift_remote(options, http, {.sleep = [](auto) {}});
  Zeros zeros;
  EXPECT_EQ(error_text([&] { remote->put("k", zeros, 17 << 20); }), "no error");
  EXPECT_EQ(heads, 2);
  EXPECT_EQ(sent, 1);
}

TEST(Swift, SaysWhatItWasRefusedAndNoSecret) {
  Cloud cloud;
  const auto http = make_http_client();
  const auto remote = open_swift_remote({.auth_url = cloud.url() + "/v1/AUTH_x", .container = "open"}, *http);
  EXPECT_EQ(error_text([&] { get(*remote, "a"); }),
            "denied: swift container 'open' at " + cloud.url() +
                "/v1/AUTH_x answers GET 'a' with 401: Unauthorized This token has expired.");
  for (const char* url : {"ftp://host", "https://user:pass@host/v3", "https://", "host"})
    EXPECT_NE(error_text([&] { open_swift_remote({.auth_url = url, .container = "c"}, *http); })
                  .find("is no entrance to Swift"),
              std::string::npos);
}

}  // namespace
}  // namespace volary
