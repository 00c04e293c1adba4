// remote/s3_checksum_test.cc: bodies of the right length with the wrong bytes, and etags that are no MD5.
#include "remote/s3_checksum.h"

#include <gtest/gtest.h>

#include "remote/base64.h"
#include "remote/fake_http.h"
#include "remote/remote_words.h"

namespace volary {
namespace {

using Headers = std::multimap<std::string, std::string>;

constexpr const char* digits = "123456789";
constexpr const char* md5_of_digits = "25f9e794323b453885f5181f1b624d0b";

class S3Checksums : public ::testing::Test {
 protected:
  S3Checksums() {
    options.endpoint = "http://s3.example.com";
    options.bucket = "b";
    retries.sleep = [](std::chrono::milliseconds) {};
    http.script = [this](const HttpRequest& request) { return serve(request); };
  }
  // The bodies in their order, the last of them again and again; a range is cut out of them.
  HttpResponse serve(const HttpRequest& request) {
    const auto header = [&](const std::string& name) {
      for (const auto& [key, value] : request.headers)
        if (key == name) return value;
      return std::string();
    };
    Headers said = headers;
    if (header("x-amz-checksum-mode") != "ENABLED") std::erase_if(said, [](const auto& one) {
      return one.first.starts_with("x-amz-checksum");
    });
    if (request.method == "HEAD") return answer(200, bodies[0], said);
    const std::string body = bodies[std::min(reads++, bodies.size() - 1)];
    const std::string range = header("range");
    if (range.empty()) return answer(200, body, said);
    const size_t first = std::stoul(range.substr(6));
    said.emplace("content-range", fmt::format("bytes {}-{}/{}", first, body.size() - 1, body.size()));
    return answer(206, body.substr(first), said);
  }
  std::string got() {
    reads = 0;
    const auto remote = with_retries(open_s3_remote(options, http, clock, retries), retries);
    std::string text;
    const auto error = error_of([&] { text = get(*remote, "k"); });
    return error ? error->what() : text;
  }

  Headers headers;
  std::vector<std::string> bodies{digits};
  size_t reads = 0;
  S3Options options;
  RetryOptions retries;
  FakeHttp http;
  FakeClock clock{parse_time("2026-11-20T12:00:00Z")};
};

TEST_F(S3Checksums, OfEachKindAreHeldAgainstTheBytes) {
  const std::pair<const char*, const char*> all[] = {
      {"crc32", "y/Q5Jg=="},
      {"crc32c", "4waSgw=="},
      {"crc64nvme", "rosUhgp5mIg="},
      {"sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="},
      {"sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="}};
  for (const auto& [kind, text] : all) {
    headers = {{"x-amz-checksum-" + std::string(kind), text}};
    bodies = {digits};
    EXPECT_EQ(got(), digits) << kind;
    bodies = {"123456788"};
    EXPECT_TRUE(got().starts_with("corrupt: s3 bucket 'b' at http://s3.example.com gave 'k' with the checksum " +
                                  std::string(kind) + " "))
        << got();
    EXPECT_TRUE(got().ends_with(fmt::format(": expected {} {}, which it keeps for it", kind, text))) << got();
    EXPECT_EQ(reads, 1u);
  }
}

TEST_F(S3Checksums, OfPartsAreNotOfTheBytes) {
  bodies = {"other"};
  for (const Headers& said : {Headers{{"x-amz-checksum-crc32c", "4waSgw==-2"}},
                              Headers{{"x-amz-checksum-crc32c", "4waSgw=="}, {"x-amz-checksum-type", "COMPOSITE"}},
                              Headers{{"x-amz-checksum-crc32c", "?"}}, Headers{{"x-amz-checksum-xxhash3", "AAAA"}}}) {
    headers = said;
    EXPECT_EQ(got(), "other");
  }
  headers = {{"x-amz-checksum-crc32c", "4waSgw=="}, {"x-amz-checksum-type", "FULL_OBJECT"}};
  EXPECT_TRUE(got().starts_with("corrupt: "));
}

TEST_F(S3Checksums, AreOfAllThatCameAlsoByTwoRequests) {
  headers = {{"x-amz-checksum-crc32c", "4waSgw=="}, {"etag", "\"e\""}};
  const auto broken = [&](const std::string& rest) {
    bool is_first = true;
    bodies = {"1234" + rest};
    http.script = [this, is_first](const HttpRequest& request) mutable {
      HttpResponse response = serve(request);
      if (request.method == "GET" && std::exchange(is_first, false)) response.body = "1234";
      return response;
    };
    return got();
  };
  EXPECT_EQ(broken("56789"), digits);
  EXPECT_EQ(reads, 2u);
  EXPECT_TRUE(broken("56780").starts_with("corrupt: ")) << got();
}

TEST_F(S3Checksums, WhereThereAreNoneAnEtagThatIsAnMd5ProtectsWhatIsReadInTheClear) {
  headers = {{"etag", "\"" + std::string(md5_of_digits) + "\""}};
  EXPECT_EQ(got(), digits);
  EXPECT_EQ(reads, 1u);
  bodies = {"123456788", digits};
  EXPECT_EQ(got(), "corrupt: s3 bucket 'b' at http://s3.example.com gave 'k' with the md5 "
                   "f5f091a697cd91c4170cda38e81f4b1a and then with the md5 " +
                       std::string(md5_of_digits) + ": expected md5 " + md5_of_digits + ", its etag");
  EXPECT_EQ(reads, 2u);
  options.is_near = true;
  EXPECT_EQ(got(), "123456788");
  options.is_near = false;
  options.endpoint = "https://s3.example.com";
  EXPECT_EQ(got(), "123456788");
  EXPECT_EQ(reads, 1u);
}

TEST_F(S3Checksums, AnEtagWithWhichTheSameBytesComeTwiceIsNoMd5) {
  headers = {{"etag", "\"" + std::string(32, '0') + "\""}};
  EXPECT_EQ(got(), digits);
  EXPECT_EQ(reads, 2u);
  const auto remote = open_s3_remote(options, http, clock, retries);
  reads = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(*remote, "k"), digits);
  EXPECT_EQ(reads, 4u);  // Once is enough to know it of a store …
  headers = {{"etag", "\"" + std::string(md5_of_digits) + "\""}};
  const auto other = open_s3_remote(options, http, clock, retries);
  EXPECT_EQ(get(*other, "k"), digits);
  headers = {{"etag", "\"" + std::string(32, '0') + "\""}};
  reads = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(*other, "k"), digits);
  EXPECT_EQ(reads, 6u);  // … unless others of its etags are MD5s.
  for (const Headers& said : {Headers{{"etag", "\"" + std::string(32, '0') + "-2\""}},
                              Headers{{"etag", "\"" + std::string(32, '0') + "\""},
                                      {"x-amz-server-side-encryption", "aws:kms"}}}) {
    headers = said;
    EXPECT_EQ(got(), digits);
    EXPECT_EQ(reads, 1u);
  }
}

TEST_F(S3Checksums, WhatCannotBeReadAgainIsNotBelieved) {
  headers = {{"etag", "\"" + std::string(32, '0') + "\""}};
  http.script = [this](const HttpRequest& request) {
    if (request.method == "GET" && reads == 1) return refuse(403, "AccessDenied");
    return serve(request);
  };
  EXPECT_EQ(got(), "corrupt: s3 bucket 'b' at http://s3.example.com gave 'k' with another MD5 than its etag, " +
                       std::string(32, '0') + ", and does not give it again: s3 bucket 'b' at http://s3.example.com "
                       "answers GET 'k' with 403 AccessDenied");
}

TEST_F(S3Checksums, AreToldOfAnObjectThatIsFound) {
  headers = {{"x-amz-checksum-crc64nvme", "rosUhgp5mIg="}};
  const auto found = open_s3_remote(options, http, clock, retries)->find("k");
  ASSERT_TRUE(found && found->checksum);
  EXPECT_EQ(found->checksum->text(), "crc64nvme rosUhgp5mIg=");
}

}  // namespace
}  // namespace volary
