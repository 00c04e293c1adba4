// api/content_test.cc: whole files and ranges of them, and files whose bytes are not what they were.
#include "api/content.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"

namespace volary {
namespace {

class Content : public testing::Test {
 protected:
  Content() { keep("0123456789"); }
  ~Content() override { remove_file(file_.blob); }

  void keep(const std::string& bytes) {
    write_file_durably(file_.blob, bytes);
    file_.digest = Digest::of(bytes);
    file_.size = bytes.size();
  }

  struct Answer {
    int status = 0;
    std::string body;
    std::string range;
  };
  Answer ask(std::map<std::string, std::string> headers = {}) {
    Request request;
    request.headers = std::move(headers);
    const Response response = content_response(request, file_);
    Answer answer{response.status, response.body, ""};
    for (const auto& [name, value] : response.headers)
      if (name == "content-range") answer.range = value;
    while (response.stream) {
      const auto block = response.stream->poll();
      if (!block) break;
      answer.body += *block;
    }
    if (response.stream) EXPECT_EQ(response.stream_bytes, answer.body.size());
    return answer;
  }

  VolumeFile file_{{}, 0, std::filesystem::temp_directory_path() / ("volary-content-" + random_hex(6))};
};

TEST_F(Content, IsWholeUnlessARangeIsAskedFor) {
  EXPECT_EQ(ask().status, 200);
  EXPECT_EQ(ask().body, "0123456789");
  EXPECT_EQ(ask({{"range", "bytes=2-4"}}).body, "234");
  EXPECT_EQ(ask({{"range", "bytes=2-4"}}).range, "bytes 2-4/10");
  EXPECT_EQ(ask({{"range", "bytes=8-"}}).body, "89");
  EXPECT_EQ(ask({{"range", "bytes=-3"}}).body, "789");
  EXPECT_EQ(ask({{"range", "bytes=-30"}}).body, "0123456789");
  EXPECT_EQ(ask({{"range", "bytes=5-500"}}).range, "bytes 5-9/10");
}

TEST_F(Content, IgnoresWhatIsNoSingleRangeAndRefusesOneOutside) {
  for (const char* range : {"bytes=", "bytes=-", "bytes=4-2", "bytes=1-2,4-5", "lines=1-2", "bytes=x-2", "bytes=1-x"})
    EXPECT_EQ(ask({{"range", range}}).status, 200) << range;
  for (const char* range : {"bytes=10-", "bytes=10-20", "bytes=18446744073709551615-", "bytes=-0"}) {
    EXPECT_EQ(ask({{"range", range}}).status, 416) << range;
    EXPECT_EQ(ask({{"range", range}}).range, "bytes */10") << range;
  }
}

TEST_F(Content, IsNotSentAgainToWhoHasIt) {
  const std::string tag = "\"" + file_.digest.hex() + "\"";
  EXPECT_EQ(ask({{"if-none-match", tag}}).status, 304);
  EXPECT_EQ(ask({{"if-none-match", "\"other\""}}).status, 200);
  EXPECT_EQ(ask({{"range", "bytes=0-1"}, {"if-range", tag}}).status, 206);
  EXPECT_EQ(ask({{"range", "bytes=0-1"}, {"if-range", "\"other\""}}).status, 200);
}

TEST_F(Content, OfNoBytesIsEmpty) {
  keep("");
  EXPECT_EQ(ask().status, 200);
  EXPECT_EQ(ask().body, "");
}

TEST_F(Content, ThatIsDamagedBreaksOffBeforeItsEnd) {
  keep(std::string(3 * block_bytes, 'x'));
  std::string damaged(3 * block_bytes, 'x');
  damaged[5] = 'y';
  write_file_durably(file_.blob, damaged);
  EXPECT_THROW(ask(), Error);
  write_file_durably(file_.blob, std::string(10, 'x'));
  EXPECT_THROW(ask(), Error);
}

}  // namespace
}  // namespace volary
