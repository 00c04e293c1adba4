// remote/key.h: the checks that every Remote makes of what it is asked.
#pragma once

#include <span>
#include <string>

#include "remote/remote.h"

namespace volary {

// Throws `invalid` if the key is empty.
void check_key(const std::string& key);
// Throws `conflict` if `options` ask for another etag than the object's.
void check_match(const RemoteObject& object, const GetOptions& options, const std::string& remote);
// The bytes asked for: all, or the range. Throws `invalid` if it reaches beyond the object.
Range range_of(const RemoteObject& object, const GetOptions& options);
// Fills `to` from `source`. Throws `corrupt` if it ends before.
void read_exactly(Source& source, std::span<char> to, const std::string& key);

}  // namespace volary
