// remote/s3_remote_test.cc: servers that refuse, lie and lose answers, played by a fake HTTP client.
#include <gtest/gtest.h>

#include "remote/fake_http.h"
#include "remote/memory_remote.h"
#include "remote/remote_words.h"
#include "remote/s3_connection.h"
#include "remote/s3_listing.h"
#include "remote/s3_upload.h"

namespace volary {
namespace {

class S3 : public ::testing::Test {
 protected:
  S3() {
    options.endpoint = "http://s3.example.com";
    options.bucket = "b";
    options.access_key = "THEACCESSKEY";
    options.secret_key = "THESECRETKEY";
    retries.sleep = [this](std::chrono::milliseconds time) { waits.push_back(time.count()); };
  }
  std::unique_ptr<Remote> remote() { return open_s3_remote(options, http, clock, retries); }
  // What a get says when the server answers so.
  std::string message(const HttpResponse& response) {
    http.script = [&](const HttpRequest&) { return response; };
    return error_text([&] { get(*remote(), "k"); });
  }
  size_t requests() { return http.requests.lock()->size(); }

  S3Options options;
  RetryOptions retries;
  std::vector<int64_t> waits;
  FakeHttp http;
  FakeClock clock{parse_time("2026-11-20T12:00:00Z")};
};

TEST_F(S3, SpeaksInTheWordsOfTheServer) {
  EXPECT_EQ(message(refuse(404, "NoSuchBucket")),
            "not_found: there is no s3 bucket 'b' at http://s3.example.com (NoSuchBucket)");
  EXPECT_EQ(message(refuse(404, "NoSuchKey")),
            "not_found: there is no 'k' in s3 bucket 'b' at http://s3.example.com (NoSuchKey)");
  EXPECT_EQ(message(refuse(403, "AccessDenied", "<Message>Access Denied</Message>")),
            "denied: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 403 AccessDenied: Access Denied");
  EXPECT_EQ(message(refuse(400, "ExpiredToken")),
            "denied: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 400 ExpiredToken; the "
            "credentials have expired: expected a secret with new ones");
  EXPECT_EQ(message(refuse(412, "PreconditionFailed")),
            "conflict: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 412 PreconditionFailed");
  EXPECT_EQ(message(refuse(503, "SlowDown")),
            "unavailable: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 503 SlowDown");
  EXPECT_EQ(message(answer(502, "<html><body>Bad Gateway<br></html>")),
            "unavailable: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 502 and no reason");
  EXPECT_EQ(message(refuse(403, "QuotaExceeded")),
            "exhausted: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 403 QuotaExceeded");
}

TEST_F(S3, NamesTheRegionOrHostWhereTheBucketReallyIs) {
  const std::string asked = "invalid: s3 bucket 'b' at http://s3.example.com was asked in region 'us-east-1', but the "
                            "server says the bucket is";
  EXPECT_EQ(message(refuse(301, "PermanentRedirect", "<Endpoint>b.s3.eu-west-1.example.com</Endpoint>")),
            asked + " at host 'b.s3.eu-west-1.example.com'");
  EXPECT_EQ(message(answer(301, "", {{"x-amz-bucket-region", "eu-west-1"}})), asked + " in region 'eu-west-1'");
  EXPECT_EQ(message(refuse(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")),
            asked + " in region 'eu-west-1'");
  EXPECT_EQ(message(answer(307)), asked + " elsewhere and does not say where");
}

TEST_F(S3, NeverSpeaksOfKeysAndSignatures) {
  const std::string text = message(
      refuse(403, "SignatureDoesNotMatch",
             "<Message>It does not match.</Message><AWSAccessKeyId>THEACCESSKEY</AWSAccessKeyId><StringToSign>AWS4 "
             "SIGNED</StringToSign><SignatureProvided>0123</SignatureProvided>"));
  EXPECT_EQ(text, "denied: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 403 SignatureDoesNotMatch: It "
                  "does not match.");
}

TEST_F(S3, AsksForTheReasonThatAHeadDoesNotGive) {
  http.script = [&](const HttpRequest& request) {
    return request.method == "HEAD" ? answer(403) : refuse(403, "InvalidAccessKeyId");
  };
  EXPECT_EQ(error_text([&] { remote()->find("k"); }),
            "denied: s3 bucket 'b' at http://s3.example.com answers GET 'k' with 403 InvalidAccessKeyId");
  http.script = [&](const HttpRequest& request) {
    return request.method == "HEAD" ? answer(404) : refuse(404, "NoSuchBucket");
  };
  EXPECT_EQ(error_text([&] { remote()->find("k"); }),
            "not_found: there is no s3 bucket 'b' at http://s3.example.com (NoSuchBucket)");
}

TEST_F(S3, CorrectsAClockThatIsOff) {
  http.script = [&](const HttpRequest& request) {
    for (const auto& [name, value] : request.headers)
      if (name == "x-amz-date" && value == "20261120T123000Z") return answer(200, "right");
    HttpResponse wrong = refuse(403, "RequestTimeTooSkewed");
    wrong.headers.emplace("date", "Fri, 20 Nov 2026 12:30:00 GMT");
    return wrong;
  };
  const auto store = remote();
  EXPECT_EQ(get(*store, "k"), "right");
  EXPECT_EQ(get(*store, "k"), "right");
  EXPECT_EQ(requests(), 3u);
}

TEST_F(S3, TakesNoBytesOfAnAnswerToAnotherQuestion) {
  const auto got = [&](const HttpResponse& response, const GetOptions& wanted) {
    http.script = [&](const HttpRequest&) { return response; };
    StringSink sink;
    const std::string text = error_text([&] { remote()->get("k", wanted, sink); });
    EXPECT_EQ(sink.text, "");
    return text;
  };
  const GetOptions range{.range = Range{2, 3}};
  const std::string asked =
      "corrupt: s3 bucket 'b' at http://s3.example.com was asked for 3 bytes of 'k' from 2 on and answers ";
  EXPECT_EQ(got(answer(200, "0123456789"), range), asked + "200 ''");
  EXPECT_EQ(got(answer(206, "012", {{"content-range", "bytes 0-2/10"}}), range), asked + "206 'bytes 0-2/10'");
  EXPECT_EQ(got(answer(206, "012", {{"content-range", "bytes 2-4/*"}}), range), asked + "206 'bytes 2-4/*'");
  EXPECT_EQ(got(answer(206, "23", {{"content-range", "bytes 2-3/4"}}), range),
            "invalid: 'k' has 4 bytes: there are no 3 bytes from 2 on");
  EXPECT_EQ(got(answer(206, "2", {{"content-range", "bytes 2-2/10"}}), range),
            "corrupt: s3 bucket 'b' at http://s3.example.com was asked for 3 bytes of 'k' and gives 1");
  EXPECT_EQ(got(answer(206, "x"), {}),
            "corrupt: s3 bucket 'b' at http://s3.example.com was asked for all of 'k' and answers 206");
  EXPECT_EQ(got(answer(200, "x", {{"etag", "\"new\""}}), {.if_match = "old"}),
            "conflict: 'k' in s3 bucket 'b' at http://s3.example.com is another one by now: its etag is 'new', "
            "expected 'old'");
  EXPECT_EQ(got({200, {}, "of no length"}, {}),
            "corrupt: s3 bucket 'b' at http://s3.example.com does not say how long 'k' is");
}

TEST_F(S3, RemovesWhatIsAbsentAlsoWhereThatIsA404) {
  http.script = [&](const HttpRequest&) { return refuse(404, "NoSuchKey"); };
  remote()->remove("k");
  http.script = [&](const HttpRequest&) { return refuse(404, "NoSuchBucket"); };
  EXPECT_EQ(error_text([&] { remote()->remove("k"); }),
            "not_found: there is no s3 bucket 'b' at http://s3.example.com (NoSuchBucket)");
}

TEST_F(S3, RefusesEndpointsAndBucketsThatAreNone) {
  for (const char* endpoint : {"", "s3.example.com", "ftp://x", "http://", "https://u:p@x", "http://x?y", "http:// "}) {
    options.endpoint = endpoint;
    EXPECT_EQ(error_text([&] { remote(); }),
              fmt::format("invalid: '{}' is not an S3 endpoint: expected one such as https://s3.example.com or "
                          "http://127.0.0.1:7480", endpoint));
  }
  options.endpoint = "https://s3.example.com/gateway/";
  options.bucket = "a/b";
  EXPECT_EQ(error_text([&] { remote(); }), "invalid: 'a/b' is not the name of an S3 bucket");
}

TEST_F(S3, AsksWithoutASignatureWithoutKeys) {
  options.access_key = "";
  options.endpoint = "https://s3.example.com/gateway/";
  http.script = [&](const HttpRequest& request) {
    EXPECT_EQ(request.url, "https://s3.example.com/gateway/b/a%20b");
    EXPECT_EQ(request.headers, (std::vector<std::pair<std::string, std::string>>{{"host", "s3.example.com"},
                                                                                  {"x-amz-checksum-mode", "ENABLED"}}));
    return answer(200, "x");
  };
  EXPECT_EQ(get(*remote(), "a b"), "x");
}

TEST_F(S3, SignsPayloadsInTheClearAndNotOverTls) {
  std::string payload;
  http.script = [&](const HttpRequest& request) {
    for (const auto& [name, value] : request.headers)
      if (name == "x-amz-content-sha256") payload = value;
    return answer(200, "", {{"etag", "\"e\""}});
  };
  put(*remote(), "k", "hello");
  EXPECT_EQ(payload, sha256_hex("hello"));
  options.endpoint = "https://s3.example.com";
  put(*remote(), "k", "hello");
  EXPECT_EQ(payload, "UNSIGNED-PAYLOAD");
}

// --- listings

std::string page(const std::string& keys, const std::string& next) {
  std::string text = "<ListBucketResult><EncodingType>url</EncodingType>";
  for (const char key : keys)
    text += fmt::format("<Contents><Key>{}</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e"
                        "&quot;</ETag><Size>1</Size><Owner><ID>id</ID></Owner></Contents>", key);
  if (!next.empty()) text += "<NextContinuationToken>" + next + "</NextContinuationToken>";
  return text + "<IsTruncated>" + (next.empty() ? "false" : "true") + "</IsTruncated></ListBucketResult>";
}

class S3Listing : public S3 {
 protected:
  // What a listing says of these pages, one after the other, and which keys it visits.
  std::string list(std::vector<HttpResponse> pages, const std::string& prefix = "") {
    size_t at = 0;
    http.script = [&](const HttpRequest&) { return pages.at(std::min(at++, pages.size() - 1)); };
    visited.clear();
    return error_text([&] { remote()->list(prefix, [&](const RemoteObject& object) { visited += object.key; }); });
  }
  std::string visited;
};

TEST_F(S3Listing, FollowsTokens) {
  EXPECT_EQ(list({answer(200, page("ab", "1+/=")), answer(200, page("", "2")), answer(200, page("c", ""))}),
            "no error");
  EXPECT_EQ(visited, "abc");
  EXPECT_NE(http.requests.lock()->at(1).find("continuation-token=1%2B%2F%3D&"), std::string::npos);
}

TEST_F(S3Listing, FailsIfAPageFailsForGood) {
  EXPECT_EQ(list({answer(200, page("ab", "1")), refuse(403, "AccessDenied")}),
            "denied: s3 bucket 'b' at http://s3.example.com answers GET with 403 AccessDenied");
  EXPECT_EQ(visited, "ab");
}

TEST_F(S3Listing, AsksAgainForAPageThatFailedForTheMoment) {
  EXPECT_EQ(list({answer(200, page("ab", "1")), refuse(503, "SlowDown"), refuse(500, "InternalError"),
                  answer(200, page("c", ""))}), "no error");
  EXPECT_EQ(visited, "abc");
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_LE(waits[0], 1000);
  EXPECT_LE(waits[1], 100);
}

TEST_F(S3Listing, SeesErrorsInA200) {
  EXPECT_EQ(list({answer(200, page("ab", "1")), refuse(200, "InternalError")}),
            "unavailable: s3 bucket 'b' at http://s3.example.com answers GET with 200 InternalError");
}

TEST_F(S3Listing, SeesLies) {
  const std::string of = "corrupt: the listing of s3 bucket 'b' at http://s3.example.com ";
  EXPECT_EQ(list({answer(200, page("ba", ""))}), of + "is not in order: 'a' came after 'b'");
  EXPECT_EQ(visited, "");
  EXPECT_EQ(list({answer(200, page("ab", "1")), answer(200, page("b", ""))}),
            of + "is not in order: 'b' came after 'b'");
  EXPECT_EQ(list({answer(200, page("a", "1")), answer(200, page("b", "1"))}),
            of + "goes in a circle: the same continuation token came twice");
  EXPECT_EQ(list({answer(200, page("a", ""))}, "x"),
            "corrupt: the listing of 'x' in s3 bucket 'b' at http://s3.example.com has 'a', which does not begin so");
  const std::string while_listing = "\n     while listing s3 bucket 'b' at http://s3.example.com";
  EXPECT_EQ(list({answer(200, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")}),
            "corrupt: a listing says that it goes on, but not where" + while_listing);
  EXPECT_EQ(list({answer(200, "<html/>")}), "corrupt: expected a listing of objects, found <html>" + while_listing);
  EXPECT_EQ(list({answer(200, page("ab", "").substr(0, 200))}).substr(0, 26), "corrupt: broken XML at byt");
}

TEST_F(S3Listing, StopsAtPagesWithoutAnEnd) {
  int token = 0;
  http.script = [&](const HttpRequest&) { return answer(200, page("", std::to_string(++token))); };
  EXPECT_EQ(error_text([&] { remote()->list("", [](const RemoteObject&) {}); }),
            "corrupt: the listing of s3 bucket 'b' at http://s3.example.com has 1001 pages without an object in a row");
}

TEST(S3Page, DecodesKeysOnlyIfTheyAreEncoded) {
  const std::string object = "<Contents><Key>a+b%2Bc</Key><Size>1</Size></Contents>";
  EXPECT_EQ(parse_s3_page("<ListBucketResult>" + object + "<EncodingType>url</EncodingType></ListBucketResult>")
                .objects.at(0).key, "a b+c");
  EXPECT_EQ(parse_s3_page("<ListBucketResult>" + object + "</ListBucketResult>").objects.at(0).key, "a+b%2Bc");
}

TEST(an_s3_listing, shows_where_it_goes_on_before_it_is_read) {
  const std::string token = "<NextContinuationToken>t1</NextContinuationToken>";
  const std::string objects = "<Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents>";
  EXPECT_EQ(likely_next("<ListBucketResult>" + token + objects + "</ListBucketResult>"), "t1");
  EXPECT_EQ(likely_next("<ListBucketResult>" + objects + token + "</ListBucketResult>"), "t1");
  EXPECT_EQ(likely_next("<ListBucketResult>" + token + "</ListBucketResult>"), "t1");
  EXPECT_EQ(likely_next("<ListBucketResult>" + objects + "</ListBucketResult>"), "");
  EXPECT_EQ(likely_next("<NextContinuationToken>a&amp;b</NextContinuationToken>"), "");
  EXPECT_EQ(likely_next("<NextContinuationToken>cut off"), "cut off");  // The page itself will be refused.
  EXPECT_EQ(likely_next(""), "");
}

// --- uploads

TEST(S3Parts, GrowSoThatTheirNumberStaysInBounds) {
  for (const uint64_t size : {1ull, 16ull << 20, 156ull << 30, 157ull << 30, 1ull << 40, 5ull << 40}) {
    const uint64_t part = part_bytes_for(size);
    EXPECT_LE((size + part - 1) / part, parts_max) << size;
    EXPECT_GE(part, part_bytes_min);
    EXPECT_EQ(part % (1 << 20), 0u);
  }
  EXPECT_EQ(part_bytes_for(156ull << 30), 16u << 20);
  EXPECT_EQ(part_bytes_for(5ull << 40), 525u << 20);
}

// A server of uploads in parts, with faults.
class S3Upload : public S3 {
 protected:
  S3Upload() {
    retries.sleep = [](std::chrono::milliseconds) {};
    http.script = [this](const HttpRequest& request) {
      const std::lock_guard guard(lock);
      return serve(request);
    };
  }
  HttpResponse serve(const HttpRequest& request) {
    const bool has_upload = request.url.find("uploadId=") != std::string::npos;
    if (request.method == "POST" && !has_upload) {
      for (const auto& [name, value] : request.headers)
        if (name == "x-amz-meta-volary-upload") mark = value;
      return answer(200, "<R><UploadId>u/1</UploadId></R>");
    }
    if (request.method == "PUT" && failing_parts > 0) return --failing_parts, refuse(503, "SlowDown");
    if (request.method == "PUT") {
      const size_t at = request.url.find("partNumber=") + 11;
      parts[std::stoul(request.url.substr(at))] = request.body;
      return answer(200, "", {{"etag", "\"part\""}});
    }
    if (request.method == "POST") return complete();
    if (request.method == "DELETE") return ++aborts, answer(204);
    if (request.method == "HEAD" && is_there)
      return answer(200, "", {{"etag", "\"whole\""}, {"x-amz-meta-volary-upload", mark}});
    return answer(404);
  }

  std::function<HttpResponse()> complete = [this] {
    is_there = true;
    return answer(200, "<R><ETag>&quot;whole&quot;</ETag></R>");
  };
  static const std::string bytes;
  std::mutex lock;
  std::map<size_t, std::string> parts;
  std::string mark;
  int failing_parts = 0;
  int aborts = 0;
  bool is_there = false;
};

const std::string S3Upload::bytes = some_bytes(50'000'000);

TEST_F(S3Upload, SendsPartsInTheirOrderAndRepeatsThoseThatFail) {
  failing_parts = 2;
  const RemoteObject object = put(*remote(), "k", bytes);
  EXPECT_EQ(object.etag, "whole");
  EXPECT_EQ(object.size, bytes.size());
  std::string joined;
  for (const auto& [number, part] : parts) joined += part;
  EXPECT_TRUE(joined == bytes);
  EXPECT_EQ(parts.size(), 3u);
  EXPECT_EQ(aborts, 0);
}

TEST_F(S3Upload, AbortsWhenItFails) {
  failing_parts = 1'000;
  EXPECT_EQ(error_text([&] { put(*remote(), "k", bytes); }),
            "unavailable: s3 bucket 'b' at http://s3.example.com answers PUT 'k' with 503 SlowDown");
  EXPECT_EQ(aborts, 1);
}

TEST_F(S3Upload, RepeatsACompletionThatIsAnErrorInA200) {
  int attempts = 0;
  complete = [&] {
    if (++attempts < 3) return refuse(200, "InternalError");
    return answer(200, "<R><ETag>&quot;whole&quot;</ETag></R>");
  };
  EXPECT_EQ(put(*remote(), "k", bytes).etag, "whole");
  EXPECT_EQ(attempts, 3);
}

TEST_F(S3Upload, AsksForTheEtagThatACompletionDoesNotSay) {
  complete = [&] {
    is_there = true;
    return answer(200, "<R><ETag></ETag></R>");
  };
  EXPECT_EQ(put(*remote(), "k", bytes).etag, "whole");
  EXPECT_EQ(aborts, 0);
}

TEST_F(S3Upload, RecognisesItsObjectWhenTheAnswerToACompletionGotLost) {
  complete = [&]() -> HttpResponse {
    if (is_there) return refuse(404, "NoSuchUpload");
    is_there = true;
    throw Error(Errc::unavailable, "the connection broke");
  };
  EXPECT_EQ(put(*remote(), "k", bytes).etag, "whole");
  EXPECT_EQ(aborts, 0);
}

TEST_F(S3Upload, RecognisesItsObjectWhenTheAnswerMakesNoSense) {
  complete = [&] {
    is_there = true;
    return answer(200, "");
  };
  EXPECT_EQ(put(*remote(), "k", bytes).etag, "whole");
}

TEST_F(S3Upload, TakesNoOlderObjectForItsOwn) {
  complete = [&] {
    is_there = true;
    mark = "of another upload";
    return refuse(404, "NoSuchUpload");
  };
  EXPECT_EQ(error_text([&] { put(*remote(), "k", bytes); }),
            "conflict: s3 bucket 'b' at http://s3.example.com answers POST 'k' with 404 NoSuchUpload");
  EXPECT_EQ(aborts, 1);
}

TEST(HttpDates, AreReadAndWhatIsNoneIsNever) {
  EXPECT_EQ(parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").micros, parse_time("2015-10-21T07:28:00Z").micros);
  EXPECT_EQ(parse_http_date("Sun, 6 Nov 1994 08:49:37 GMT").micros, parse_time("1994-11-06T08:49:37Z").micros);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT").micros, parse_time("2024-02-29T23:59:59Z").micros);
  for (const char* text : {"", "Wed", "Wed,", "Wed, ", "Wed, 21", "Wed, 21 Oct", "Wed, 21 Oct 2015",
                           "2015-10-21T07:28:00Z", "Wed, 21 ctN 2015 07:28:00 GMT", "Wed, 21 Okt 2015 07:28:00 GMT",
                           "Wed, 21 Oct 2015 07:28", "Wed, 31 Feb 2015 07:28:00 GMT", "Wed, -1 Oct 2015 07:28:00 GMT",
                           "Wed, 21 Oct 2015 07-28-00"})
    EXPECT_FALSE(parse_http_date(text)) << text;
}

}  // namespace
}  // namespace volary
