// remote/s3_upload.h: one object into S3, whole or in parts.
#pragma once

#include "remote/parted.h"
#include "remote/retry.h"
#include "remote/s3_connection.h"

namespace volary {

constexpr uint64_t single_put_bytes_max = 16 << 20;
constexpr uint64_t part_bytes_min = 16 << 20;
constexpr uint64_t part_step_bytes = 1 << 20;
constexpr uint64_t parts_max = 10'000;

// The size of parts for an object of `size` bytes: part_bytes_min, or whole steps more so that parts_max suffice.
uint64_t part_bytes_for(uint64_t size, uint64_t step = part_step_bytes);

// In memory at once: the object if it is a single one, else a few parts. Every request is repeated by `retries`, since
// the source cannot give its bytes twice. A failed upload in parts is aborted, so nothing is left that costs.
RemoteObject upload_to_s3(S3Connection& connection, Retries& retries, const std::string& key, Source& source,
                          uint64_t size);

// What a server was found to do. Any thread.
struct S3Habits {
  std::atomic<bool> takes_checksums{false};   // It answered a request that had one.
  std::atomic<bool> refuses_checksums{false};
  std::atomic<bool> has_md5_etags{false};     // The etag of an object was its MD5 …
  std::atomic<bool> has_other_etags{false};   // … or looked like one and was not.
};

// As PartedRemote::put_content. In memory at once: at most held_bytes_max of a single object, nothing of others.
constexpr uint64_t held_bytes_max = 1 << 20;
RemoteObject put_content_to_s3(S3Connection& connection, Retries& retries, S3Habits& habits, const std::string& key,
                               Content& content, const PutOptions& options);

// As PartedRemote::is_same: the etag is the MD5 of the content, or made of those of the parts that it would go in.
bool is_same_in_s3(const std::string& etag, Content& content);

}  // namespace volary
