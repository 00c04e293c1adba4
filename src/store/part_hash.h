// store/part_hash.h: the BLAKE3 of one large file, its parts read by several threads. For store/ alone.
//
// The bytes are read, not mapped. A mapped file that becomes shorter, or whose disk fails, ends the whole process
// with SIGBUS: not for a server that scrubs its disks, nor for a user whose files change meanwhile. Reading block by
// block into a buffer that stays in the cache costs a copy, but the cores hash as fast as that copy lets them, and so
// at least as fast as b3sum does by mapping.
#pragma once

#include <atomic>
#include <memory>
#include <span>

#include "core/digest.h"
#include "core/file.h"
#include "core/segmented_hash.h"

namespace volary {

constexpr uint64_t large_file_bytes = 32 << 20;  // From here on, a file is worth several threads.

class PartHash {
 public:
  // `fd` stays open and is used by several threads at once.
  PartHash(int fd, uint64_t size);

  uint64_t parts() const { return parts_; }
  // Reads and hashes one part. The number of bytes, or 0 after a failure, which is remembered.
  uint64_t hash(uint64_t part);
  // What went wrong first: an errno, or -1 if the file ended early. 0 if nothing.
  int failure() const { return failure_; }
  // After all parts, without failure.
  Digest digest() const { return hash_.finish(); }

 private:
  bool read(std::span<char> to, uint64_t offset);

  int fd_;
  SegmentedHash hash_;
  uint64_t parts_;
  std::atomic<int> failure_{0};
};

// "Input/output error", or that the file became shorter: for messages about a PartHash or a short read.
std::string reason_of(int failure);
constexpr int failure_shorter = -1;
// Throws what `failure` says of the file `name`.
[[noreturn]] void throw_failure(int failure, const Path& name);

// A buffer of block_bytes that belongs to the calling thread, until its next call of this.
std::span<char> thread_block();

}  // namespace volary
