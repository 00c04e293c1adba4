// remote/sigv4.h: AWS Signature Version 4 for S3.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. What is signed is exactly what is
// sent: path and query are encoded once, here, and the HTTP client leaves them alone.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/synced.h"

namespace volary {

constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

// SHA-256 in hexadecimal digits: the name of a payload.
std::string sha256_hex(std::string_view bytes);

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // "" if they are lasting ones.
};

struct SignableRequest {
  std::string method;
  std::string path;                                          // As sent: percent-encoded, begins with '/'.
  std::vector<std::pair<std::string, std::string>> query;    // Not encoded, any order.
  std::map<std::string, std::string> headers;                // Names in lower case, "host" among them.
  std::string payload;                                       // sha256_hex(), or unsigned_payload.

  // "a=1&b=", encoded and in the order that is signed.
  std::string query_text() const;
};

// Any thread.
class Signer {
 public:
  Signer(Credentials credentials, std::string region)
      : credentials_(std::move(credentials)), region_(std::move(region)) {}

  // Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and authorization to the headers.
  void sign(SignableRequest& request, Time now) const;

 private:
  // What all requests of one second have in common; the key is that of its day.
  struct Stamp {
    std::chrono::sys_seconds second;
    std::string date;   // "20130524T000000Z"
    std::string scope;  // "20130524/us-east-1/s3/aws4_request"
    std::string key;
  };
  std::shared_ptr<const Stamp> stamp_of(Time now) const;

  const Credentials credentials_;
  const std::string region_;
  mutable Synced<std::shared_ptr<const Stamp>> stamp_;  // The last one.
};

}  // namespace volary
