// remote/sigv4.cc: AWS Signature Version 4 on OpenSSL's SHA-256 and HMAC.
#include "remote/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "core/error.h"
#include "net/http_client.h"

namespace volary {
namespace {

constexpr size_t sha256_bytes = 32;

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<uint8_t>(c) >> 4];
    text += digits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, sha256_bytes> out{};
  unsigned size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
            text.size(), out.data(), &size))
    throw Error(Errc::internal, "OpenSSL does not compute HMAC-SHA256");
  return {reinterpret_cast<const char*>(out.data()), size};
}

// "20130524T000000Z"
std::string compact(Time time) {
  const time_t seconds = time.micros / 1'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), size};
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, sha256_bytes> out{};
  unsigned size = 0;
  if (!EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr))
    throw Error(Errc::internal, "OpenSSL does not compute SHA-256");
  return hex({reinterpret_cast<const char*>(out.data()), size});
}

std::string SignableRequest::query_text() const {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(percent_encode(name), percent_encode(value));
  std::sort(encoded.begin(), encoded.end());  // The order counts after encoding.
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text += '&';
    text += name;
    text += '=';
    text += value;
  }
  return text;
}

void Signer::sign(SignableRequest& request, Time now) const {
  const std::string date = compact(now);
  const std::string day = date.substr(0, 8);
  request.headers["x-amz-date"] = date;
  request.headers["x-amz-content-sha256"] = request.payload;
  if (!credentials_.session_token.empty()) request.headers["x-amz-security-token"] = credentials_.session_token;

  std::string lines;
  std::string names;
  for (const auto& [name, value] : request.headers) {
    lines += name + ":" + value + "\n";
    if (!names.empty()) names += ';';
    names += name;
  }
  const std::string canonical = request.method + "\n" + request.path + "\n" + request.query_text() + "\n" + lines +
                                "\n" + names + "\n" + request.payload;
  const std::string scope = day + "/" + region_ + "/s3/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256_hex(canonical);
  request.headers["authorization"] = "AWS4-HMAC-SHA256 Credential=" + credentials_.access_key + "/" + scope +
                                     ",SignedHeaders=" + names + ",Signature=" + hex(hmac(key_of(day), to_sign));
}

std::string Signer::key_of(const std::string& day) const {
  auto cached = day_key_.lock();
  if (cached->day != day) {
    const std::string day_key = hmac("AWS4" + credentials_.secret_key, day);
    *cached = {day, hmac(hmac(hmac(day_key, region_), "s3"), "aws4_request")};
  }
  return cached->key;
}

}  // namespace volary
