// remote/s3_copy.cc: CopyObject, and UploadPartCopy for what is too large for it.
//
// The source's ETag goes with every request, so that what is copied is one object, not pieces of two. A 200 can hold an
// <Error>: S3 answers before it has copied.
#include "remote/s3_copy.h"

#include <algorithm>
#include <charconv>

#include "core/fault.h"
#include "core/workers.h"
#include "remote/xml_reader.h"

namespace volary {
namespace {

constexpr uint64_t copy_stall_seconds = 600;  // The server copies before it answers.
constexpr size_t copy_threads_max = 4;
constexpr const char* mark_header = "x-amz-meta-volary-upload";

// What an answer's document says.
struct Said {
  bool is_refusal = false;
  std::string etag;
  std::string upload_id;
  Time modified;
};

Said read_answer(const std::string& document) {
  Said said;
  bool is_root = true;
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
    if (event == XmlReader::Event::begin) {
      if (std::exchange(is_root, false)) said.is_refusal = reader.name() == "Error";
    } else if (reader.name() == "ETag") {
      said.etag = bare_etag(reader.text());
    } else if (reader.name() == "UploadId") {
      said.upload_id = reader.text();
    } else if (reader.name() == "LastModified") {
      said.modified = parse_time(reader.text());
    }
  }
  return said;
}

class Copy {
 public:
  Copy(S3Connection& source, const std::string& from, S3Connection& target, const std::string& to, Retries& retries)
      : source_(source), from_(from), target_(target), to_(to), retries_(retries) {}
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    if (upload_.empty() || is_complete_) return;
    (void)error_of([&] {
      target_.send({.method = "DELETE", .key = to_, .query = {{"uploadId", upload_}}, .takes_back = true});
    });
  }

  RemoteObject run(uint64_t single_bytes_max, uint64_t part_bytes) {
    std::optional<HttpResponse> head;
    retries_.run([&] { head = source_.head(from_); });
    if (!head) throw Error(Errc::not_found, "there is no '{}' in {}", from_, source_.description());
    const std::string length = head->header("content-length").value_or("");
    uint64_t size = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), size);
    if (length.empty() || error != std::errc() || end != length.data() + length.size())
      throw Error(Errc::corrupt, "{} does not say how long '{}' is", source_.description(), from_);
    object_ = object_of(from_, *head, size);
    if (source_.description() == target_.description() && from_ == to_) return object_;
    fault::point("remote.before_copy");
    return size <= single_bytes_max ? copy_whole() : copy_parts(*head, part_bytes);
  }

 private:
  std::map<std::string, std::string> source_headers() const {
    std::map<std::string, std::string> headers = {
        {"x-amz-copy-source", "/" + percent_encode(source_.bucket()) + "/" + percent_encode(from_, true)}};
    if (!object_.etag.empty()) headers["x-amz-copy-source-if-match"] = quoted_etag(object_.etag);
    return headers;
  }

  Said send(S3Call& call) {
    Said said;
    retries_.run([&] {
      const HttpResponse response = target_.send(call);
      said = read_answer(response.body);
      if (said.is_refusal) throw target_.refusal(call, response);
    });
    return said;
  }

  RemoteObject copy_whole() {
    S3Call call{.method = "PUT", .key = to_, .headers = source_headers(), .stall_seconds = copy_stall_seconds};
    const Said said = send(call);
    if (said.etag.empty())
      throw Error(Errc::corrupt, "{} copied '{}' without saying its ETag", target_.description(), from_);
    return {to_, object_.size, said.etag, said.modified};
  }

  RemoteObject copy_parts(const HttpResponse& head, uint64_t part_bytes) {
    S3Call begin{.method = "POST", .key = to_, .query = {{"uploads", ""}}};
    for (const auto& [name, value] : head.headers)  // A copy by parts keeps none of them by itself.
      if (name == "content-type" || name.starts_with("x-amz-meta-")) begin.headers[name] = value;
    begin.headers[mark_header] = mark_;
    upload_ = send(begin).upload_id;
    if (upload_.empty())
      throw Error(Errc::corrupt, "{} began a copy to '{}' without an UploadId", target_.description(), to_);
    std::vector<std::string> etags((object_.size + part_bytes - 1) / part_bytes);
    for_each_index(etags.size(), copy_threads_max, [&](size_t i) {
      const uint64_t first = i * part_bytes;
      S3Call call{.method = "PUT", .key = to_,
                  .query = {{"partNumber", std::to_string(i + 1)}, {"uploadId", upload_}},
                  .headers = source_headers(), .stall_seconds = copy_stall_seconds};
      call.headers["x-amz-copy-source-range"] =
          fmt::format("bytes={}-{}", first, std::min(first + part_bytes, object_.size) - 1);
      fault::point("remote.before_copy_part");
      etags[i] = send(call).etag;
      if (etags[i].empty())
        throw Error(Errc::corrupt, "{} copied part {} of '{}' without an ETag", target_.description(), i + 1, from_);
    });
    return complete(etags);
  }

  // Answers get lost: the mark tells whether the upload was completed nevertheless.
  RemoteObject complete(const std::vector<std::string>& etags) {
    S3Call call{.method = "POST", .key = to_, .query = {{"uploadId", upload_}},
                .headers = {{"content-type", "application/xml"}}, .stall_seconds = copy_stall_seconds};
    call.body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t i = 0; i < etags.size(); ++i)
      call.body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag></Part>", i + 1, etags[i]);
    call.body += "</CompleteMultipartUpload>";
    const auto error = error_of([&] { send(call); });
    std::optional<HttpResponse> found;
    retries_.run([&] { found = target_.head(to_); });
    if (!found || found->header(mark_header) != mark_) {
      if (error) throw Error(*error);
      throw Error(Errc::conflict, "'{}' in {} was replaced while it was copied", to_, target_.description());
    }
    is_complete_ = true;
    return object_of(to_, *found, object_.size);
  }

  S3Connection& source_;
  const std::string& from_;
  S3Connection& target_;
  const std::string& to_;
  Retries& retries_;
  const std::string mark_ = random_hex(16);
  RemoteObject object_;  // As it was found.
  std::string upload_;
  bool is_complete_ = false;
};

}  // namespace

RemoteObject copy_in_s3(S3Connection& source, const std::string& from, S3Connection& target, const std::string& to,
                        Retries& retries, uint64_t single_bytes_max, uint64_t part_bytes) {
  return Copy(source, from, target, to, retries).run(single_bytes_max, part_bytes);
}

}  // namespace volary
