// remote/swift_content.cc: for remote/swift_content.h.
//
// Everything is read twice, first for its MD5, which Swift is told and holds the bytes against, and then on its way
// out.
#include "remote/swift_content.h"

#include <map>

#include "core/fault.h"
#include "core/random.h"
#include "core/workers.h"
#include "remote/content_source.h"
#include "remote/swift_upload.h"

namespace volary {
namespace {

constexpr uint64_t held_bytes_max = 1 << 20;

uint64_t segment_bytes_of(const Content& content) {
  return segment_bytes_for(content.size(), std::max<uint64_t>(content.step_bytes(), 1 << 20));
}

class SegmentsUpload {
 public:
  SegmentsUpload(SwiftConnection& connection, Retries& retries, const std::string& container, const std::string& key,
                 Content& content, const PutOptions& options)
      : connection_(connection), retries_(retries), container_(container), key_(key), content_(content),
        options_(options), step_(segment_bytes_of(content)),
        segments_((content.size() + step_ - 1) / step_) {}

  RemoteObject run();

 private:
  void begin();
  void send_segment(size_t index);
  Range range_of(size_t index) const {
    const uint64_t offset = index * step_;
    return {offset, std::min(step_, content_.size() - offset)};
  }

  SwiftConnection& connection_;
  Retries& retries_;
  const std::string& container_;
  const std::string& key_;
  Content& content_;
  const PutOptions& options_;
  const uint64_t step_;
  UploadNote note_;
  std::vector<SwiftSegment> segments_;           // Each written by the thread that sends it.
  std::map<std::string, SwiftSegment> arrived_;  // Before this process, by path.
};

void check_stop(const PutOptions& options) {
  if (options.stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
}

RemoteObject SegmentsUpload::run() {
  begin();
  RemoteObject object;
  const auto error = error_of([&] {
    for_each_index(segments_.size(), options_.threads, [&](size_t index) { send_segment(index); });
    content_.check();
    fault::point("remote.before_complete");
    object = put_manifest(connection_, retries_, container_, key_, segments_);
    fault::point("remote.manifest_put");
  });
  // A stopped one waits for the next process. What cannot be ended now stays noted, for whoever ends it later.
  if (error && options_.stop.stop_requested()) throw Error(*error);
  const auto kept = error_of([&] { abandon_swift_upload(connection_, retries_, container_, key_, note_); });
  if (!kept) options_.notes.ended(key_);
  if (error) throw Error(*error);
  object.size = content_.size();
  object.proof = Proof::etag;
  return object;
}

void SegmentsUpload::begin() {
  retries_.run([&] { connection_.send({.method = "PUT", .container = segments_container(container_)}); });
  if (const auto note = options_.notes.find(key_)) {
    note_ = *note;
    for (SwiftSegment& one : segments_of_mark(connection_, retries_, container_, note_.mark))
      arrived_.emplace(one.path, one);
    return;
  }
  std::vector<std::string> old;
  retries_.run([&] { old = segments_of(connection_, container_, key_); });
  note_ = {old.empty() ? "" : mark_of_segment(old.front()), random_hex(16)};
  options_.notes.begun(key_, note_);
  fault::point("remote.upload_begun");
}

void SegmentsUpload::send_segment(size_t index) {
  check_stop(options_);
  const Range range = range_of(index);
  const std::string name = segment_name(note_.mark, index);
  SwiftSegment& segment = segments_[index];
  segment = {"/" + segments_container(container_) + "/" + name, hex_text(shown_md5(content_, range)), range.size};
  const auto found = arrived_.find(segment.path);
  if (found != arrived_.end() && found->second == segment) return;
  fault::point("remote.before_part");
  SwiftCall call{.method = "PUT", .container = segments_container(container_), .key = name,
                 .headers = {{"content-type", "application/octet-stream"}, {"etag", segment.etag}}};
  call.content = [this, range] { return std::make_unique<ContentSource>(content_, range); };
  call.source_bytes = range.size;
  retries_.run([&] {
    check_stop(options_);
    connection_.send(call);
  });
  if (options_.bytes_sent) *options_.bytes_sent += range.size;
  fault::point("remote.part_arrived");
}

RemoteObject put_whole(SwiftConnection& connection, Retries& retries, const std::string& container,
                       const std::string& key, Content& content, const PutOptions& options) {
  std::vector<std::string> old;
  retries.run([&] { old = segments_of(connection, container, key); });
  SwiftCall call{.method = "PUT", .container = container, .key = key,
                 .headers = {{"content-type", "application/octet-stream"}}};
  const uint64_t size = content.size();
  Hash md5(Hash::Kind::md5);
  content.show({0, size}, [&](std::string_view bytes) {
    md5.update(bytes);
    if (size <= held_bytes_max) call.body.append(bytes);
  });
  content.check();
  call.headers.emplace_back("etag", hex_text(md5.finish()));
  if (size > held_bytes_max) {
    call.content = [&] { return std::make_unique<ContentSource>(content, Range{0, size}); };
    call.source_bytes = size;
  }
  HttpResponse response;
  retries.run([&] {
    check_stop(options);
    response = connection.send(call);
  });
  if (options.bytes_sent) *options.bytes_sent += size;
  (void)error_of([&] { remove_segments(connection, container, old); });
  RemoteObject object = swift_object_of(key, response);
  object.size = size;
  object.proof = object.etag == call.headers.back().second ? Proof::etag : Proof::differs;
  return object;
}

}  // namespace

RemoteObject put_content_to_swift(SwiftConnection& connection, Retries& retries, const SwiftOptions& target,
                                  const std::string& key, Content& content, const PutOptions& options) {
  if (is_segmented_size(content.size(), target.segmented_bytes_min))
    return SegmentsUpload(connection, retries, target.container, key, content, options).run();
  return put_whole(connection, retries, target.container, key, content, options);
}

bool is_same_in_swift(const std::string& etag, Content& content, uint64_t segmented_bytes_min) {
  if (!looks_like_md5(etag)) return false;
  const uint64_t size = content.size();
  std::string md5;
  if (is_segmented_size(size, segmented_bytes_min)) {
    const uint64_t step = segment_bytes_of(content);
    std::vector<std::string> md5s((size + step - 1) / step);
    for_each_index(md5s.size(), cores(), [&](size_t i) {
      md5s[i] = hex_text(shown_md5(content, {i * step, std::min(step, size - i * step)}));
    });
    std::string joined;
    for (const std::string& one : md5s) joined += one;
    md5 = md5_raw(joined);
  } else {
    md5 = shown_md5(content, {0, size});
  }
  content.check();
  return etag == hex_text(md5);
}

void abandon_swift_upload(SwiftConnection& connection, Retries& retries, const std::string& container,
                          const std::string& key, const UploadNote& note) {
  std::vector<std::string> current;
  retries.run([&] { current = segments_of(connection, container, key); });
  const bool is_complete = !current.empty() && mark_of_segment(current.front()) == note.mark;
  const std::string& unwanted = is_complete ? note.id : note.mark;
  if (unwanted.empty()) return;
  std::vector<std::string> names;
  for (const SwiftSegment& one : segments_of_mark(connection, retries, container, unwanted))
    names.push_back(one.path.substr(segments_container(container).size() + 2));
  retries.run([&] { remove_segments(connection, container, names); });
}

}  // namespace volary
