// remote/s3_checksum.h: what the headers of an S3 answer say its object's bytes hash to.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html. Named only if the request has
// checksum_mode, and only in answers that speak of a whole object.
#pragma once

#include <optional>
#include <utility>

#include "net/http_client.h"
#include "remote/content_check.h"

namespace volary {

constexpr std::pair<const char*, const char*> checksum_mode{"x-amz-checksum-mode", "ENABLED"};

// The cheapest to compute of those that are of all bytes; those of an object's parts ("…-5", COMPOSITE) are not.
std::optional<StoredChecksum> checksum_of(const HttpResponse& response);
// The etag, if it has the form of an MD5 and the object is not encrypted in a way that makes it something else.
std::optional<StoredChecksum> md5_of_etag(const HttpResponse& response);

}  // namespace volary
