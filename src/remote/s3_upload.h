// remote/s3_upload.h: one object into S3, whole or in parts.
#pragma once

#include "remote/retry.h"
#include "remote/s3_connection.h"

namespace volary {

constexpr uint64_t single_put_bytes_max = 16 << 20;
constexpr uint64_t part_bytes_min = 16 << 20;
constexpr uint64_t parts_max = 10'000;

// The size of parts for an object of `size` bytes: part_bytes_min, or whole MiB more so that parts_max suffice.
uint64_t part_bytes_for(uint64_t size);

// In memory at once: the object if it is a single one, else a few parts. Every request is repeated by `retries`, since
// the source cannot give its bytes twice. A failed upload in parts is aborted, so nothing is left that costs.
RemoteObject upload_to_s3(S3Connection& connection, Retries& retries, const std::string& key, Source& source,
                          uint64_t size);

}  // namespace volary
