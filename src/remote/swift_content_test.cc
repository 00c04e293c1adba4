// remote/swift_content_test.cc: uploads in segments that another process goes on with or gives up, on a real Swift.
#include "remote/swift_content.h"

#include <gtest/gtest.h>

#include "remote/remote_words.h"
#include "remote/swift_under_test.h"
#include "remote/swift_upload.h"
#include "remote/text_content.h"

namespace volary {
namespace {

struct Notes final : UploadNotes {
  std::optional<UploadNote> find(const std::string&) override { return note; }
  void begun(const std::string&, const UploadNote& one) override { note = one; }
  void ended(const std::string&) override { note.reset(); }
  std::optional<UploadNote> note;
};

class SwiftContent : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_swift_server()) GTEST_SKIP() << no_swift_server;
    http = make_http_client();
    options = swift_options();
    options.container = "volary-test-" + random_hex(8);
    options.segmented_bytes_min = 17 << 20;
    account = open_swift_account(options, *http);
    account->create_bucket(options.container);
    connection.emplace(options, *http);
    remote = open_swift_remote(options, *http);
  }
  void TearDown() override {
    if (!remote) return;
    remote->list("", [&](const RemoteObject& object) { remote->remove(object.key); });
    EXPECT_EQ(segments(), 0u);
    account->remove_bucket(options.container);
  }
  size_t segments() {
    size_t count = 0;
    const auto all = account->open(options.container + "_segments");
    (void)error_of([&] { all->list("", [&](const RemoteObject&) { ++count; }); });
    return count;
  }
  RemoteObject put(Content& content) {
    return remote->parted()->put_content("k", content, {.notes = notes, .threads = 1, .bytes_sent = &sent});
  }
  // As a process leaves it that dies after its first segment.
  void die_with_one_segment(const std::string& bytes, const UploadNote& note) {
    Retries retries{RetryOptions()};
    connection->send({.method = "PUT", .container = segments_container(options.container)});
    connection->send({.method = "PUT", .container = segments_container(options.container),
                      .key = segment_name(note.mark, 0), .body = bytes.substr(0, segment_bytes_for(bytes.size()))});
    notes.note = note;
  }

  std::unique_ptr<HttpClient> http;
  SwiftOptions options;
  std::unique_ptr<Account> account;
  std::optional<SwiftConnection> connection;
  std::unique_ptr<Remote> remote;
  Notes notes;
  std::atomic<uint64_t> sent = 0;
  const std::string large = some_bytes((34 << 20) + 5);  // Three segments.
  const std::string other = some_bytes((34 << 20) + 5, 2);
};

TEST_F(SwiftContent, IsProvenBySwiftsMd5sAndKnownAgain) {
  for (const std::string& bytes : {std::string(), std::string("small"), some_bytes(2 << 20), large}) {
    TextContent content(bytes);
    const RemoteObject object = put(content);
    EXPECT_EQ(object.proof, Proof::etag);
    EXPECT_EQ(object.size, bytes.size());
    EXPECT_FALSE(notes.note);
    EXPECT_EQ(get(*remote, "k"), bytes);
    EXPECT_EQ(remote->find("k")->etag, object.etag);
    EXPECT_TRUE(remote->parted()->is_same(object.etag, content));
    TextContent another(bytes + "x");
    EXPECT_FALSE(remote->parted()->is_same(object.etag, another));
  }
  EXPECT_EQ(segments(), 3u);
  TextContent small("small");
  put(small);
  EXPECT_EQ(segments(), 0u);
}

TEST_F(SwiftContent, GoesOnWithTheSegmentsThatAreThere) {
  die_with_one_segment(large, {"", "before"});
  TextContent content(large);
  EXPECT_EQ(put(content).proof, Proof::etag);
  EXPECT_EQ(sent, large.size() - (16 << 20));
  EXPECT_EQ(get(*remote, "k"), large);
  EXPECT_EQ(segments(), 3u);
}

TEST_F(SwiftContent, TakesNoSegmentThatHasOtherBytes) {
  die_with_one_segment(other, {"", "before"});
  TextContent content(large);
  put(content);
  EXPECT_EQ(sent, large.size());
  EXPECT_EQ(get(*remote, "k"), large);
}

TEST_F(SwiftContent, LeavesNoSegmentOfAnUploadThatFailsOrIsGivenUp) {
  TextContent content(large);
  content.readable = 20 << 20;  // Into the second segment.
  EXPECT_EQ(error_text([&] { put(content); }), "internal: the process has died");
  EXPECT_EQ(segments(), 0u);
  EXPECT_FALSE(notes.note);
  die_with_one_segment(large, {"", "before"});
  EXPECT_EQ(segments(), 1u);
  remote->parted()->abandon("k", *notes.note);
  remote->parted()->abandon("k", *notes.note);
  EXPECT_EQ(segments(), 0u);
}

TEST_F(SwiftContent, IsNotGivenUpOnceItIsThereAndWhatItReplacedIs) {
  TextContent first(other);
  TextContent second(large);
  put(first);
  // Dies between the manifest and the end of what it replaced.
  std::string old;
  (void)error_of([&] { old = mark_of_segment(segments_of(*connection, options.container, "k").front()); });
  die_with_one_segment(large, {old, "before"});
  EXPECT_EQ(segments(), 4u);
  remote->parted()->abandon("k", *notes.note);  // Not there yet: the old one stays whole.
  EXPECT_EQ(segments(), 3u);
  EXPECT_EQ(get(*remote, "k"), other);
  die_with_one_segment(large, {old, "before"});
  put(second);
  EXPECT_EQ(segments(), 3u);
  EXPECT_EQ(get(*remote, "k"), large);
  remote->parted()->abandon("k", {"", "before"});
  EXPECT_EQ(get(*remote, "k"), large);
}

}  // namespace
}  // namespace volary
