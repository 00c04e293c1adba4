// sync/listing.h: the two kinds of sides that a plan compares: a datastore's directory and a version's directory.
#pragma once

#include <string>
#include <vector>

#include "db/database.h"
#include "remote/remote.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

struct RemoteListing {
  std::vector<Listed> files;
  uint64_t markers = 0;  // Empty objects whose keys end in "/": directories of other tools, not files.
};

// All objects below `directory` ("" is everything), with the digest of those whose bytes we have hashed before (table
// seen_object: same key, etag and size). Throws `invalid` for a key that is no tree path, naming it.
RemoteListing list_remote(Remote& remote, const TreePath& directory, Database& database,
                          const std::string& datastore_id);

struct TreeListing {
  std::vector<Listed> files;
  uint64_t symlinks = 0;  // Left out: object stores have no symbolic links.
};

// All regular files below `directory` of `tree`. A directory that is not there is an empty listing.
TreeListing list_tree(const Store& store, const Digest& tree, const TreePath& directory);

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
