// remote/s3_listing.h: pages of ListObjectsV2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "remote/remote.h"

namespace volary {

struct S3Page {
  std::vector<RemoteObject> objects;
  std::string next;          // The token of the page behind this one; "" on the last.
};

// Throws `corrupt` for what is not such a page, or contradicts itself.
S3Page parse_s3_page(std::string_view document);
// What such a page seems to have as the token of the one behind it, found without reading it whole; "" if it is not
// plain to see.
std::string likely_next(std::string_view document);

// Holds successive pages against what a listing promises: keys of the prefix, each once, in byte order, and an end.
class S3Order {
 public:
  S3Order(std::string prefix, std::string remote) : prefix_(std::move(prefix)), remote_(std::move(remote)) {}
  // Throws `corrupt` naming what is wrong.
  void check(const S3Page& page);

 private:
  static constexpr size_t empty_pages_max = 1000;

  const std::string prefix_;
  const std::string remote_;  // For messages.
  std::string last_key_;
  std::string last_token_;
  size_t empty_pages_ = 0;    // In a row.
};

}  // namespace volary
