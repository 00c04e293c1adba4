// sync/listing.h: the two kinds of sides that a plan compares: a datastore's directory and a version's directory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/database.h"
#include "remote/remote.h"
#include "store/store.h"
#include "store/tree_cursor.h"
#include "sync/plan.h"

namespace volary {

// An object whose key cannot name a file in a tree.
struct OddObject {
  std::string key;  // Below the directory.
  uint64_t size = 0;
  std::string reason;
};

struct RemoteListing {
  TreePath directory;  // What the paths of the files are below.
  uint64_t markers = 0;  // Empty objects whose keys end in "/": directories of other tools, not files.
  std::vector<OddObject> odd;
  bool is_file = false;  // What was named is the one file, and `directory` where it is.
};

// Visits each file, in the order of paths; it may be moved away.
using VisitListed = std::function<void(Listed& file)>;

// Visits all objects below `directory` ("" is everything), with the digest of those whose bytes we have hashed before
// (table seen_object: same key, etag and size).
RemoteListing list_remote(Remote& remote, const TreePath& directory, Database& database,
                          const std::string& datastore_id, const VisitListed& visit);

// The same of what an import reads, where `path` may also be one file instead of a directory.
RemoteListing list_source(Remote& remote, const TreePath& path, Database& database, const std::string& datastore_id,
                          const VisitListed& visit);

// What becomes of symbolic links: what is copied cannot be one, what is replaced can.
enum class Links { count, list };

// All regular files below a directory of a tree, one by one; symbolic links without size or digest, if they are to be
// listed. A directory that is not there has none; throws `invalid` if it is a file. `store` outlives it.
class TreeFiles {
 public:
  TreeFiles(const Store& store, const Digest& tree, const TreePath& directory, Links links);
  // The next file, or null behind the last one; the same until pop().
  const Listed* front() const { return is_over_ ? nullptr : &file_; }
  void pop();
  uint64_t symlinks() const { return symlinks_; }  // Left out and counted: object stores have no symbolic links.

 private:
  const Links links_;
  std::optional<TreeCursor> cursor_;
  Listed file_;
  bool is_over_ = false;
  uint64_t symlinks_ = 0;
};

// Remembers that the object `key` with this etag has these bytes.
struct SeenObject {
  std::string key;
  std::string etag;
  uint64_t size = 0;
  Digest digest;
};
void remember_objects(Transaction& transaction, const std::string& datastore_id,
                      const std::vector<SeenObject>& objects);
void forget_object(Transaction& transaction, const std::string& datastore_id, const std::string& key);

// The key of `path` below `directory`.
std::string key_of(const TreePath& directory, const TreePath& path);

}  // namespace volary
