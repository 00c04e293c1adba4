// remote/sigv4.cc: AWS Signature Version 4.
#include "remote/sigv4.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "net/http_client.h"
#include "remote/fingerprint.h"

namespace volary {
namespace {

constexpr size_t sha256_block_bytes = 64;
constexpr size_t canonical_bytes = 1024;  // Of most requests, or less.

// RFC 2104. OpenSSL's own looks its algorithms up by name each time, which takes longer than the hashes of a request.
std::string hmac(std::string_view key, std::string_view text) {
  std::string block(key.size() > sha256_block_bytes ? sha256_raw(key) : key);
  block.resize(sha256_block_bytes);
  for (char& c : block) c ^= 0x36;
  const std::string inner = sha256_raw(block, text);
  for (char& c : block) c ^= 0x36 ^ 0x5c;
  return sha256_raw(block, inner);
}

// "20130524T000000Z"
std::string compact(std::chrono::sys_seconds second) {
  using namespace std::chrono;
  const sys_days day = floor<days>(second);
  const year_month_day date(day);
  const hh_mm_ss clock(second - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

}  // namespace

std::string sha256_hex(std::string_view bytes) { return hex_text(sha256_raw(bytes)); }

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
  const auto stamp = stamp_of(now);
  request.headers["x-amz-date"] = stamp->date;
  request.headers["x-amz-content-sha256"] = request.payload;
  if (!credentials_.session_token.empty()) request.headers["x-amz-security-token"] = credentials_.session_token;

  std::string canonical;
  canonical.reserve(canonical_bytes);
  const auto add = [&](std::string_view text, char end) { canonical.append(text) += end; };
  add(request.method, '\n');
  add(request.path, '\n');
  add(request.query_text(), '\n');
  std::string names;
  for (const auto& [name, value] : request.headers) {
    add(name, ':');
    add(value, '\n');
    if (!names.empty()) names += ';';
    names += name;
  }
  canonical += '\n';
  add(names, '\n');
  canonical += request.payload;
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", stamp->date, stamp->scope, sha256_hex(canonical));
  request.headers["authorization"] =
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", credentials_.access_key,
                  stamp->scope, names, hex_text(hmac(stamp->key, to_sign)));
}

std::shared_ptr<const Signer::Stamp> Signer::stamp_of(Time now) const {
  const auto second = std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(now.micros)));
  auto last = stamp_.lock();
  if (*last && (*last)->second == second) return *last;
  Stamp stamp{.second = second, .date = compact(second), .scope = {}, .key = {}};
  const std::string day = stamp.date.substr(0, 8);
  stamp.scope = day + "/" + region_ + "/s3/aws4_request";
  if (*last && (*last)->scope == stamp.scope) stamp.key = (*last)->key;
  else stamp.key = hmac(hmac(hmac(hmac("AWS4" + credentials_.secret_key, day), region_), "s3"), "aws4_request");
  return *last = std::make_shared<const Stamp>(std::move(stamp));
}

}  // namespace volary
