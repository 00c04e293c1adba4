// sync/listing.h: the two kinds of sides that a plan compares: a datastore's directory and a version's directory.
#pragma once

#include <string>
#include <vector>

#include "db/database.h"
#include "remote/remote.h"
#include "store/store.h"
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
  std::vector<Listed> files;
  uint64_t markers = 0;  // Empty objects whose keys end in "/": directories of other tools, not files.
  std::vector<OddObject> odd;
  bool is_file = false;  // What was named is the one in `files`, and `directory` where it is.
};

// All objects below `directory` ("" is everything), with the digest of those whose bytes we have hashed before (table
// seen_object: same key, etag and size).
RemoteListing list_remote(Remote& remote, const TreePath& directory, Database& database,
                          const std::string& datastore_id);

// The same of what an import reads, where `path` may also be one file instead of a directory.
RemoteListing list_source(Remote& remote, const TreePath& path, Database& database, const std::string& datastore_id);

struct TreeListing {
  std::vector<Listed> files;
  uint64_t symlinks = 0;  // Left out and counted: object stores have no symbolic links.
};

// What becomes of symbolic links: what is copied cannot be one, what is replaced can.
enum class Links { count, list };

// All regular files below `directory` of `tree`; symbolic links without size or digest, if they are to be listed. A
// directory that is not there is an empty listing.
TreeListing list_tree(const Store& store, const Digest& tree, const TreePath& directory, Links links);

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
