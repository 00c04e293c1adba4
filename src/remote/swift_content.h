// remote/swift_content.h: content that can be read again into Swift, as remote/parted.h promises it.
//
// From segmented_bytes_min on it goes in segments. The note of such an upload has the mark in its segments' names, and
// as id the mark in those of the object that it replaces, or "": when the manifest is there, those go.
#pragma once

#include "remote/parted.h"
#include "remote/retry.h"
#include "remote/swift_connection.h"

namespace volary {

RemoteObject put_content_to_swift(SwiftConnection& connection, Retries& retries, const SwiftOptions& target,
                                  const std::string& key, Content& content, const PutOptions& options);

// As PartedRemote::is_same: the etag is the MD5 of the content, or made of those of the segments that it would go in.
bool is_same_in_swift(const std::string& etag, Content& content, uint64_t segmented_bytes_min);

// As PartedRemote::abandon. Of an upload whose manifest is there, only what it replaced is removed.
void abandon_swift_upload(SwiftConnection& connection, Retries& retries, const std::string& container,
                          const std::string& key, const UploadNote& note);

}  // namespace volary
