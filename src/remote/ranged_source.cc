// remote/ranged_source.cc: one range after the other, all of the same object; and copying where a store cannot.
#include "remote/ranged_source.h"

#include <algorithm>

#include "core/error.h"
#include "remote/key.h"

namespace volary {
namespace {

RemoteObject found_in(Remote& remote, const std::string& key) {
  check_key(key);
  auto object = remote.find(key);
  if (!object) throw Error(Errc::not_found, "there is no '{}' in {}", key, remote.description());
  return *object;
}

}  // namespace

RangedSource::RangedSource(Remote& remote, const std::string& key)
    : remote_(remote), object_(found_in(remote, key)), end_(object_.size) {}

size_t RangedSource::read(std::span<char> to) {
  if (given_ == range_.size()) {
    if (at_ == end_) return 0;
    StringSink sink;
    const Range range{at_, std::min(range_bytes_max, end_ - at_)};
    remote_.get(object_.key, {.range = range, .if_match = object_.etag}, sink);
    range_ = std::move(sink.text);
    at_ += range.size;
    given_ = 0;
  }
  const size_t size = range_.copy(to.data(), to.size(), given_);
  given_ += size;
  return size;
}

RemoteObject Remote::copy(const std::string& from, const std::string& to) {
  RangedSource source(*this, from);
  if (from == to) return source.object();
  return put(to, source, source.object().size);
}

}  // namespace volary
