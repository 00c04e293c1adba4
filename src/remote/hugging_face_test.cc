// remote/hugging_face_test.cc: what a hub may say, true and false, and what comes of it.
#include <gtest/gtest.h>

#include <map>

#include "net/scripted_server.h"
#include "remote/fingerprint.h"
#include "remote/remote_words.h"
#include "remote/sigv4.h"

namespace volary {
namespace {

using ::testing::Test;

std::string git_hash(const std::string& bytes) {
  const std::string blob = "blob " + std::to_string(bytes.size()) + std::string(1, '\0') + bytes;
  Hash hash(Hash::Kind::sha1);
  hash.update(blob);
  return hex_text(hash.finish());
}

// A hub whose answers are by request target; a target that is not there is 404.
class HubTest : public Test {
 protected:
  struct Answer {
    std::string status = "200 OK";
    std::string body = "";
    std::string headers = "";
    size_t cut_at = std::string::npos;  // Breaks off after so many bytes of the body, the first time.
  };

  HubTest()
      : server_([this](Peer& peer, size_t) {
          while (const auto request = peer.read_request()) serve(peer, *request);
        }),
        http_(make_http_client()) {
    answers_["/api/datasets/org/set/revision/main"] = {.body = R"({"sha":"c0ffee","private":false})"};
  }

  void serve(Peer& peer, const std::string& request) {
    const std::string target = request.substr(4, request.find(' ', 4) - 4);
    requests_.lock()->push_back(request);
    auto answers = shared_.lock();
    const auto found = answers_.find(target);
    if (found == answers_.end()) {
      peer.answer("404 Not Found", "", "X-Error-Code: EntryNotFound\r\n");
      return;
    }
    Answer& answer = found->second;
    std::string body = answer.body;
    std::string status = answer.status;
    std::string headers = answer.headers;
    if (const size_t at = request.find("range: bytes="); at != std::string::npos && status == "200 OK") {
      const size_t from = std::stoul(request.substr(at + 13));
      const size_t to = std::stoul(request.substr(request.find('-', at + 13) + 1));
      headers += fmt::format("Content-Range: bytes {}-{}/{}\r\n", from, to, body.size());
      body = body.substr(from, to - from + 1);
      status = "206 Partial Content";
    }
    if (answer.cut_at == std::string::npos) {
      peer.answer(status, body, headers);
      return;
    }
    peer.send(fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(),
                          body.substr(0, answer.cut_at)));
    answer.cut_at = std::string::npos;
    peer.reset();
    ::shutdown(peer.fd(), SHUT_RDWR);
  }

  // Lists these files, and has their bytes.
  void hold(const std::map<std::string, std::string>& small, const std::map<std::string, std::string>& large = {}) {
    std::string items = R"({"type":"directory","oid":"1","size":0,"path":"d"})";
    for (const auto& [path, bytes] : small)
      items += fmt::format(R"(,{{"type":"file","oid":"{}","size":{},"path":"{}"}})", git_hash(bytes), bytes.size(),
                           path);
    for (const auto& [path, bytes] : large)
      items += fmt::format(R"(,{{"type":"file","oid":"0","size":{0},"path":"{1}","lfs":{{"oid":"{2}","size":{0},)"
                           R"("pointerSize":130}},"xetHash":"00"}})",
                           bytes.size(), path, sha256_hex(bytes));
    answers_[tree] = {.body = "[" + items + "]"};
    for (const auto& files : {small, large})
      for (const auto& [path, bytes] : files) answers_["/datasets/org/set/resolve/c0ffee/" + path] = {.body = bytes};
  }

  std::unique_ptr<Remote> open(const std::string& token = "") {
    return open_hugging_face_remote({.endpoint = server_.url(), .kind = HubRepository::dataset, .repository = "org/set",
                                     .revision = "main", .token = token},
                                    *http_, {.sleep = [](std::chrono::milliseconds) {}});
  }

  static constexpr const char* tree = "/api/datasets/org/set/tree/c0ffee?recursive=true";
  Synced<int> shared_{0};  // Guards answers_ once the server is asked.
  std::map<std::string, Answer> answers_;
  Synced<std::vector<std::string>> requests_;
  ScriptedServer server_;
  std::unique_ptr<HttpClient> http_;
};

TEST_F(HubTest, ListsFilesInOrderWithTheHashesThatTheHubNames) {
  hold({{"z.txt", "zed"}, {"d/a.txt", "a"}}, {{"m.bin", "large"}});
  const auto remote = open();
  std::vector<std::string> found;
  remote->list("", [&](const RemoteObject& one) {
    found.push_back(fmt::format("{} {} {}", one.key, one.size, one.etag.substr(0, 10)));
  });
  EXPECT_EQ(found, (std::vector<std::string>{"d/a.txt 1 git:" + git_hash("a").substr(0, 6),
                                             "m.bin 5 sha256:" + sha256_hex("large").substr(0, 3),
                                             "z.txt 3 git:" + git_hash("zed").substr(0, 6)}));
  found.clear();
  remote->list("d/", [&](const RemoteObject& one) { found.push_back(one.key); });
  EXPECT_EQ(found, std::vector<std::string>{"d/a.txt"});
}

TEST_F(HubTest, FollowsThePagesOfAListingButNotToAnotherHost) {
  hold({{"a", "1"}});
  answers_[tree].headers = fmt::format("Link: <{}/next?cursor=2>; rel=\"next\"\r\n", server_.url());
  answers_["/next?cursor=2"] = {
      .body = fmt::format(R"([{{"type":"file","oid":"{}","size":1,"path":"b"}}])", git_hash("2"))};
  std::vector<std::string> found;
  open("hf_secret")->list("", [&](const RemoteObject& one) { found.push_back(one.key); });
  EXPECT_EQ(found, (std::vector<std::string>{"a", "b"}));

  answers_[tree].headers = "Link: <http://127.0.0.1:1/next>; rel=\"next\"\r\n";
  EXPECT_NE(error_text([&] { open("hf_secret")->find("a"); }).find("goes on at another host"), std::string::npos);
  answers_[tree].headers = fmt::format("Link: <{}{}>; rel=\"next\"\r\n", server_.url(), tree);
  EXPECT_NE(error_text([&] { open()->find("a"); }).find("corrupt"), std::string::npos) << "a listing that repeats";
}

TEST_F(HubTest, HoldsWholeFilesAgainstTheirHash) {
  hold({{"small", "some text"}, {"empty", ""}}, {{"large", std::string(100'000, 'x')}});
  const auto remote = open();
  EXPECT_EQ(get(*remote, "small"), "some text");
  EXPECT_EQ(get(*remote, "empty"), "");
  EXPECT_EQ(get(*remote, "large"), std::string(100'000, 'x'));
  EXPECT_EQ(get(*remote, "large", {.range = Range{5, 3}}), "xxx");
  answers_["/datasets/org/set/resolve/c0ffee/small"].body = "some texT";
  answers_["/datasets/org/set/resolve/c0ffee/large"].body[77'777] = 'y';
  for (const char* name : {"small", "large"})
    EXPECT_NE(error_text([&] { get(*remote, name); }).find(fmt::format("corrupt: the bytes of '{}' hash to", name)),
              std::string::npos);
}

TEST_F(HubTest, GoesOnWhereADownloadBrokeOffAndStillChecksTheWhole) {
  hold({}, {{"large", some_bytes(200'000)}});
  answers_["/datasets/org/set/resolve/c0ffee/large"].cut_at = 123'456;
  const auto remote = open();
  EXPECT_EQ(get(*remote, "large"), some_bytes(200'000));
  size_t ranges = 0;
  for (const std::string& request : *requests_.lock()) ranges += request.find("range: bytes=") != std::string::npos;
  EXPECT_EQ(ranges, 1u);

  answers_["/datasets/org/set/resolve/c0ffee/large"].cut_at = 1000;
  answers_["/datasets/org/set/resolve/c0ffee/large"].body[150'000] ^= 1;
  EXPECT_NE(error_text([&] { get(*remote, "large"); }).find("corrupt: the bytes of 'large'"), std::string::npos);
}

TEST_F(HubTest, RefusesAnAnswerOfAnotherLength) {
  hold({{"file", "12345"}});
  answers_["/datasets/org/set/resolve/c0ffee/file"].body = "123456";
  EXPECT_NE(error_text([&] { get(*open(), "file"); }).find("gives 6 bytes of 'file': expected 5"), std::string::npos);
}

TEST_F(HubTest, FollowsARedirectToAnotherHostWithoutTheToken) {
  hold({}, {{"large", "the bytes"}});
  Synced<std::string> seen;
  ScriptedServer storage([&](Peer& peer, size_t) {
    while (const auto request = peer.read_request()) {
      *seen.lock() += *request;
      peer.answer("200 OK", "the bytes");
    }
  });
  answers_["/datasets/org/set/resolve/c0ffee/large"] = {
      .status = "302 Found", .body = "", .headers = fmt::format("Location: {}/blob?sig=1\r\n", storage.url())};
  EXPECT_EQ(get(*open("hf_secret"), "large"), "the bytes");
  EXPECT_NE(seen.lock()->find("GET /blob?sig=1"), std::string::npos);
  EXPECT_EQ(seen.lock()->find("hf_secret"), std::string::npos);
  EXPECT_NE(requests_.lock()->back().find("Bearer hf_secret"), std::string::npos);
}

TEST_F(HubTest, SaysWhatTheHubSays) {
  answers_["/api/datasets/org/set/revision/main"] = {
      .status = "404 Not Found", .body = "", .headers = "X-Error-Code: RevisionNotFound\r\n"};
  EXPECT_EQ(error_text([&] { open()->find("a"); }),
            fmt::format("not_found: there is no revision 'main' of dataset 'org/set' at {}", server_.url()));
  answers_["/api/datasets/org/set/revision/main"] = {
      .status = "401 Unauthorized", .body = "", .headers = "X-Error-Code: RepoNotFound\r\n"};
  EXPECT_EQ(error_text([&] { open()->find("a"); }),
            fmt::format("not_found: there is no dataset 'org/set' at {}, or it is private and wants a token",
                        server_.url()));
  answers_["/api/datasets/org/set/revision/main"] = {
      .status = "403 Forbidden", .body = "", .headers = "X-Error-Code: GatedRepo\r\nX-Error-Message: Ask first\r\n"};
  EXPECT_EQ(error_text([&] { open("hf_secret")->find("a"); }),
            fmt::format("denied: dataset 'org/set' at {} is gated: ask for access on its page first (Ask first)",
                        server_.url()));
}

TEST_F(HubTest, IsOnlyRead) {
  hold({});
  EXPECT_NE(error_text([&] { put(*open(), "a", "1"); }).find("invalid: dataset 'org/set'"), std::string::npos);
  EXPECT_NE(error_text([&] { open()->remove("a"); }).find("can only be read"), std::string::npos);
}

TEST_F(HubTest, RefusesNamesThatAreNoRepository) {
  for (const char* name : {"", "/", "a/", "/b", "a/b/c", "a b", "../x", "a/..", "a?b"})
    EXPECT_NE(error_text([&] {
                open_hugging_face_remote({.endpoint = server_.url(), .repository = name}, *http_);
              }).find("is no repository of a hub"), std::string::npos) << name;
}

}  // namespace
}  // namespace volary
