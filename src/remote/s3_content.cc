// remote/s3_content.cc: content that can be read again into S3, for remote/s3_upload.h.
//
// Everything is read twice, first for its hashes and then on its way out, from the page cache as a rule: so no part is
// ever held in memory, however large it is. What the store answers is held against the hashes: its checksum where it
// names one, else its etag, if that is an MD5.
#include <algorithm>

#include "core/fault.h"
#include "core/workers.h"
#include "remote/content_source.h"
#include "remote/s3_multipart.h"
#include "remote/s3_upload.h"

namespace volary {
namespace {

constexpr const char* checksum_header = "x-amz-checksum-crc32c";

struct Fingerprint {
  std::string sha256;  // In hexadecimal digits; "" if nobody signs it.
  uint32_t crc = 0;
};

Fingerprint show(Content& content, const Range& range, const S3Connection& connection, std::string* copy) {
  Fingerprint found;
  std::optional<Hash> sha256;
  if (connection.signs_bodies()) sha256.emplace(Hash::Kind::sha256);
  content.show(range, [&](std::string_view bytes) {
    if (sha256) sha256->update(bytes);
    found.crc = crc32c(bytes, found.crc);
    if (copy) copy->append(bytes);
  });
  if (sha256) found.sha256 = hex_text(sha256->finish());
  return found;
}

std::string md5_of(Content& content, Range range) {
  Hash hash(Hash::Kind::md5);
  std::string block;
  while (range.size > 0) {
    block.resize(std::min<uint64_t>(range.size, block_bytes));
    content.read_at(range.offset, block);
    hash.update(block);
    range = {range.offset + block.size(), range.size - block.size()};
  }
  return hash.finish();
}

std::string joined_etag(const std::string& md5s, size_t parts) {
  return fmt::format("{}-{}", hex_text(md5_raw(md5s)), parts);
}

// What a store says of some bytes that it has just taken, held against these. Only the etag costs an MD5.
Proof proof_of(const std::string& etag, const std::string& checksum, const Fingerprint& wanted,
               const std::function<std::string()>& md5) {
  if (!checksum.empty()) return checksum == crc32c_text(wanted.crc) ? Proof::checksum : Proof::differs;
  if (!looks_like_md5(etag)) return Proof::none;
  return etag == hex_text(md5()) ? Proof::etag : Proof::differs;
}

uint64_t part_bytes_of(const Content& content) {
  return part_bytes_for(content.size(), std::max(content.step_bytes(), part_step_bytes));
}

class ContentUpload {
 public:
  ContentUpload(S3Connection& connection, Retries& retries, S3Habits& habits, const std::string& key,
                Content& content, const PutOptions& options)
      : connection_(connection), retries_(retries), habits_(habits), key_(key), content_(content), options_(options),
        upload_(connection, retries, key, content.size(), part_bytes_of(content)),
        parts_(upload_.parts()) {}

  RemoteObject put_whole();
  RemoteObject put_parts();

 private:
  struct PartProof {
    Proof proof = Proof::none;
    std::string md5;  // Raw, where the etag is one.
    uint32_t crc = 0;
  };

  // Sends with the checksum, unless this server was found to refuse it.
  template <class Send>
  auto with_checksum(S3Call& call, uint32_t crc, Send send);
  template <class Send>
  auto try_checksum(S3Call& call, Send send);
  bool go_on(const UploadNote& note);
  void begin();
  void send_part(size_t part);
  bool keep_arrived(size_t part, const Fingerprint& print);
  RemoteObject complete();
  std::optional<RemoteObject> find_completed(const UploadNote& note);
  Proof proof_of_parts(const std::string& etag, const std::string& checksum) const;
  void check_stop() const {
    if (options_.stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
  }

  S3Connection& connection_;
  Retries& retries_;
  S3Habits& habits_;
  const std::string& key_;
  Content& content_;
  const PutOptions& options_;
  S3Multipart upload_;
  std::map<size_t, S3Part> arrived_;  // Before this process.
  std::vector<PartProof> parts_;      // Each written by the thread that sends the part.
};

template <class Send>
auto ContentUpload::with_checksum(S3Call& call, uint32_t crc, Send send) {
  if (habits_.refuses_checksums) return send(call);
  call.headers[checksum_header] = crc32c_text(crc);
  if (habits_.takes_checksums) return send(call);
  return try_checksum(call, send);
}

// A server that does not know the header may refuse the request for it; then it takes the same without.
template <class Send>
auto ContentUpload::try_checksum(S3Call& call, Send send) {
  decltype(send(call)) answer;
  const auto error = error_of([&] { answer = send(call); });
  if (!error) {
    habits_.takes_checksums = true;
    return answer;
  }
  if (error->code() != Errc::invalid) throw Error(*error);
  call.headers.erase(checksum_header);
  answer = send(call);
  habits_.refuses_checksums = true;
  return answer;
}

RemoteObject ContentUpload::put_whole() {
  const uint64_t size = content_.size();
  S3Call call{.method = "PUT", .key = key_, .headers = {{"content-type", "application/octet-stream"}},
              .stop = options_.stop};
  const bool is_held = size <= held_bytes_max;
  const Fingerprint print = show(content_, {0, size}, connection_, is_held ? &call.body : nullptr);
  content_.check();
  call.body_sha256 = print.sha256;
  if (!is_held) {
    call.content = [&] { return std::make_unique<ContentSource>(content_, Range{0, size}); };
    call.content_bytes = size;
  }
  HttpResponse response;
  Proof proof{};
  std::string etag;
  retries_.run([&] {
    check_stop();
    response = with_checksum(call, print.crc, [&](S3Call& with) { return connection_.send(with); });
    if (!response.body.empty() && is_refusal(response.body)) throw connection_.refusal(call, response);
    etag = bare_etag(response.header("etag").value_or(""));
    const std::string checksum = response.header(checksum_header).value_or("");
    proof = proof_of(etag, checksum, print, [&] { return is_held ? md5_raw(call.body) : md5_of(content_, {0, size}); });
    if (!checksum.empty() && proof == Proof::differs)
      throw Error(Errc::unavailable, "{} took '{}' with the checksum {}: expected {}", connection_.description(), key_,
                  checksum, crc32c_text(print.crc));
  });
  if (options_.bytes_sent) *options_.bytes_sent += size;
  if (etag.empty()) retries_.run([&] { response = connection_.head(key_).value_or(HttpResponse{}); });
  RemoteObject object = object_of(key_, response, size);
  object.proof = proof;
  return object;
}

RemoteObject ContentUpload::put_parts() {
  const auto note = options_.notes.find(key_);
  bool goes_on = false;
  if (note && !note->id.empty()) {
    goes_on = go_on(*note);
    if (!goes_on) {
      if (auto object = find_completed(*note)) return *object;
    }
  } else if (note) {
    abandon_upload(connection_, retries_, key_, *note);
  }
  if (!goes_on) begin();
  RemoteObject object;
  const auto error = error_of([&] {
    for_each_index(upload_.parts(), options_.threads, [&](size_t part) { send_part(part); });
    content_.check();
    object = complete();
  });
  // A stopped one waits for the next process. What cannot be ended now stays noted, for whoever ends it later.
  if (error && options_.stop.stop_requested()) throw Error(*error);
  const auto kept = error_of([&] {
    if (error) abandon_upload(connection_, retries_, key_, upload_.note());
  });
  if (!kept) options_.notes.ended(key_);
  if (error) throw Error(*error);
  return object;
}

bool ContentUpload::go_on(const UploadNote& note) {
  auto found = upload_.adopt(note);
  if (found) arrived_ = std::move(*found);
  return found.has_value();
}

void ContentUpload::begin() {
  options_.notes.begun(key_, {"", upload_.note().mark});
  using Checksums = S3Multipart::Checksums;
  std::optional<Error> refused;
  if (!habits_.refuses_checksums)
    refused = error_of([&] { retries_.run([&] { upload_.begin(Checksums::crc32c); }); });
  if (refused && refused->code() != Errc::invalid) throw Error(*refused);
  if (refused || habits_.refuses_checksums) {
    retries_.run([&] { upload_.begin(Checksums::no); });
    habits_.refuses_checksums = true;
  }
  fault::point("remote.upload_begun");
  options_.notes.begun(key_, upload_.note());
}

void ContentUpload::send_part(size_t part) {
  check_stop();
  const Range range = upload_.range_of(part);
  const Fingerprint print = show(content_, range, connection_, nullptr);
  if (keep_arrived(part, print)) return;
  fault::point("remote.before_part");
  S3Call call{.body_sha256 = print.sha256, .stop = options_.stop};
  call.content = [this, range] { return std::make_unique<ContentSource>(content_, range); };
  call.content_bytes = range.size;
  retries_.run([&] {
    check_stop();
    const S3Part sent = with_checksum(call, print.crc, [&](S3Call& with) { return upload_.send(part, with); });
    PartProof& mine = parts_[part];
    mine.crc = print.crc;
    mine.proof = proof_of(sent.etag, sent.checksum, print, [&] { return mine.md5 = md5_of(content_, range); });
    if (!sent.checksum.empty() && mine.proof == Proof::differs)
      throw Error(Errc::unavailable, "{} took part {} of '{}' with the checksum {}: expected {}",
                  connection_.description(), part + 1, key_, sent.checksum, crc32c_text(print.crc));
  });
  if (options_.bytes_sent) *options_.bytes_sent += range.size;
  fault::point("remote.part_arrived");
}

// A part that another process sent stays if the store's words show that it has these bytes.
bool ContentUpload::keep_arrived(size_t part, const Fingerprint& print) {
  const auto found = arrived_.find(part);
  if (found == arrived_.end()) return false;
  PartProof& mine = parts_[part];
  mine.crc = print.crc;
  mine.proof = proof_of(found->second.etag, found->second.checksum, print,
                        [&] { return mine.md5 = md5_of(content_, upload_.range_of(part)); });
  if (mine.proof != Proof::checksum && mine.proof != Proof::etag) return false;
  upload_.keep(part, found->second);
  return true;
}

RemoteObject ContentUpload::complete() {
  fault::point("remote.before_complete");
  const auto [object, checksum] = upload_.complete();
  RemoteObject proven = object;
  proven.proof = proof_of_parts(object.etag, checksum);
  if (proven.proof == Proof::differs && !checksum.empty())
    throw Error(Errc::corrupt, "{} joined '{}' to an object with the checksum {}, which is not that of its parts",
                connection_.description(), key_, checksum);
  return proven;
}

// The checksum and the etag of an object in parts are those of the parts' joined, with their number.
Proof ContentUpload::proof_of_parts(const std::string& etag, const std::string& checksum) const {
  const auto all = [&](Proof proof) {
    return std::all_of(parts_.begin(), parts_.end(), [&](const PartProof& part) { return part.proof == proof; });
  };
  std::string joined;
  if (all(Proof::checksum)) {
    if (checksum.find('-') == std::string::npos) return Proof::checksum;  // Of each part.
    for (const PartProof& part : parts_) joined += crc32c_bytes(part.crc);
    const std::string expected = fmt::format("{}-{}", crc32c_text(crc32c(joined)), parts_.size());
    return checksum == expected ? Proof::checksum : Proof::differs;
  }
  if (!all(Proof::etag)) return Proof::none;
  for (const PartProof& part : parts_) joined += part.md5;
  return etag == joined_etag(joined, parts_.size()) ? Proof::etag : Proof::none;
}

// The process before this one may have died after the last request. Its object is proven like any other, by the bytes.
std::optional<RemoteObject> ContentUpload::find_completed(const UploadNote& note) {
  auto object = upload_.find_completed(note);
  if (!object) return std::nullopt;
  for_each_index(upload_.parts(), options_.threads, [&](size_t part) {
    check_stop();
    const Range range = upload_.range_of(part);
    show(content_, range, connection_, nullptr);
    parts_[part] = {Proof::etag, md5_of(content_, range), 0};
  });
  content_.check();
  object->proof = proof_of_parts(object->etag, "");
  options_.notes.ended(key_);
  return object;
}

}  // namespace

bool is_same_in_s3(const std::string& etag, Content& content) {
  const bool is_whole = looks_like_md5(etag);
  const uint64_t part_bytes = is_whole ? std::max<uint64_t>(content.size(), 1) : part_bytes_of(content);
  const size_t parts = std::max<uint64_t>(1, (content.size() + part_bytes - 1) / part_bytes);
  if (!is_whole && !etag.ends_with(fmt::format("-{}", parts))) return false;
  std::vector<std::string> md5s(parts);
  for_each_index(parts, cores(), [&](size_t part) {
    Hash md5(Hash::Kind::md5);
    const uint64_t offset = part * part_bytes;
    content.show({offset, std::min(part_bytes, content.size() - offset)}, [&](auto bytes) { md5.update(bytes); });
    md5s[part] = md5.finish();
  });
  content.check();
  if (is_whole) return etag == hex_text(md5s[0]);
  std::string joined;
  for (const std::string& md5 : md5s) joined += md5;
  return etag == joined_etag(joined, parts);
}

RemoteObject put_content_to_s3(S3Connection& connection, Retries& retries, S3Habits& habits, const std::string& key,
                               Content& content, const PutOptions& options) {
  ContentUpload upload(connection, retries, habits, key, content, options);
  return content.size() <= single_put_bytes_max ? upload.put_whole() : upload.put_parts();
}

}  // namespace volary
