// remote/http_remote_test.cc: files of web servers, of good ones and of those that know little.
#include "remote/http_remote.h"

#include <gtest/gtest.h>

#include "net/scripted_server.h"
#include "remote/remote_words.h"

namespace volary {
namespace {

struct WebFile {
  std::string bytes;
  std::string headers{};        // "ETag: \"1\"\r\n"
  bool has_head = true;
  bool has_ranges = true;
  bool has_length = true;
};

std::string header_of(const std::string& request, const std::string& name) {
  const size_t at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t start = at + name.size() + 4;
  return request.substr(start, request.find("\r\n", start) - start);
}

// Serves one file under every path below /f/; the rest is not there.
class WebServer {
 public:
  explicit WebServer(WebFile file) : file_(std::move(file)), server_([this](Peer& peer, size_t) { serve(peer); }) {}
  std::string url() const { return server_.url(); }
  std::vector<std::string> requests() { return *requests_.lock(); }
  void change(const WebFile& file) { *changed_.lock() = file; }

 private:
  void serve(Peer& peer) {
    while (auto request = peer.read_request()) {
      requests_.lock()->push_back(*request);
      if (auto changed = changed_.lock(); *changed) file_ = **changed;
      answer(peer, *request);
      if (!file_.has_length) return;
    }
  }
  void answer(Peer& peer, const std::string& request) {
    const bool is_head = request.starts_with("HEAD ");
    const std::string path = request.substr(request.find(' ') + 1, request.find(" HTTP") - request.find(' ') - 1);
    if (!path.starts_with("/f/")) return void(peer.answer("404 Not Found", is_head ? "" : "no"));
    if (is_head && !file_.has_head) return void(peer.answer("405 Method Not Allowed", ""));
    std::string body = file_.bytes, status = "200 OK", headers = file_.headers;
    const std::string range = header_of(request, "range");
    if (file_.has_ranges) headers += "Accept-Ranges: bytes\r\n";
    if (file_.has_ranges && !range.empty() && !is_head) {
      const size_t first = std::stoul(range.substr(6));
      const size_t last = std::stoul(range.substr(range.find('-') + 1));
      if (last >= body.size())
        return void(peer.answer("416 Range Not Satisfiable", "",
                                fmt::format("Content-Range: bytes */{}\r\n", body.size())));
      status = "206 Partial Content";
      headers += fmt::format("Content-Range: bytes {}-{}/{}\r\n", first, last, body.size());
      body = body.substr(first, last - first + 1);
    }
    const std::string length = file_.has_length ? fmt::format("Content-Length: {}\r\n", body.size()) : "";
    peer.send("HTTP/1.1 " + status + "\r\n" + length + headers + "\r\n" + (is_head ? "" : body));
  }

  WebFile file_;
  Synced<std::optional<WebFile>> changed_;
  Synced<std::vector<std::string>> requests_;
  ScriptedServer server_;
};

class HttpRemoteTest : public ::testing::Test {
 protected:
  std::unique_ptr<Remote> open(const std::string& url) { return open_http_remote({.url = url}, *http); }
  const std::unique_ptr<HttpClient> http = make_http_client();
};

TEST_F(HttpRemoteTest, FindsAndGivesWhatIsNamed) {
  WebServer server({.bytes = "0123456789",
                    .headers = "ETag: \"one\"\r\nLast-Modified: Wed, 22 May 2024 10:00:00 GMT\r\n"});
  const auto remote = open(server.url() + "/f/");
  const auto found = remote->find("dir/a b%.bin");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size, 10u);
  EXPECT_EQ(found->etag, "one");
  EXPECT_EQ(to_text(found->modified).substr(0, 19), "2024-05-22T10:00:00");
  EXPECT_TRUE(server.requests().at(0).starts_with("HEAD /f/dir/a%20b%25.bin HTTP/1.1"));
  EXPECT_EQ(get(*remote, "x"), "0123456789");
  EXPECT_EQ(get(*remote, "x", {.range = Range{2, 3}, .if_match = "one"}), "234");
  EXPECT_EQ(header_of(server.requests().back(), "if-match"), "\"one\"");
  EXPECT_EQ(get(*remote, "x", {.range = Range{10, 0}}), "");
  EXPECT_FALSE(remote->reads_whole());
  EXPECT_EQ(open(server.url() + "/g/")->find("x"), std::nullopt);
  EXPECT_NE(error_text([&] { get(*open(server.url() + "/g/"), "x"); })
                .find("not_found: there is no 'x' in web directory"),
            std::string::npos);
}

TEST_F(HttpRemoteTest, ListsAFileAndNoDirectory) {
  WebServer server({.bytes = "0123456789"});
  const auto file = open(server.url() + "/f/a%20b.tar?signature=secret");
  EXPECT_TRUE(file->has_listing());
  std::vector<std::string> keys;
  file->list("", [&](const RemoteObject& object) { keys.push_back(object.key); });
  EXPECT_EQ(keys, std::vector<std::string>{"a b.tar"});
  EXPECT_EQ(get(*file, "a b.tar"), "0123456789");
  EXPECT_EQ(file->find("other"), std::nullopt);
  EXPECT_EQ(file->description(), "web file " + server.url() + "/f/a%20b.tar");
  const auto directory = open(server.url() + "/f/");
  EXPECT_FALSE(directory->has_listing());
  EXPECT_EQ(error_text([&] { directory->list("", [](const RemoteObject&) {}); }),
            "invalid: web directory " + server.url() + "/f/ has no listing: name a file in it");
}

TEST_F(HttpRemoteTest, GetsAlongWithServersThatKnowLittle) {
  WebServer no_head({.bytes = "0123456789", .headers = "ETag: \"one\"\r\n", .has_head = false});
  EXPECT_EQ(open(no_head.url() + "/f/")->find("x")->size, 10u);
  WebServer empty({.bytes = "", .has_head = false});
  EXPECT_EQ(open(empty.url() + "/f/")->find("x")->size, 0u);
  EXPECT_EQ(get(*open(empty.url() + "/f/"), "x"), "");

  WebServer no_ranges({.bytes = "0123456789", .has_head = false, .has_ranges = false});
  const auto remote = open(no_ranges.url() + "/f/");
  EXPECT_EQ(remote->find("x")->size, 10u);
  EXPECT_TRUE(remote->reads_whole());
  EXPECT_EQ(get(*remote, "x", {.range = Range{2, 3}}), "234");  // Of all of it, which is what came.

  WebServer no_length({.bytes = "0123456789",
                       .headers = "ETag: \"one\"\r\n",
                       .has_ranges = false,
                       .has_length = false});
  EXPECT_NE(error_text([&] { open(no_length.url() + "/f/")->find("x"); }).find("does not say how long 'x' is"),
            std::string::npos);
  const auto any = open_http_remote({.url = no_length.url() + "/f/", .unknown_size = UnknownSize::zero}, *http);
  EXPECT_EQ(any->find("x")->etag, "");
  StringSink sink;
  EXPECT_EQ(any->get("x", {}, sink).size, 10u);
  EXPECT_EQ(sink.text, "0123456789");
}

TEST_F(HttpRemoteTest, RefusesAFileThatHasBecomeAnother) {
  WebServer server({.bytes = "0123456789", .headers = "Last-Modified: Wed, 22 May 2024 10:00:00 GMT\r\n"});
  const auto remote = open(server.url() + "/f/");
  const std::string etag = remote->find("x")->etag;
  EXPECT_EQ(etag, "modified Wed, 22 May 2024 10:00:00 GMT");
  EXPECT_EQ(get(*remote, "x", {.if_match = etag}), "0123456789");
  EXPECT_EQ(header_of(server.requests().back(), "if-unmodified-since"), "Wed, 22 May 2024 10:00:00 GMT");
  server.change({.bytes = "abcdefghij", .headers = "Last-Modified: Wed, 22 May 2024 10:00:01 GMT\r\n"});
  EXPECT_NE(error_text([&] { get(*remote, "x", {.if_match = etag}); }).find("conflict: 'x' in web directory"),
            std::string::npos);
}

TEST_F(HttpRemoteTest, ShowsItsSecretToItsOwnServerOnly) {
  WebServer storage({.bytes = "0123456789"});
  ScriptedServer first([&](Peer& peer, size_t) {
    while (auto request = peer.read_request())
      peer.answer(header_of(*request, "authorization") == "Basic dXNlcjpwYXNz" ? "302 Found" : "401 Unauthorized", "",
                  "Location: " + storage.url() + "/f/real\r\n");
  });
  const auto remote = open_http_remote({.url = first.url() + "/", .user = "user", .password = "pass"}, *http);
  EXPECT_EQ(get(*remote, "x"), "0123456789");
  EXPECT_EQ(remote->find("x")->size, 10u);
  for (const std::string& request : storage.requests()) EXPECT_EQ(header_of(request, "authorization"), "");
  EXPECT_NE(error_text([&] { get(*open(first.url() + "/"), "x"); }).find("it wants a token or a password"),
            std::string::npos);
}

TEST_F(HttpRemoteTest, TakesNothingThatIsNoUrlOfAFile) {
  for (const char* url : {"ftp://host/x", "https://", "https://u:p@host/", "https://host/a b", "https://host/x#y",
                          "https://host/dir/?x", "host/x"})
    EXPECT_NE(error_text([&] { check_http_url(url); }).find("invalid: "), std::string::npos) << url;
  const auto remote = open("https://host.invalid/dir/");
  for (const char* key : {"../x", "a/../b", "/x", "a//b", "."})
    EXPECT_NE(error_text([&] { remote->find(key); }).find("is no file below"), std::string::npos) << key;
  EXPECT_NE(error_text([&] { put(*remote, "x", "y"); }).find("can only be read"), std::string::npos);
}

TEST(HttpRemote, ReadsTheFileOfASignedUrlWhoseSignatureEndsInASlash) {
  WebServer server({.bytes = "the bytes"});
  const auto client = make_http_client();
  const auto remote = open_http_remote({.url = server.url() + "/f/a.bin?signature=abc/"}, *client);
  EXPECT_TRUE(remote->has_listing());
  EXPECT_EQ(get(*remote, "a.bin"), "the bytes");
  for (const std::string& request : server.requests())
    EXPECT_NE(request.find(" /f/a.bin?signature=abc/ HTTP"), std::string::npos) << request;
}

}  // namespace
}  // namespace volary
