// cli/local_files.h: files of this machine that a command sends, and what is read of them.
//
// A file may change while it is read: what is sent is then neither its old nor its new content, so that is an error, by
// its size or its time of change.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "core/digest.h"
#include "core/file.h"
#include "core/tree_path.h"
#include "record/upload.h"

namespace volary {

struct LocalFile {
  Path path;
  TreePath name;  // Where it goes, below the directory it is sent to.
  UploadKind kind{};
  uint64_t size = 0;
  bool executable = false;
  std::string target;  // Of a symlink.
  struct timespec changed {};
};

struct LocalFiles {
  std::vector<LocalFile> files;       // By path; directories only where they are empty.
  std::vector<std::string> left_out;  // A line each: what no volume can hold, and what an interrupted download left.
  uint64_t bytes = 0;
};

// All below `directory`; links are kept as they are, never followed. Throws `invalid` naming what no volume can hold:
// names that are not UTF-8, with control characters, too long.
LocalFiles list_local_files(const Path& directory);
// One regular file, or a link to one.
LocalFile local_file(const Path& path, const TreePath& name);

// An open file that is as it was when it was listed; throws `conflict` when it is found to be otherwise.
class LocalReader {
 public:
  explicit LocalReader(const LocalFile& file);
  // All of `to`, from there.
  void read(std::span<char> to, uint64_t offset);
  // That it has not changed since it was listed.
  void check() const;

 private:
  [[noreturn]] void refuse() const;

  const LocalFile& file_;
  Fd fd_;
};

// Of all its bytes.
Digest digest_of(const LocalFile& file);

}  // namespace volary
