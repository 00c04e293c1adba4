// mount/image_output.h: the file that an image grows in. For mount/erofs_image.cc alone.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/fault.h"
#include "core/file.h"

namespace volary {

// Everything is appended; what was appended may be patched, in the buffer or behind it.
class ImageOutput {
 public:
  explicit ImageOutput(TempFile& file) : file_(file) { buffer_.reserve(buffer_bytes * 2); }

  uint64_t position() const { return written_ + buffer_.size(); }
  void append(std::string_view bytes) {
    buffer_.append(bytes);
    if (buffer_.size() >= buffer_bytes) flush();
  }
  void pad_to(uint64_t at) {
    if (at < position()) throw Error(Errc::internal, "an image is at byte {}, behind {}", position(), at);
    buffer_.append(at - position(), '\0');
  }
  void patch(uint64_t at, std::string_view bytes) {
    if (at < written_) {
      const size_t count = std::min<uint64_t>(bytes.size(), written_ - at);
      write_all_at(file_.fd(), bytes.substr(0, count), at, file_.path());
      bytes.remove_prefix(count);
      at += count;
    }
    if (!bytes.empty()) std::memcpy(buffer_.data() + (at - written_), bytes.data(), bytes.size());
  }
  void flush() {
    fault::point("mount.image.write");
    file_.write(buffer_);
    written_ += buffer_.size();
    buffer_.clear();
  }

 private:
  static constexpr size_t buffer_bytes = 1 << 20;

  TempFile& file_;
  std::string buffer_;
  uint64_t written_ = 0;
};

}  // namespace volary
