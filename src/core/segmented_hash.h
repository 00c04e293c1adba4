// core/segmented_hash.h: BLAKE3 of one large content by many threads, its parts in any order.
//
// BLAKE3 is a binary tree over 1 KiB chunks, so an aligned part of 2^k chunks can be hashed alone: it leaves the
// two chaining values below its own root, and these are joined in order at the end. The result is the ordinary
// BLAKE3 of the whole content; no byte is read twice. (BLAKE3 paper, section 2.1.)
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"

namespace volary {

// The parts are [i * segment_bytes, …), all full but the last.
class SegmentedHash {
 public:
  // `segment_bytes` is a power of two, at least 2 KiB.
  SegmentedHash(uint64_t total_bytes, uint64_t segment_bytes);

  uint64_t segments() const { return segments_; }
  uint64_t offset_of(uint64_t index) const { return index * segment_bytes_; }
  uint64_t size_of(uint64_t index) const;

  using Pair = std::array<uint8_t, 64>;  // The two chaining values below the root of a part.

  // Hashes part `index`, given whole. Different parts may be given by different threads at once.
  void add(uint64_t index, std::string_view bytes);
  // All that is needed of a part but the last, to be given to set() later, in another process even. `bytes`: a power of
  // two, at least 2 KiB; `offset`: a multiple of it.
  static Pair pair_of(uint64_t offset, std::string_view bytes);
  // The pair of a longer part, whose shorter ones, a power of two of them, have these.
  static Pair join(std::span<const Pair> shorter);
  void set(uint64_t index, const Pair& pair) { pairs_.at(index) = pair; }
  // The digest, after every part was given once. One thread.
  Digest finish() const;

 private:
  uint64_t total_bytes_;
  uint64_t segment_bytes_;
  uint64_t segments_;
  std::vector<Pair> pairs_;  // One for each part but the last.
  std::string tail_;         // The last part: it may hold the root, so it waits for the others.
};

}  // namespace volary
