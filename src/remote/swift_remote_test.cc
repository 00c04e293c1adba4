// remote/swift_remote_test.cc: how Swift is entered, and what it says when it refuses. remote_contract_test.cc has the
// rest, with a real one.
#include "remote/swift_remote.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "net/scripted_server.h"
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
