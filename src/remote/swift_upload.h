// remote/swift_upload.h: objects into Swift: whole, streamed, or in segments with a manifest.
#pragma once

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

}  // namespace volary
