// remote/ranged_source.h: an object of a Remote as a Source: pulled by ranges, so that no more than one is in memory.
#pragma once

#include <string>

#include "remote/remote.h"

namespace volary {

// `remote` must outlive it. One thread.
class RangedSource final : public Source {
 public:
  static constexpr uint64_t range_bytes_max = 8 << 20;

  // Throws `not_found` if there is no such object.
  RangedSource(Remote& remote, const std::string& key);
  // These bytes of an object as it was found; an etag of "" cannot tell whether it is another one by now.
  RangedSource(Remote& remote, RemoteObject object, const Range& range)
      : remote_(remote), object_(std::move(object)), at_(range.offset), end_(range.offset + range.size) {}
  // `conflict` if the object is replaced meanwhile.
  size_t read(std::span<char> to) override;
  const RemoteObject& object() const { return object_; }

 private:
  Remote& remote_;
  RemoteObject object_;
  uint64_t at_ = 0;
  uint64_t end_ = 0;
  std::string range_;   // What was fetched,
  size_t given_ = 0;    // and how much of it was given.
};

}  // namespace volary
