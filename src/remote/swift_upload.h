// remote/swift_upload.h: objects into Swift: whole, streamed, or in segments with a manifest.
#pragma once

#include <string>
#include <vector>

#include "remote/retry.h"
#include "remote/swift_connection.h"

namespace volary {

// As Remote::put() promises.
RemoteObject upload_to_swift(SwiftConnection& connection, Retries& retries, const std::string& container,
                             const std::string& key, Source& source, uint64_t size, uint64_t segmented_bytes_min);

// Removes an object, with its segments if it has some; absent is success.
void remove_from_swift(SwiftConnection& connection, const std::string& container, const std::string& key);

// "c_segments"
std::string segments_container(const std::string& container);

struct SwiftSegment {
  std::string path;  // "/NAME_segments/volary/MARK/00000001"
  std::string etag;
  uint64_t size = 0;

  bool operator==(const SwiftSegment&) const = default;
};

// In the container of segments.
std::string segment_name(const std::string& mark, size_t index);
std::string mark_of_segment(const std::string& name);
// Swift takes a thousand of them for an object. `step` is a power of two.
uint64_t segment_bytes_for(uint64_t size, uint64_t step = 1 << 20);
bool is_segmented_size(uint64_t size, uint64_t segmented_bytes_min);
// The names of those of what is there, if it is a large object of ours.
std::vector<std::string> segments_of(SwiftConnection& connection, const std::string& container,
                                     const std::string& key);
// All that have been sent with this mark, whatever came of them.
std::vector<SwiftSegment> segments_of_mark(SwiftConnection& connection, Retries& retries, const std::string& container,
                                           const std::string& mark);
// Each by itself, then throws the first error. Absent is success. Who still reads the manifest that named them gets an
// error, never wrong bytes.
void remove_segments(SwiftConnection& connection, const std::string& container, const std::vector<std::string>& names);
// Makes an object of them, which is held against their etags and sizes.
RemoteObject put_manifest(SwiftConnection& connection, Retries& retries, const std::string& container,
                          const std::string& key, const std::vector<SwiftSegment>& segments);

}  // namespace volary
