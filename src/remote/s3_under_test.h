// remote/s3_under_test.h: the real S3 server that tests run against, if there is one, and a bucket of their own on it.
//
// test/servers/start-rgw.sh starts one and prints the environment variables that are read here. Only tests include it.
#pragma once

#include <cstdlib>
#include <string>

#include "core/random.h"
#include "remote/remote.h"
#include "remote/sigv4.h"
#include "remote/xml_reader.h"

namespace volary {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

inline bool has_s3_server() { return !environment("VOLARY_TEST_S3_ENDPOINT").empty(); }
constexpr const char* no_s3_server = "no VOLARY_TEST_S3_ENDPOINT: test/servers/start-rgw.sh starts a server";

// A signed request that no Remote makes: buckets are made and removed with it.
inline HttpResponse send_signed(HttpClient& http, const std::string& method, const std::string& path,
                                std::vector<std::pair<std::string, std::string>> query = {}) {
  const std::string endpoint = environment("VOLARY_TEST_S3_ENDPOINT");
  SignableRequest signable{method, path, std::move(query), {{"host", endpoint.substr(7)}}, sha256_hex("")};
  Signer({environment("VOLARY_TEST_S3_ACCESS_KEY"), environment("VOLARY_TEST_S3_SECRET_KEY"), ""}, "us-east-1")
      .sign(signable, system_clock().now());
  HttpRequest request{.method = method, .url = endpoint + path + "?" + signable.query_text()};
  request.headers.assign(signable.headers.begin(), signable.headers.end());
  return http.send(request);
}

// A new bucket, gone with all its objects at the end.
class TestBucket {
 public:
  TestBucket() {
    options.endpoint = environment("VOLARY_TEST_S3_ENDPOINT");
    options.bucket = "volary-test-" + random_hex(8);
    options.access_key = environment("VOLARY_TEST_S3_ACCESS_KEY");
    options.secret_key = environment("VOLARY_TEST_S3_SECRET_KEY");
    const HttpResponse response = send_signed(*http, "PUT", "/" + options.bucket);
    if (response.status != 200)
      throw Error(Errc::internal, "no bucket for the test: {} {}", response.status, response.body);
  }
  ~TestBucket() {
    const auto remote = open();
    std::vector<std::string> keys;
    remote->list("", [&](const RemoteObject& object) { keys.push_back(object.key); });
    for (const std::string& key : keys) remote->remove(key);
    send_signed(*http, "DELETE", "/" + options.bucket);
  }
  TestBucket(const TestBucket&) = delete;
  TestBucket& operator=(const TestBucket&) = delete;

  std::unique_ptr<Remote> open() { return open_s3_remote(options, *http, system_clock()); }
  // Uploads that were begun and neither completed nor aborted.
  size_t unfinished_uploads() {
    const HttpResponse response = send_signed(*http, "GET", "/" + options.bucket, {{"uploads", ""}});
    size_t count = 0;
    XmlReader reader(response.body);
    for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next())
      count += event == XmlReader::Event::begin && reader.name() == "Upload";
    return count;
  }

  const std::unique_ptr<HttpClient> http = make_http_client();
  S3Options options;  // Path style.
};

}  // namespace volary
