// remote/s3_multipart.cc: the requests of an upload in parts.
//
// Whether an upload whose last answer got lost was completed is not guessed: each upload marks its object with a random
// number, and a HEAD shows the mark.
#include "remote/s3_multipart.h"

#include <algorithm>
#include <charconv>

#include "core/fault.h"
#include "core/random.h"
#include "remote/xml_reader.h"

namespace volary {
namespace {

constexpr uint64_t complete_stall_seconds = 600;  // Servers join the parts before they answer.
constexpr const char* mark_header = "x-amz-meta-volary-upload";
constexpr size_t pages_max = 100;  // Of parts; there are at most ten.

uint64_t number_of(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct PartsPage {
  std::map<size_t, S3Part> parts;  // By index, from 0.
  std::string next;                // The marker of the page behind this one; "" on the last.
};

PartsPage parse_parts(const std::string& document) {
  PartsPage page;
  bool is_truncated = false;
  size_t number = 0;
  S3Part part;
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
    if (event == XmlReader::Event::begin && reader.name() == "Part") number = 0, part = {};
    if (event != XmlReader::Event::end) continue;
    if (reader.name() == "PartNumber") number = number_of(reader.text());
    else if (reader.name() == "ETag") part.etag = bare_etag(reader.text());
    else if (reader.name() == "Size") part.size = number_of(reader.text());
    else if (reader.name() == "ChecksumCRC32C") part.checksum = reader.text();
    else if (reader.name() == "IsTruncated") is_truncated = reader.text() == "true";
    else if (reader.name() == "NextPartNumberMarker") page.next = reader.text();
    else if (reader.name() == "Part" && number > 0) page.parts[number - 1] = part;
  }
  if (!is_truncated) page.next.clear();
  return page;
}

// The ids of the uploads of exactly this key.
std::vector<std::string> parse_uploads(const std::string& document, const std::string& key) {
  std::vector<std::string> ids;
  std::string its_key;
  std::string its_id;
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
    if (event != XmlReader::Event::end) continue;
    if (reader.name() == "Key") its_key = reader.text();
    else if (reader.name() == "UploadId") its_id = reader.text();
    else if (reader.name() == "Upload" && its_key == key) ids.push_back(its_id);
  }
  return ids;
}

void abort_upload(S3Connection& connection, Retries& retries, const std::string& key, const std::string& id) {
  const auto error = error_of([&] {
    retries.run([&] { connection.send({.method = "DELETE", .key = key, .query = {{"uploadId", id}}}); });
  });
  if (error && error->code() != Errc::conflict && error->code() != Errc::not_found) throw Error(*error);
}

}  // namespace

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

S3Multipart::S3Multipart(S3Connection& connection, Retries& retries, std::string key, uint64_t size,
                         uint64_t part_bytes)
    : connection_(connection), retries_(retries), key_(std::move(key)), size_(size), part_bytes_(part_bytes),
      note_{"", random_hex(16)}, parts_((size + part_bytes - 1) / part_bytes) {}

Range S3Multipart::range_of(size_t part) const {
  const uint64_t offset = part * part_bytes_;
  return {offset, std::min(part_bytes_, size_ - offset)};
}

HttpResponse S3Multipart::ask(S3Call& call) {
  const HttpResponse response = connection_.send(call);
  if (is_refusal(response.body)) throw connection_.refusal(call, response);
  return response;
}

void S3Multipart::begin(Checksums checksums) {
  S3Call call{.method = "POST",
              .key = key_,
              .query = {{"uploads", ""}},
              .headers = {{"content-type", "application/octet-stream"}, {mark_header, note_.mark}}};
  if (checksums == Checksums::crc32c) call.headers["x-amz-checksum-algorithm"] = "CRC32C";
  note_.id = element_of(ask(call).body, "UploadId");
  if (note_.id.empty())
    throw Error(Errc::corrupt, "{} began an upload of '{}' without an UploadId", connection_.description(), key_);
}

std::optional<std::map<size_t, S3Part>> S3Multipart::adopt(const UploadNote& note) {
  std::map<size_t, S3Part> found;
  std::string marker;
  for (size_t pages = 0; pages < pages_max; ++pages) {
    S3Call call{.key = key_, .query = {{"uploadId", note.id}, {"max-parts", "1000"}}};
    if (!marker.empty()) call.query.emplace_back("part-number-marker", marker);
    PartsPage page;
    const auto error = error_of([&] { retries_.run([&] { page = parse_parts(ask(call).body); }); });
    if (error && (error->code() == Errc::conflict || error->code() == Errc::not_found)) return std::nullopt;
    if (error) throw Error(*error);
    for (const auto& [index, part] : page.parts)
      if (index < parts_.size() && part.size == range_of(index).size) found[index] = part;
    marker = page.next;
    if (marker.empty()) break;
  }
  note_ = note;
  return found;
}

S3Part S3Multipart::send(size_t part, S3Call& call) {
  call.method = "PUT";
  call.key = key_;
  call.query = {{"partNumber", std::to_string(part + 1)}, {"uploadId", note_.id}};
  const HttpResponse response = connection_.send(call);
  S3Part& sent = parts_[part];
  sent = {bare_etag(response.header("etag").value_or("")), response.header("x-amz-checksum-crc32c").value_or(""),
          range_of(part).size};
  if (sent.etag.empty())
    throw Error(Errc::corrupt, "{} took part {} of '{}' without an ETag", connection_.description(), part + 1, key_);
  return sent;
}

S3Multipart::Completed S3Multipart::complete() {
  S3Call call{.method = "POST", .key = key_, .query = {{"uploadId", note_.id}},
              .headers = {{"content-type", "application/xml"}},
              .stall_seconds = complete_stall_seconds};
  call.body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (size_t i = 0; i < parts_.size(); ++i) {
    call.body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag>", i + 1, parts_[i].etag);
    // Only to a server that named it itself: others may refuse the element.
    if (const std::string& sum = parts_[i].checksum; !sum.empty())
      call.body += fmt::format("<ChecksumCRC32C>{}</ChecksumCRC32C>", sum);
    call.body += "</Part>";
  }
  call.body += "</CompleteMultipartUpload>";

  Completed done;
  const auto error = error_of([&] {
    retries_.run([&] {
      const HttpResponse response = connection_.send(call);
      if (is_refusal(response.body) && !fault::planted("s3.completes_anything"))
        throw connection_.refusal(call, response);
      done.object = object_of(key_, response, size_);
      done.object.etag = bare_etag(element_of(response.body, "ETag"));
      done.checksum = element_of(response.body, "ChecksumCRC32C");
    });
  });
  if (error && error->code() == Errc::denied) throw Error(*error);
  if (error || done.object.etag.empty()) return complete_object(error);
  return done;
}

// Some servers complete an upload without saying the ETag, and answers get lost: a HEAD settles both.
S3Multipart::Completed S3Multipart::complete_object(const std::optional<Error>& error) {
  std::optional<HttpResponse> found;
  retries_.run([&] { found = connection_.head(key_); });
  const bool is_ours = found && found->header(mark_header) == note_.mark;
  if (!is_ours && error) throw Error(*error);
  if (!found)
    throw Error(Errc::conflict, "'{}' in {} was removed while it was stored", key_, connection_.description());
  return {object_of(key_, *found, size_), ""};
}

std::optional<RemoteObject> S3Multipart::find_completed(const UploadNote& note) {
  std::optional<HttpResponse> found;
  retries_.run([&] { found = connection_.head(key_); });
  if (!found || found->header(mark_header) != note.mark || found->header("content-length") != std::to_string(size_))
    return std::nullopt;
  return object_of(key_, *found, size_);
}

void abandon_upload(S3Connection& connection, Retries& retries, const std::string& key, const UploadNote& note) {
  if (!note.id.empty()) return abort_upload(connection, retries, key, note.id);
  // Whoever wrote the note died before it heard of an id, and so before a part was sent.
  HttpResponse listing;
  retries.run([&] { listing = connection.send({.query = {{"uploads", ""}, {"prefix", key}}}); });
  for (const std::string& id : parse_uploads(listing.body, key)) {
    HttpResponse parts;
    const auto gone = error_of([&] { parts = connection.send({.key = key, .query = {{"uploadId", id}}}); });
    if (!gone && parse_parts(parts.body).parts.empty()) abort_upload(connection, retries, key, id);
  }
}

}  // namespace volary
