// remote/swift_upload.cc: PUT, and static large objects.
//
// A large object is a manifest that names segments, which are objects of their own in another container:
//
//   NAME_segments/volary/MARK/00000001 …     MARK is random: two uploads of one key never mix
//   PUT /NAME/KEY?multipart-manifest=put     [{"path", "etag", "size_bytes"}, …], visible only whole
//
// Replacing a manifest leaves the old segments behind, so those are removed after it.
#include "remote/swift_upload.h"

#include <algorithm>

#include "core/fault.h"
#include "core/json.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "remote/fingerprint.h"
#include "remote/key.h"
#include "remote/s3_connection.h"

namespace volary {
namespace {

constexpr uint64_t buffered_bytes_max = 16 << 20;  // So much is kept and sent again; more passes through once.
constexpr uint64_t segments_max = 1000;            // What Swift takes in one manifest unless told otherwise.
constexpr uint64_t manifest_stall_seconds = 600;   // Swift looks at every segment before it answers.
constexpr int silences_max = 2;                    // Of Swift, until nothing more is removed.

struct ListedSegment {
  std::string name;  // "/container/object"
};
BOOST_DESCRIBE_STRUCT(ListedSegment, (), (name))
struct StoredSegment {
  std::string name;  // In its container.
  std::string hash;
  uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(StoredSegment, (), (name, hash, bytes))

constexpr std::string_view ours = "volary/";

// Gives `size` bytes of a source, hashed as they pass.
class Md5Source final : public Source {
 public:
  Md5Source(Source& next, uint64_t size, const std::string& key) : next_(next), left_(size), size_(size), key_(key) {}
  size_t read(std::span<char> to) override {
    if (left_ == 0) return 0;
    const size_t size = next_.read(to.first(std::min<uint64_t>(to.size(), left_)));
    if (size == 0)
      throw Error(Errc::corrupt, "the source of '{}' ended after {} of {} bytes", printable(key_), size_ - left_,
                  size_);
    md5_.update({to.data(), size});
    left_ -= size;
    return size;
  }
  std::string digest() { return hex_text(md5_.finish()); }

 private:
  Source& next_;
  uint64_t left_;
  const uint64_t size_;
  const std::string& key_;
  Hash md5_{Hash::Kind::md5};
};

std::string md5_of(std::string_view bytes) { return hex_text(md5_raw(bytes)); }

// One object or segment, held against its MD5.
RemoteObject put_one(SwiftConnection& connection, Retries& retries, const std::string& container,
                     const std::string& key, Source& source, uint64_t size) {
  SwiftCall call{.method = "PUT", .container = container, .key = key,
                 .headers = {{"content-type", "application/octet-stream"}}};
  HttpResponse response;
  std::string expected;
  if (size <= buffered_bytes_max) {
    call.body.resize(size);
    read_exactly(source, call.body, key);
    expected = md5_of(call.body);
    call.headers.emplace_back("etag", expected);
    // Of an empty object the source gave nothing, so the caller can repeat it.
    if (size == 0) response = connection.send(call);
    else retries.run([&] { response = connection.send(call); });
  } else {
    retries.run([&] { connection.head(container, ""); });  // Gets another token if this one has expired.
    Md5Source hashed(source, size, key);
    call.source = &hashed;
    call.source_bytes = size;
    response = connection.send(call);
    expected = hashed.digest();
    const std::string found = bare_etag(response.header("etag").value_or(""));
    if (found != expected) {
      connection.send({.method = "DELETE", .container = container, .key = key, .takes_back = true});
      throw Error(Errc::corrupt, "{} has '{}' with MD5 {}: expected {}", connection.description(container),
                  printable(key), printable(found), expected);
    }
  }
  RemoteObject object = swift_object_of(key, response);
  object.size = size;
  object.proof = object.etag == expected ? Proof::etag : Proof::differs;
  return object;
}

// An object in segments; what was sent is removed on the way out if it did not come to the manifest.
class SegmentedUpload {
 public:
  SegmentedUpload(SwiftConnection& connection, Retries& retries, const std::string& container, const std::string& key)
      : connection_(connection), retries_(retries), container_(container), key_(key) {}
  SegmentedUpload(const SegmentedUpload&) = delete;
  SegmentedUpload& operator=(const SegmentedUpload&) = delete;
  ~SegmentedUpload() {
    if (!is_complete_) (void)error_of([&] { remove_segments(connection_, container_, names_); });
  }

  RemoteObject run(Source& source, uint64_t size) {
    const std::string segments = segments_container(container_);
    retries_.run([&] { connection_.send({.method = "PUT", .container = segments}); });
    const std::string mark = random_hex(16);
    const uint64_t step = segment_bytes_for(size);
    for (uint64_t at = 0; at < size; at += step) {
      const std::string name = segment_name(mark, segments_.size());
      names_.push_back(name);
      segments_.push_back({"/" + segments + "/" + name, "", std::min(step, size - at)});
      fault::point("remote.before_part");
      during(fmt::format("sending segment {} of '{}'", segments_.size(), printable(key_)), [&] {
        const RemoteObject sent = put_one(connection_, retries_, segments, name, source, segments_.back().size);
        segments_.back().etag = sent.etag;
        if (sent.proof != Proof::etag) proof_ = Proof::none;
      });
    }
    fault::point("remote.before_complete");
    RemoteObject object = put_manifest(connection_, retries_, container_, key_, segments_);
    is_complete_ = true;
    object.size = size;
    object.proof = proof_;
    return object;
  }

 private:
  SwiftConnection& connection_;
  Retries& retries_;
  const std::string& container_;
  const std::string& key_;
  std::vector<SwiftSegment> segments_;
  std::vector<std::string> names_;  // Of the segments, in their container.
  Proof proof_ = Proof::etag;       // Of the whole: Swift holds the manifest against the segments' etags.
  bool is_complete_ = false;
};

}  // namespace

std::string segments_container(const std::string& container) { return container + "_segments"; }

std::string segment_name(const std::string& mark, size_t index) {
  return fmt::format("{}{}/{:08}", ours, mark, index + 1);
}

std::string mark_of_segment(const std::string& name) {
  return name.substr(ours.size(), name.find('/', ours.size()) - ours.size());
}

uint64_t segment_bytes_for(uint64_t size, uint64_t step) {
  const uint64_t least = (size + segments_max - 1) / segments_max;
  const uint64_t rounded = (least + step - 1) / step * step;
  return std::max(buffered_bytes_max, rounded);
}

bool is_segmented_size(uint64_t size, uint64_t segmented_bytes_min) {
  return size >= std::max(segmented_bytes_min, buffered_bytes_max + 1);
}

std::vector<std::string> segments_of(SwiftConnection& connection, const std::string& container,
                                     const std::string& key) {
  const auto found = connection.head(container, key);
  if (!found || !is_segmented(*found)) return {};
  const HttpResponse response = connection.send(
      {.container = container, .key = key, .query = {{"multipart-manifest", "get"}}});
  const std::string there = "/" + segments_container(container) + "/";
  std::vector<std::string> names;
  for (const auto& one : from_json<std::vector<ListedSegment>>(parse_json(response.body, "the manifest"), "manifest",
                                                               Unknown::ignore))
    if (one.name.starts_with(there + std::string(ours))) names.push_back(one.name.substr(there.size()));
  return names;
}

std::vector<SwiftSegment> segments_of_mark(SwiftConnection& connection, Retries& retries, const std::string& container,
                                           const std::string& mark) {
  HttpResponse response;
  const auto error = error_of([&] {
    retries.run([&] {
      response = connection.send({.container = segments_container(container),
                                  .query = {{"format", "json"}, {"prefix", fmt::format("{}{}/", ours, mark)}}});
    });
  });
  if (error && error->code() == Errc::not_found) return {};
  if (error) throw Error(*error);
  std::vector<SwiftSegment> segments;
  for (const auto& one : from_json<std::vector<StoredSegment>>(parse_json(response.body, "Swift's listing"), "listing",
                                                               Unknown::ignore))
    segments.push_back({"/" + segments_container(container) + "/" + one.name, one.hash, one.bytes});
  return segments;
}

void remove_segments(SwiftConnection& connection, const std::string& container,
                     const std::vector<std::string>& names) {
  std::optional<Error> first;
  int silences = 0;
  for (const std::string& name : names) {
    const auto error = error_of([&] {
      connection.send(
          {.method = "DELETE", .container = segments_container(container), .key = name, .takes_back = true});
    });
    if (error && error->code() != Errc::not_found && !first) first.emplace(*error);
    if (error && error->code() == Errc::unavailable && ++silences == silences_max) break;
  }
  if (first) throw Error(*first);
}

RemoteObject put_manifest(SwiftConnection& connection, Retries& retries, const std::string& container,
                          const std::string& key, const std::vector<SwiftSegment>& segments) {
  json::array manifest;
  for (const SwiftSegment& one : segments)
    manifest.push_back({{"path", one.path}, {"etag", one.etag}, {"size_bytes", one.size}});
  SwiftCall call{.method = "PUT", .container = container, .key = key,
                 .query = {{"multipart-manifest", "put"}},
                 .headers = {{"content-type", "application/octet-stream"}},
                 .body = print_json(manifest), .stall_seconds = manifest_stall_seconds};
  HttpResponse response;
  retries.run([&] { response = connection.send(call); });
  return swift_object_of(key, response);
}

RemoteObject upload_to_swift(SwiftConnection& connection, Retries& retries, const std::string& container,
                             const std::string& key, Source& source, uint64_t size, uint64_t segmented_bytes_min) {
  std::vector<std::string> old;
  retries.run([&] { old = segments_of(connection, container, key); });
  const bool is_large = is_segmented_size(size, segmented_bytes_min);
  RemoteObject object = is_large ? SegmentedUpload(connection, retries, container, key).run(source, size)
                                 : put_one(connection, retries, container, key, source, size);
  (void)error_of([&] { remove_segments(connection, container, old); });
  return object;
}

void remove_from_swift(SwiftConnection& connection, const std::string& container, const std::string& key) {
  const std::vector<std::string> segments = segments_of(connection, container, key);
  const auto error = error_of([&] { connection.send({.method = "DELETE", .container = container, .key = key}); });
  if (error && error->code() != Errc::not_found) throw Error(*error);
  (void)error_of([&] { remove_segments(connection, container, segments); });
}

}  // namespace volary
