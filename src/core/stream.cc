// core/stream.cc: the small Sources and Sinks of core/stream.h.
#include "core/stream.h"

#include <algorithm>
#include <memory>

#include "core/error.h"

namespace volary {

size_t StringSource::read(std::span<char> to) {
  const size_t size = std::min(to.size(), left_.size());
  left_.copy(to.data(), size);
  left_.remove_prefix(size);
  return size;
}

void StringSink::write(std::string_view bytes) {
  if (text.size() + bytes.size() > bytes_max_)
    throw Error(Errc::exhausted, "more than {} bytes arrived where at most that many are taken", bytes_max_);
  text.append(bytes);
}

void HashingSink::write(std::string_view bytes) {
  hasher_.update(bytes);
  bytes_ += bytes.size();
  next_.write(bytes);
}

uint64_t pump(Source& source, Sink& sink) {
  const auto block = std::make_unique<char[]>(block_bytes);
  uint64_t total = 0;
  while (const size_t size = source.read({block.get(), block_bytes})) {
    sink.write({block.get(), size});
    total += size;
  }
  return total;
}

}  // namespace volary
