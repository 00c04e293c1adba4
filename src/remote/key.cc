// remote/key.cc: the checks of remote/key.h.
#include "remote/key.h"

#include "core/error.h"
#include "core/fault.h"

namespace volary {

void check_key(const std::string& key) {
  if (key.empty()) throw Error(Errc::invalid, "the key of an object is empty");
}

void check_match(const RemoteObject& object, const GetOptions& options, const std::string& remote) {
  if (!options.if_match.empty() && options.if_match != object.etag && !fault::planted("remote.any_etag"))
    throw Error(Errc::conflict, "'{}' in {} is another one by now: its etag is '{}', expected '{}'", object.key, remote,
                object.etag, options.if_match);
}

Range range_of(const RemoteObject& object, const GetOptions& options) {
  if (!options.range) return {0, object.size};
  const Range range = *options.range;
  if (range.offset > object.size || range.size > object.size - range.offset)
    throw Error(Errc::invalid, "'{}' has {} bytes: there are no {} bytes from {} on", object.key, object.size,
                range.size, range.offset);
  return range;
}

void read_exactly(Source& source, std::span<char> to, const std::string& key) {
  for (size_t at = 0; at < to.size();) {
    const size_t size = source.read(to.subspan(at));
    if (size == 0)
      throw Error(Errc::corrupt, "the source of '{}' ended after {} of {} bytes", key, at, to.size());
    at += size;
  }
}

}  // namespace volary
