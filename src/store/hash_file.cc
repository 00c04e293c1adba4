// store/hash_file.cc: reading and hashing the parts of one file (store/part_hash.h says why it reads).
//
// A part is what a thread takes at once, 8 MiB for the sake of the disk's read-ahead; it is hashed in segments of one
// block, while the block is in the core's own cache.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/fault.h"
#include "core/workers.h"
#include "store/checksum.h"
#include "store/part_hash.h"

namespace volary {
namespace {

constexpr uint64_t segments_per_part = 32;
// Each segment keeps 64 bytes until the end: 64 MiB for a file of 256 GiB. Beyond that, larger segments and the same
// memory.
constexpr uint64_t segments_max = 1 << 20;

uint64_t segment_bytes_for(uint64_t size) {
  uint64_t bytes = block_bytes;
  while (size / bytes > segments_max) bytes *= 2;
  return bytes;
}

}  // namespace

PartHash::PartHash(int fd, uint64_t size)
    : fd_(fd),
      hash_(size, segment_bytes_for(size)),
      parts_((hash_.segments() + segments_per_part - 1) / segments_per_part) {}

uint64_t PartHash::hash(uint64_t part) {
  const uint64_t end = std::min(hash_.segments(), (part + 1) * segments_per_part);
  const uint64_t largest = hash_.size_of(part * segments_per_part);
  std::unique_ptr<char[]> own;
  std::span<char> block = thread_block();
  if (largest > block.size()) {
    own = std::make_unique_for_overwrite<char[]>(largest);
    block = {own.get(), largest};
  }
  uint64_t bytes = 0;
  for (uint64_t segment = part * segments_per_part; segment < end && failure_ == 0; ++segment) {
    const std::span<char> to = block.first(hash_.size_of(segment));
    if (!read(to, hash_.offset_of(segment))) return 0;
    hash_.add(segment, {to.data(), to.size()});
    bytes += to.size();
  }
  return bytes;
}

bool PartHash::read(std::span<char> to, uint64_t offset) {
  int failure = fault::errno_at("file.read");
  while (failure == 0 && !to.empty()) {
    const ssize_t size = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) failure = errno;
    else if (size == 0) failure = failure_shorter;
    else {
      to = to.subspan(static_cast<size_t>(size));
      offset += static_cast<uint64_t>(size);
    }
  }
  int none = 0;
  if (failure != 0) failure_.compare_exchange_strong(none, failure);
  return failure == 0;
}

std::string reason_of(int failure) {
  if (failure == failure_shorter) return "it became shorter while it was read";
  std::array<char, 128> buffer{};
  return ::strerror_r(failure, buffer.data(), buffer.size());
}

void throw_failure(int failure, const Path& name) {
  if (failure == failure_shorter) throw Error(Errc::conflict, "'{}' became shorter while it was read", name.native());
  throw error_from_errno(failure, "read", name.native());
}

std::span<char> thread_block() {
  thread_local const auto block = std::make_unique_for_overwrite<char[]>(block_bytes);
  return {block.get(), block_bytes};
}

Digest hash_file(int fd, uint64_t size, const Path& name, size_t threads) {
  PartHash hash(fd, size);
  for_each_index(hash.parts(), threads, [&](size_t part) {
    hash.hash(part);
    if (hash.failure() != 0) throw_failure(hash.failure(), name);
  });
  return hash.digest();
}

}  // namespace volary
