// core/segmented_hash.cc: the join of subtrees for core/segmented_hash.h, on BLAKE3's own hasher state.
//
// blake3.c keeps a stack of chaining values and merges lazily: before a value is pushed, the stack is merged down
// to as many entries as the chunks so far have one-bits. push_value() below does the same from outside.
#include "core/segmented_hash.h"

#include <blake3.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"

extern "C" void blake3_compress_in_place(uint32_t cv[8], const uint8_t block[64], uint8_t block_bytes,
                                         uint64_t counter, uint8_t flags);

namespace volary {
namespace {

constexpr uint64_t chunk_bytes = 1024;
constexpr uint8_t parent_flag = 4;  // PARENT in blake3_impl.h.
static_assert(std::endian::native == std::endian::little, "chaining values are copied as they lie in memory");

void push_value(blake3_hasher& hasher, const uint8_t* value, uint64_t chunks_before) {
  while (hasher.cv_stack_len > std::popcount(chunks_before)) {
    uint8_t* node = hasher.cv_stack + (hasher.cv_stack_len - 2) * 32;
    uint32_t words[8];
    std::memcpy(words, hasher.key, sizeof words);
    blake3_compress_in_place(words, node, 64, 0, static_cast<uint8_t>(hasher.chunk.flags | parent_flag));
    std::memcpy(node, words, sizeof words);
    --hasher.cv_stack_len;
  }
  std::memcpy(hasher.cv_stack + hasher.cv_stack_len * 32, value, 32);
  ++hasher.cv_stack_len;
}

using Value = std::array<uint8_t, 32>;

Value parent_of(const SegmentedHash::Pair& pair) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  uint32_t words[8];
  std::memcpy(words, hasher.key, sizeof words);
  blake3_compress_in_place(words, pair.data(), 64, 0, static_cast<uint8_t>(hasher.chunk.flags | parent_flag));
  Value value;
  std::memcpy(value.data(), words, value.size());
  return value;
}

}  // namespace

SegmentedHash::SegmentedHash(uint64_t total_bytes, uint64_t segment_bytes)
    : total_bytes_(total_bytes),
      segment_bytes_(segment_bytes),
      segments_(total_bytes == 0 ? 1 : (total_bytes + segment_bytes - 1) / segment_bytes) {
  if (!std::has_single_bit(segment_bytes) || segment_bytes < 2 * chunk_bytes)
    throw Error(Errc::internal, "{} bytes are no segment: expected a power of two from 2048", segment_bytes);
  pairs_.resize(segments_ - 1);
}

uint64_t SegmentedHash::size_of(uint64_t index) const {
  return index + 1 < segments_ ? segment_bytes_ : total_bytes_ - offset_of(index);
}

void SegmentedHash::add(uint64_t index, std::string_view bytes) {
  if (index >= segments_ || bytes.size() != size_of(index))
    throw Error(Errc::internal, "part {} of {} has {} bytes", index, segments_, bytes.size());
  if (index + 1 == segments_) {
    tail_ = bytes;
    return;
  }
  pairs_[index] = pair_of(offset_of(index), bytes);
}

SegmentedHash::Pair SegmentedHash::pair_of(uint64_t offset, std::string_view bytes) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  hasher.chunk.chunk_counter = offset / chunk_bytes;
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  if (hasher.cv_stack_len != 2) throw Error(Errc::internal, "BLAKE3 left {} values for a part", hasher.cv_stack_len);
  Pair pair;
  std::memcpy(pair.data(), hasher.cv_stack, pair.size());
  return pair;
}

SegmentedHash::Pair SegmentedHash::join(std::span<const Pair> shorter) {
  if (!std::has_single_bit(shorter.size()))
    throw Error(Errc::internal, "{} parts cannot be joined: expected a power of two", shorter.size());
  std::vector<Pair> level(shorter.begin(), shorter.end());
  for (; level.size() > 1; level.resize(level.size() / 2))
    for (size_t i = 0; i < level.size(); ++i) {
      const Value value = parent_of(level[i]);
      std::copy(value.begin(), value.end(), level[i / 2].begin() + (i % 2 == 0 ? 0 : value.size()));
    }
  return level.front();
}

Digest SegmentedHash::finish() const {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  const uint64_t chunks = segment_bytes_ / chunk_bytes;
  for (const Pair& pair : pairs_) {
    push_value(hasher, pair.data(), hasher.chunk.chunk_counter);
    push_value(hasher, pair.data() + 32, hasher.chunk.chunk_counter + chunks / 2);
    hasher.chunk.chunk_counter += chunks;
  }
  blake3_hasher_update(&hasher, tail_.data(), tail_.size());
  std::array<uint8_t, Digest::size> out;
  blake3_hasher_finalize(&hasher, out.data(), out.size());
  return Digest(out);
}

}  // namespace volary
