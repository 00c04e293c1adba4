// remote/s3_upload.cc: PUT, and multipart uploads.
//
// Parts are read from the source one after another and sent by a few threads. Whether an upload whose last answer got
// lost was completed is not guessed: each upload marks its object with a random number, and a HEAD shows the mark.
#include "remote/s3_upload.h"

#include <algorithm>
#include <mutex>

#include "core/fault.h"
#include "core/workers.h"
#include "remote/key.h"
#include "remote/xml_reader.h"

namespace volary {
namespace {

constexpr uint64_t part_step_bytes = 1 << 20;
constexpr size_t upload_threads_max = 4;
constexpr uint64_t upload_memory_bytes_max = 256 << 20;  // But always one part.
constexpr uint64_t complete_stall_seconds = 600;  // Servers join the parts before they answer.
constexpr const char* mark_header = "x-amz-meta-volary-upload";

static_assert(part_bytes_min % part_step_bytes == 0);
static_assert(upload_threads_max * part_bytes_min <= upload_memory_bytes_max);

// The text of the first element `name` of an answer; "" if there is none.
std::string element_of(const std::string& document, std::string_view name) {
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next())
    if (event == XmlReader::Event::end && reader.name() == name) return reader.text();
  return {};
}

bool is_refusal(const std::string& document) {
  XmlReader reader(document);
  return reader.next() == XmlReader::Event::begin && reader.name() == "Error";
}

// An upload in parts, from CreateMultipartUpload to its completion; aborted on the way out if it did not come so far.
class Upload {
 public:
  Upload(S3Connection& connection, Retries& retries, const std::string& key, Source& source, uint64_t size)
      : connection_(connection), retries_(retries), key_(key), source_(source), size_(size),
        part_bytes_(part_bytes_for(size)), part_etags_((size + part_bytes_ - 1) / part_bytes_) {}
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  ~Upload() {
    if (id_.empty() || is_complete_) return;
    (void)error_of([&] { connection_.send({.method = "DELETE", .key = key_, .query = {{"uploadId", id_}}}); });
  }

  RemoteObject run() {
    begin();
    const uint64_t in_memory = std::max<uint64_t>(1, upload_memory_bytes_max / part_bytes_);
    for_each_index(part_etags_.size(), std::min<uint64_t>(in_memory, upload_threads_max), [&](size_t) { send_next(); });
    fault::point("remote.before_complete");
    return complete();
  }

 private:
  // Not repeated here: the source is untouched, so the caller can.
  void begin() {
    S3Call call{.method = "POST",
                .key = key_,
                .query = {{"uploads", ""}},
                .headers = {{"content-type", "application/octet-stream"}, {mark_header, mark_}}};
    const HttpResponse response = connection_.send(call);
    if (is_refusal(response.body)) throw connection_.refusal(call, response);
    id_ = element_of(response.body, "UploadId");
    if (id_.empty())
      throw Error(Errc::corrupt, "{} began an upload of '{}' without an UploadId", connection_.description(), key_);
  }

  void send_next() {
    S3Call call{.method = "PUT", .key = key_};
    size_t index = 0;
    {
      const std::lock_guard guard(reading_);
      index = next_++;
      call.body.resize(std::min(part_bytes_, size_ - index * part_bytes_));
      during(fmt::format("reading part {} of {}", index + 1, part_etags_.size()),
             [&] { read_exactly(source_, call.body, key_); });
    }
    call.query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", id_}};
    fault::point("remote.before_part");
    retries_.run([&] { part_etags_[index] = connection_.send(call).header("etag").value_or(""); });
    if (part_etags_[index].empty())
      throw Error(Errc::corrupt, "{} took part {} of '{}' without an ETag", connection_.description(), index + 1, key_);
  }

  RemoteObject complete() {
    S3Call call{.method = "POST", .key = key_, .query = {{"uploadId", id_}},
                .headers = {{"content-type", "application/xml"}},
                .stall_seconds = complete_stall_seconds};
    call.body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t i = 0; i < part_etags_.size(); ++i)
      call.body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag></Part>", i + 1,
                               bare_etag(part_etags_[i]));
    call.body += "</CompleteMultipartUpload>";

    RemoteObject object;
    const auto error = error_of([&] {
      retries_.run([&] {
        const HttpResponse response = connection_.send(call);
        if (is_refusal(response.body) && !fault::planted("s3.completes_anything"))
          throw connection_.refusal(call, response);
        object = object_of(key_, response, size_);
        object.etag = bare_etag(element_of(response.body, "ETag"));
      });
    });
    if (error && error->code() == Errc::denied) throw Error(*error);
    is_complete_ = !error;
    if (error || object.etag.empty()) return complete_object(error);
    return object;
  }

  // Some servers complete an upload without saying the ETag, and answers get lost: a HEAD settles both.
  RemoteObject complete_object(const std::optional<Error>& error) {
    std::optional<HttpResponse> found;
    retries_.run([&] { found = connection_.head(key_); });
    const bool is_ours = found && found->header(mark_header) == mark_;
    if (!is_ours && error) throw Error(*error);
    if (!found)
      throw Error(Errc::conflict, "'{}' in {} was removed while it was stored", key_, connection_.description());
    is_complete_ = true;
    return object_of(key_, *found, size_);
  }

  S3Connection& connection_;
  Retries& retries_;
  const std::string& key_;
  Source& source_;
  const uint64_t size_;
  const uint64_t part_bytes_;
  const std::string mark_ = random_hex(16);
  std::string id_;
  std::mutex reading_;  // Of source_ and next_.
  size_t next_ = 0;
  std::vector<std::string> part_etags_;  // Each written by the thread that sends the part.
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

uint64_t part_bytes_for(uint64_t size) {
  const uint64_t least = (size + parts_max - 1) / parts_max;
  const uint64_t rounded = (least + part_step_bytes - 1) / part_step_bytes * part_step_bytes;
  return std::max(part_bytes_min, rounded);
}

RemoteObject upload_to_s3(S3Connection& connection, Retries& retries, const std::string& key, Source& source,
                          uint64_t size) {
  if (size <= single_put_bytes_max) return put_whole(connection, retries, key, source, size);
  return Upload(connection, retries, key, source, size).run();
}

}  // namespace volary
