// store/host_scan.h: all of a directory of the host, from the leaves up, on several threads. For store/ alone.
//
// The scan knows how to go through a directory quickly; what becomes of a file and of a finished directory is its
// reader's business: checksum.cc hashes, add_directory.cc adds to a commit. Symbolic links are never followed, except
// `directory` itself. Memory: depth first, so about one directory per level and thread, whatever the size of the
// whole.
#pragma once

#include <memory>
#include <string>

#include "core/file.h"
#include "core/progress.h"
#include "store/tree.h"

namespace volary {

// A file that is being read by several threads.
class LargeFile {
 public:
  virtual ~LargeFile() = default;
  virtual uint64_t parts() const = 0;
  virtual void read(uint64_t part) = 0;  // Each part once, by any thread.
  virtual void finish(TreeEntry& entry) = 0;  // After all parts.
};

// Called by any thread of the scan. Paths are for messages.
class HostReader {
 public:
  virtual ~HostReader() = default;
  // Throws `invalid` if this entry cannot be kept.
  virtual void check(const TreeEntry& entry, const Path& path) = 0;
  // Fills in what there is to know of the regular file that `fd` reads, or says how to read it by parts.
  virtual std::unique_ptr<LargeFile> read_file(Fd fd, const Path& path, TreeEntry& entry) = 0;
  // All entries are complete and sorted by name.
  virtual TreeSummary finish(const Tree& tree) = 0;
  // Neither file nor directory nor symbolic link.
  virtual void leave_out(const Path& path) = 0;
};

TreeSummary scan_directory(const Path& directory, HostReader& reader, Progress& progress, size_t threads);

}  // namespace volary
