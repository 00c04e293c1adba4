// remote/s3_copy.h: copying inside an S3 store: the bytes do not pass through here.
#pragma once

#include "remote/retry.h"
#include "remote/s3_connection.h"

namespace volary {

constexpr uint64_t single_copy_bytes_max = 5ull << 30;  // S3's own limit.
constexpr uint64_t copy_part_bytes = 1ull << 30;

// From a bucket to the same or another one of the same endpoint. An object above `single_bytes_max` goes by ranges of
// `part_bytes`. Throws `not_found`, and `conflict` if the object is replaced meanwhile.
RemoteObject copy_in_s3(S3Connection& source, const std::string& from, S3Connection& target, const std::string& to,
                        Retries& retries, uint64_t single_bytes_max = single_copy_bytes_max,
                        uint64_t part_bytes = copy_part_bytes);

}  // namespace volary
