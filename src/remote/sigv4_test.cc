// remote/sigv4_test.cc: the examples that AWS publishes.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Examples: Signature calculations".
#include "remote/sigv4.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace volary {
namespace {

const Credentials example{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
const Time may_24 = parse_time("2013-05-24T00:00:00Z");
const std::string host = "examplebucket.s3.amazonaws.com";

std::string authorization(SignableRequest request, const Credentials& credentials = example) {
  Signer(credentials, "us-east-1").sign(request, may_24);
  return request.headers.at("authorization");
}

std::string expected(const std::string& names, const std::string& signature) {
  return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + names +
         ",Signature=" + signature;
}

TEST(SigV4, SignsAwsExampleGetObject) {
  EXPECT_EQ(authorization({"GET", "/test.txt", {}, {{"host", host}, {"range", "bytes=0-9"}}, sha256_hex("")}),
            expected("host;range;x-amz-content-sha256;x-amz-date",
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST(SigV4, SignsAwsExamplePutObject) {
  EXPECT_EQ(authorization({"PUT", "/test%24file.text", {},
                           {{"host", host}, {"date", "Fri, 24 May 2013 00:00:00 GMT"},
                            {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                           sha256_hex("Welcome to Amazon S3.")}),
            expected("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SigV4, SignsAwsExampleGetBucketLifecycle) {
  EXPECT_EQ(authorization({"GET", "/", {{"lifecycle", ""}}, {{"host", host}}, sha256_hex("")}),
            expected("host;x-amz-content-sha256;x-amz-date",
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4, SignsAwsExampleListObjects) {
  EXPECT_EQ(authorization({"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {{"host", host}}, sha256_hex("")}),
            expected("host;x-amz-content-sha256;x-amz-date",
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4, SortsTheQueryAfterEncodingIt) {
  SignableRequest request;
  request.query = {{"b", "1+/x=="}, {"a b", "c=d&e"}, {"uploads", ""}, {"a", "2"}, {"a", "1"}, {"\xc3\xa9", "~"}};
  EXPECT_EQ(request.query_text(), "%C3%A9=~&a=1&a=2&a%20b=c%3Dd%26e&b=1%2B%2Fx%3D%3D&uploads=");
}

TEST(SigV4, SignsTheSessionTokenToo) {
  const Credentials with_token{example.access_key, example.secret_key, "the token"};
  const std::string text = authorization({"GET", "/", {}, {{"host", host}}, sha256_hex("")}, with_token);
  EXPECT_NE(text.find("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"), std::string::npos);
}

TEST(SigV4, TakesANewKeyOnANewDay) {
  const Signer signer(example, "us-east-1");
  const auto sign = [&](Time now) {
    SignableRequest request{"GET", "/", {}, {{"host", host}}, sha256_hex("")};
    signer.sign(request, now);
    return request.headers.at("authorization");
  };
  const std::string first = sign(may_24);
  EXPECT_NE(sign(may_24.plus_seconds(86'400)), first);
  EXPECT_NE(sign(may_24.plus_seconds(1)), first);
  EXPECT_EQ(sign(may_24), first);
}

TEST(SigV4, SignsWithSecretsThatAreLongerThanABlock) {
  const std::string text = authorization({"GET", "/", {}, {{"host", host}}, sha256_hex("")},
                                         {example.access_key, std::string(100, 'k'), ""});
  EXPECT_EQ(text, expected("host;x-amz-content-sha256;x-amz-date",
                           "df39ea3bee0a011067e7ebf858191e6798fb9d829e9497855664546e71971aa9"));
}

TEST(SigV4, KnowsSha256) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("Welcome to Amazon S3."), "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
}

}  // namespace
}  // namespace volary
