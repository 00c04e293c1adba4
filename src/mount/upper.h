// mount/upper.h: reading the upper directory of an overlay as what it is: files of somebody hostile, and overlayfs's
// marks.
//
// Source of the marks: Linux, Documentation/filesystems/overlayfs.rst. A mark is an extended attribute whose name
// begins with "trusted.overlay." or, in a user namespace, "user.overlay."; only the names of the way the mount was
// made count.
#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

#include "core/tree_path.h"
#include "mount/kernel_mount.h"

namespace volary {

// What overlayfs says of one upper directory or file.
struct Marks {
  bool whiteout = false;                // Stands for "the name below is gone".
  bool opaque = false;                  // Directory: nothing of the lower directory shows through.
  bool metacopy = false;                // File: only attributes were copied; the bytes are those of the lower file.
  std::optional<std::string> redirect;  // The lower name: absolute from the root of the tree, or beside.
};

// Any thread may call. Names are resolved below the directory only, and never through a symbolic link or another mount.
class Upper {
 public:
  Upper(const Path& directory, OverlayXattrs xattrs);

  Fd open_directory(const TreePath& path) const;
  Fd open_file(const TreePath& path) const;  // To read; throws `invalid` unless it is a regular file.
  Path name_of(const TreePath& path) const { return directory_ / path.text(); }  // For messages.

  // `status` is of `name` in `directory`. What its owner closed to us is opened first, if it is ours.
  Marks marks_of(int directory, const std::string& name, const struct stat& status) const;

 private:
  Fd open(const TreePath& path, int flags) const;
  std::optional<std::string> attribute(int directory, const std::string& name, std::string_view mark) const;

  Path directory_;
  std::string prefix_;
  OverlayXattrs xattrs_;
  Fd fd_;
};

}  // namespace volary
