// core/stream.h: bytes that come (Source) and bytes that go (Sink).
//
// Blocking, one thread at a time. Memory is bounded by the caller's buffer, never by the content.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/digest.h"

namespace volary {

constexpr size_t block_bytes = 256 * 1024;  // Large enough for BLAKE3's full speed, small enough for the cache.

class Source {
 public:
  virtual ~Source() = default;
  // Fills the front of `to` and says how much; 0 is the end. May give less than asked for.
  virtual size_t read(std::span<char> to) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Takes all of `bytes` or throws.
  virtual void write(std::string_view bytes) = 0;
};

class StringSource final : public Source {
 public:
  explicit StringSource(std::string_view bytes) : left_(bytes) {}  // Does not own the bytes.
  size_t read(std::span<char> to) override;

 private:
  std::string_view left_;
};

class StringSink final : public Sink {
 public:
  explicit StringSink(uint64_t bytes_max = UINT64_MAX) : bytes_max_(bytes_max) {}
  // Throws `exhausted` above bytes_max.
  void write(std::string_view bytes) override;
  std::string text;

 private:
  uint64_t bytes_max_;
};

// Hashes what passes through to `next`.
class HashingSink final : public Sink {
 public:
  explicit HashingSink(Sink& next) : next_(next) {}
  void write(std::string_view bytes) override;
  Digest digest() const { return hasher_.finish(); }
  uint64_t bytes() const { return bytes_; }

 private:
  Sink& next_;
  Hasher hasher_;
  uint64_t bytes_ = 0;
};

// Moves everything from `source` to `sink` in blocks; the number of bytes moved.
uint64_t pump(Source& source, Sink& sink);

}  // namespace volary
