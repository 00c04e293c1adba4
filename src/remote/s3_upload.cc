// remote/s3_upload.cc: bytes that come once: PUT, and uploads in parts that are read one after another and sent by a
// few threads.
#include "remote/s3_upload.h"

#include <algorithm>
#include <mutex>

#include "core/fault.h"
#include "core/workers.h"
#include "remote/key.h"
#include "remote/s3_multipart.h"

namespace volary {
namespace {

constexpr size_t upload_threads_max = 4;
constexpr uint64_t upload_memory_bytes_max = 256 << 20;  // But always one part.

static_assert(part_bytes_min % part_step_bytes == 0);
static_assert(upload_threads_max * part_bytes_min <= upload_memory_bytes_max);

// An upload in parts, from CreateMultipartUpload to its completion; aborted on the way out if it did not come so far.
class StreamUpload {
 public:
  StreamUpload(S3Connection& connection, Retries& retries, const std::string& key, Source& source, uint64_t size)
      : connection_(connection), retries_(retries), key_(key), source_(source), part_bytes_(part_bytes_for(size)),
        upload_(connection, retries, key, size, part_bytes_) {}
  StreamUpload(const StreamUpload&) = delete;
  StreamUpload& operator=(const StreamUpload&) = delete;
  ~StreamUpload() {
    const std::string& id = upload_.note().id;
    if (id.empty() || is_complete_) return;
    (void)error_of([&] {
      connection_.send({.method = "DELETE", .key = key_, .query = {{"uploadId", id}}, .takes_back = true});
    });
  }

  RemoteObject run() {
    upload_.begin();
    const uint64_t in_memory = std::max<uint64_t>(1, upload_memory_bytes_max / part_bytes_);
    for_each_index(upload_.parts(), std::min<uint64_t>(in_memory, upload_threads_max), [&](size_t) { send_next(); });
    fault::point("remote.before_complete");
    const RemoteObject object = upload_.complete().object;
    is_complete_ = true;
    return object;
  }

 private:
  void send_next() {
    S3Call call;
    size_t part = 0;
    {
      const std::lock_guard guard(reading_);
      part = next_++;
      call.body.resize(upload_.range_of(part).size);
      during(fmt::format("reading part {} of {}", part + 1, upload_.parts()),
             [&] { read_exactly(source_, call.body, key_); });
    }
    fault::point("remote.before_part");
    retries_.run([&] { upload_.send(part, call); });
  }

  S3Connection& connection_;
  Retries& retries_;
  const std::string& key_;
  Source& source_;
  const uint64_t part_bytes_;
  S3Multipart upload_;
  std::mutex reading_;  // Of source_ and next_.
  size_t next_ = 0;
  bool is_complete_ = false;
};

RemoteObject put_whole(S3Connection& connection, Retries& retries, const std::string& key, Source& source,
                       uint64_t size) {
  S3Call call{.method = "PUT", .key = key, .headers = {{"content-type", "application/octet-stream"}}};
  call.body.resize(size);
  read_exactly(source, call.body, key);
  HttpResponse response;
  // Of an empty object the source gave nothing, so the caller can repeat it.
  if (size == 0) response = connection.send(call);
  else retries.run([&] { response = connection.send(call); });
  if (response.header("etag").value_or("").empty()) {
    retries.run([&] { response = connection.head(key).value_or(HttpResponse{}); });
  }
  return object_of(key, response, size);
}

}  // namespace

uint64_t part_bytes_for(uint64_t size, uint64_t step) {
  const uint64_t least = (size + parts_max - 1) / parts_max;
  const uint64_t rounded = (least + step - 1) / step * step;
  return std::max(part_bytes_min, rounded);
}

RemoteObject upload_to_s3(S3Connection& connection, Retries& retries, const std::string& key, Source& source,
                          uint64_t size) {
  if (size <= single_put_bytes_max) return put_whole(connection, retries, key, source, size);
  return StreamUpload(connection, retries, key, source, size).run();
}

}  // namespace volary
