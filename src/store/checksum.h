// store/checksum.h: the OICM checksum of a directory on disk, as the published tool `oic` computes it.
//
// Source of the algorithm: docs/checksum.md, with test vectors in test/data/checksum.
#pragma once

#include "core/digest.h"
#include "core/file.h"
#include "core/progress.h"

namespace volary {

struct DirectoryChecksum {
  Digest checksum;
  uint64_t files = 0;  // Regular files and symbolic links.
  uint64_t bytes = 0;  // Of the regular files.
};

// Hashes everything below `directory` on `threads` threads, and more while these wait for the disk, large files by
// parts on all of them; memory is bounded by the largest directory. Symbolic links are not followed (but `directory`
// itself is); special files leave no trace. Throws `invalid` for a name or a link target that is not UTF-8, `not_found`
// and `denied` naming the path, and `conflict` if a file becomes shorter meanwhile.
DirectoryChecksum checksum_of_directory(const Path& directory, Progress& progress, size_t threads);

// BLAKE3 of one open file of `size` bytes, by parts on `threads` threads.
Digest hash_file(int fd, uint64_t size, const Path& name, size_t threads);

}  // namespace volary
