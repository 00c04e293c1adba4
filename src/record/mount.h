// record/mount.h: versions that stand at a path for people, and the cache of what mounts are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class MountAccess { ro, rw };
BOOST_DESCRIBE_ENUM(MountAccess, ro, rw)

// path: seen by the whole machine until it is unmounted. shell: seen by one command and what it starts.
enum class MountKind { path, shell };
BOOST_DESCRIBE_ENUM(MountKind, path, shell)

//   asked ─► mounted ─► unmounting ─► (gone)       left: not mounted any more, but what was written there is kept
//               └─► left ─┘                         until it is unmounted or discarded
enum class MountState { asked, mounted, unmounting, left };
BOOST_DESCRIBE_ENUM(MountState, asked, mounted, unmounting, left)

struct Mount {
  std::string id;
  std::string volume;
  uint64_t version = 0;  // 0: the volume was empty.
  std::string path;
  MountAccess access{};
  MountKind kind{};
  MountState state{};
  std::string note;       // Why it was left; "".
  std::string directory;  // Where the server keeps what belongs to it.
  Time created_at;
  std::string created_by;
};
BOOST_DESCRIBE_STRUCT(Mount, (), (id, volume, version, path, access, kind, state, note, directory, created_at,
                                  created_by))

// POST /mounts
struct NewMount {
  std::string volume;  // "name" or "name@version"
  std::string path;    // Absolute.
  std::optional<MountAccess> access;  // ro
  std::optional<MountKind> kind;      // path
};
BOOST_DESCRIBE_STRUCT(NewMount, (), (volume, path, access, kind))

// POST /mounts/{id}/unmount
struct Unmount {
  std::optional<std::string> message;  // Of the version that is made of what was written.
  std::optional<bool> discard;         // Make none: throw away what was written.
};
BOOST_DESCRIBE_STRUCT(Unmount, (), (message, discard))

struct Unmounted {
  std::string id;
  std::string volume;
  uint64_t result = 0;                // The version made; 0: none, nothing had changed.
  std::vector<std::string> left_out;  // "socket 'run/x.sock'": what no version can hold.
};
BOOST_DESCRIBE_STRUCT(Unmounted, (), (id, volume, result, left_out))

// One image or link farm that is kept so that the next mount is quick.
struct CachedImage {
  std::string name;
  // "image", "packed image", "link farm", "former" (of an older program or another owner), or "data": what jobs
  // attached with `cache`
  std::string kind;
  std::string tree;
  std::vector<std::string> versions;  // "wiki@3": those that have this tree.
  uint64_t bytes = 0;                 // Of the disk.
  Time last_used;
  std::vector<std::string> users;     // "job job-…"
};
BOOST_DESCRIBE_STRUCT(CachedImage, (), (name, kind, tree, versions, bytes, last_used, users))

// POST /cache/prune. What is in use stays.
struct PruneRequest {
  std::optional<int64_t> older_than_seconds;  // What was not used for so long goes; 3 days.
  std::optional<uint64_t> to_bytes;           // Then the least recently used, until so much is left.
  std::optional<bool> dry_run;                // Only say what would go.
};
BOOST_DESCRIBE_STRUCT(PruneRequest, (), (older_than_seconds, to_bytes, dry_run))

struct PrunedCache {
  std::vector<CachedImage> removed;
  uint64_t bytes = 0;       // Of them.
  uint64_t kept_bytes = 0;  // Of what stays.
};
BOOST_DESCRIBE_STRUCT(PrunedCache, (), (removed, bytes, kept_bytes))

}  // namespace volary
