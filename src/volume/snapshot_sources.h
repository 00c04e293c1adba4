// volume/snapshot_sources.h: which directories of this machine may become versions of volumes.
//
// Who names a path makes the server read it with the server's rights. So it takes one of two: the administrator named
// the directory, or one above it, when the server was started (`--snapshot-from`); or the caller is the very user that
// the server runs as, over the server's own Unix socket, and could read it all the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/file.h"

namespace volary {

class SnapshotSources {
 public:
  // `own` is where the server keeps everything: it never becomes part of a version. Throws `invalid`, `not_found` for
  // an allowed directory that is none.
  SnapshotSources(const std::vector<std::string>& allowed, const Path& own);

  // The path without symbolic links. Throws `invalid` for one that is not absolute, is no directory, or holds or lies
  // in the server's own; `denied` for one that the caller may not name, `not_found`.
  Path resolve(const std::string& path, std::optional<uint32_t> peer_uid) const;

 private:
  std::vector<Path> allowed_;
  Path own_;
};

// Opens what resolve() gave, later. Throws `conflict` if a symbolic link has come to stand in the path since.
Fd open_resolved(const Path& path);

}  // namespace volary
