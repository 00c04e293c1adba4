// store/store.h: the content of all volumes, each file and each directory once, under its digest.
//
//   format              names this layout (docs/format.md)
//   objects/ab/cdef…    a file's bytes; mode 0444; never changed
//   trees/ab/cdef…      an encoded directory (store/tree.h)
//   images/             mount/'s derived images; may be thrown away at any time
//   tmp/                nothing here is ever read back after a restart; emptied by open_store
//
// Reading functions may be called from any thread. Nothing here knows of volumes, versions or users.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/stream.h"
#include "core/tree_path.h"
#include "store/tree.h"

namespace volary {

struct Blob {
  Digest digest;
  uint64_t size = 0;
};

// Writes one new blob whose bytes come in order. Made by Commit::new_blob; dropped unless finished.
class BlobWriter : public Sink {
 public:
  // Names the blob by what was written. The writer is spent.
  virtual Blob finish() = 0;
};

// Writes one new blob of known size whose parts come in any order, from several threads.
class PartWriter {
 public:
  virtual ~PartWriter() = default;
  virtual uint64_t parts() const = 0;
  virtual uint64_t offset_of(uint64_t part) const = 0;
  virtual uint64_t size_of(uint64_t part) const = 0;
  // Takes part `part` whole. Different parts may come from different threads at once.
  virtual void write(uint64_t part, std::string_view bytes) = 0;
  virtual Blob finish() = 0;
};

// The new objects of one commit. Invisible and not durable until publish(); dropped by the destructor unless
// published. Adding is thread-safe. What is present already is not written again.
//
// Order of truth in publish(): new blobs and trees lie complete in tmp/ → one sync of the file system → renames into
// objects/ and trees/ → one more sync → return. A crash leaves garbage in tmp/ or unreferenced objects, never a wrong
// one.
class Commit {
 public:
  virtual ~Commit() = default;
  virtual std::unique_ptr<BlobWriter> new_blob() = 0;
  virtual std::unique_ptr<PartWriter> new_blob_in_parts(uint64_t size) = 0;
  virtual TreeSummary add_tree(const Tree& tree) = 0;
  // As Store::read_tree, and knows the trees of this commit too.
  virtual Tree read_tree(const Digest& tree) const = 0;
  // Makes all that was added so far durable and visible; the commit may go on adding. One thread, nobody else adding.
  // After a failed sync this and begin_commit throw `unavailable` until the store is opened again.
  virtual void publish() = 0;
};

// One change of a tree: what shall stand at `path`. Nothing: `path` and all below it go.
struct TreeChange {
  TreePath path;
  std::optional<TreeEntry> entry;  // Its name is ignored: the path has it. A directory must be in the store or commit.
};

// What a walk or a difference tells of one path. `entry` points into a tree that lives until the visitor returns.
using VisitEntry = std::function<void(const TreePath& path, const TreeEntry& entry)>;

struct Damage {
  TreePath path;
  std::string what;  // "its bytes hash to …", "object … is missing"
};

class Store {
 public:
  virtual ~Store() = default;
  virtual const Path& root() const = 0;

  virtual Path blob_path(const Digest& blob) const = 0;
  // The size in bytes, or nothing: to be absent is an answer here.
  virtual std::optional<uint64_t> blob_size(const Digest& blob) const = 0;
  // Streams the blob, hashing it on the way. Throws `not_found`, or `corrupt` after the last byte if it is damaged.
  virtual void read_blob(const Digest& blob, Sink& sink) const = 0;

  virtual bool has_tree(const Digest& tree) const = 0;
  // Throws `not_found`, or `corrupt` if its bytes do not hash to `tree` or are not canonical.
  virtual Tree read_tree(const Digest& tree) const = 0;

  virtual std::unique_ptr<Commit> begin_commit() = 0;
};

// Opens the store at `root`, made if absent, and empties its tmp/. One process at a time (the server holds a lock).
std::unique_ptr<Store> open_store(const Path& root);

// The tree without entries: what an empty volume holds. It need not be in the store; read_tree knows it.
const TreeSummary& empty_tree();

// Everything below `tree`, sorted by path as TreePath compares (so "a-b" comes before "a/c"), directories before what
// they hold, without holding more than one tree per level.
void walk(const Store& store, const Digest& tree, const VisitEntry& visit);
// The entry at `path`, or nothing. The root has none.
std::optional<TreeEntry> find_entry(const Store& store, const Digest& tree, const TreePath& path);

// `base` with `changes` made, later ones winning. Reads and writes only the trees on the way to a change, so the cost
// follows the change. Directories that lose their last entry stay; missing parents are made. Throws `invalid` if a
// path would need to be both a file and a directory ("'a' is a file and cannot hold 'a/b'").
TreeSummary apply_changes(const Store& store, Commit& commit, const Digest& base, std::vector<TreeChange> changes);

// Reads every byte below `tree` from the disk and compares; `threads` of them. Damage is sorted by path.
std::vector<Damage> verify(const Store& store, const Digest& tree, Progress& progress, size_t threads);

// Adds a directory of the host, all of it, as `volume create --from-dir` and tests need it. Symlinks are kept as they
// are, never followed; special files are left out and named in `left_out`.
struct AddedDirectory {
  TreeSummary summary;
  std::vector<std::string> left_out;
};
AddedDirectory add_directory(Commit& commit, const Path& directory, Progress& progress, size_t threads);

}  // namespace volary
