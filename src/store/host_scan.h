// store/host_scan.h: all of a directory of the host, from the leaves up, on several threads. For store/ alone.
//
// The scan knows how to go through a directory quickly; what becomes of a file and of a finished directory is its
// reader's business: checksum.cc hashes, add_directory.cc adds to a commit. Symbolic links are never followed, except
// `directory` itself. Memory: depth first, so about one directory per level and thread, whatever the size of the
// whole.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "core/file.h"
#include "core/progress.h"
#include "store/task_stack.h"
#include "store/tree.h"

namespace volary {

// A file that is being read by several threads.
class LargeFile {
 public:
  virtual ~LargeFile() = default;
  virtual uint64_t parts() const = 0;
  virtual void read(uint64_t part) = 0;  // Each part once, by any thread.
  // After all parts: fills in the entry; or, if the file changed meanwhile, says how to read it once more.
  virtual std::unique_ptr<LargeFile> finish(TreeEntry& entry) = 0;
};

// What came of opening a file that was listed.
struct Reading {
  bool is_there = true;                    // False: something else has taken its place.
  std::unique_ptr<LargeFile> large = {};  // How to read it by parts. Nothing: its entry is complete.
};

// Called by any thread of the scan. Paths are those of the directory, for messages.
class HostReader {
 public:
  virtual ~HostReader() = default;
  // A directory was opened. Throws `invalid` if it cannot be kept.
  virtual void enter(int fd, const Path& path) = 0;
  // Throws `invalid` if this entry cannot be kept.
  virtual void check(const TreeEntry& entry, const Path& path) = 0;
  // Fills in what there is to know of the file that `fd` reads.
  virtual Reading read_file(Fd fd, const Path& path, TreeEntry& entry) = 0;
  // All entries are complete and sorted by name.
  virtual TreeSummary finish(const Tree& tree) = 0;
  // Neither file nor directory nor symbolic link.
  virtual void leave_out(const Path& path) = 0;
};

// Whether others may be changing the directory. In a still one, a name that was listed and is gone throws `not_found`.
// A live one is listed again until a listing is whole and all in it could be read, and after three times throws
// `conflict`; what was read is not read again. (That a file did not change while it was read is its reader's business.)
enum class Liveness { still, live };
constexpr int attempts_max = 3;

// Throws `unavailable` soon after `stop` is requested.
TreeSummary scan_directory(const Path& directory, Liveness liveness, HostReader& reader, Progress& progress,
                           Threads threads, const std::stop_token& stop = {});

}  // namespace volary
