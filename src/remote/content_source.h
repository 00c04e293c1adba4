// remote/content_source.h: a range of a content as the body of a request, and its MD5.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "remote/fingerprint.h"
#include "remote/parted.h"

namespace volary {

class ContentSource final : public Source {
 public:
  ContentSource(Content& content, const Range& range) : content_(content), left_(range) {}
  size_t read(std::span<char> to) override {
    const size_t size = std::min<uint64_t>(to.size(), left_.size);
    content_.read_at(left_.offset, to.first(size));
    left_ = {left_.offset + size, left_.size - size};
    return size;
  }

 private:
  Content& content_;
  Range left_;
};

// Raw, of bytes that are shown for it.
inline std::string shown_md5(Content& content, const Range& range) {
  Hash hash(Hash::Kind::md5);
  content.show(range, [&](std::string_view bytes) { hash.update(bytes); });
  return hash.finish();
}

}  // namespace volary
