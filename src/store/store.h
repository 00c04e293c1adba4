// store/store.h: the content of all volumes, each file and each directory once, under its digest.
//
//   format              names this layout (docs/format.md)
//   objects/ab/cdef…    a file's bytes; mode 0444; never changed
//   trees/ab/cdef…      an encoded directory (store/tree.h)
//   images/             mount/'s derived images; may be thrown away at any time
//   tmp/                nothing here is ever read back after a restart; emptied by open_store
//   quarantine/         what a sweep has taken out of use, and in damaged/ what a crash has torn
//   unsettled           there while the store is open: what a crash may have torn (docs/format.md)
//
// Reading functions may be called from any thread. Nothing here knows of volumes, versions or users.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/stream.h"
#include "core/tree_path.h"
#include "store/encoded_tree.h"
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

// A new blob that shares the blocks of a file. Made by Commit::clone_blob; dropped unless finished. Its parts are read
// to name it, in any order, from several threads.
class BlobClone {
 public:
  virtual ~BlobClone() = default;
  virtual uint64_t parts() const = 0;
  virtual uint64_t read(uint64_t part) = 0;  // The number of bytes.
  virtual Blob finish() = 0;
};

// The new objects of one commit. Adding is thread-safe. What is present already is not written again, and is kept from
// the sweep as if it had been. An object may be seen in the store as soon as it is added, but its name proves nothing
// before publish() has returned, so nothing may refer to it before. What a commit that is dropped before publish() has
// added stays as garbage for the sweep.
class Store;

class Commit {
 public:
  virtual ~Commit() = default;
  virtual const Store& store() const = 0;  // The one it adds to.
  virtual Blob add_blob(std::string_view bytes) = 0;
  virtual std::unique_ptr<BlobWriter> new_blob() = 0;
  virtual std::unique_ptr<PartWriter> new_blob_in_parts(uint64_t size) = 0;
  // A blob with the bytes that the open file `fd` has at this moment, however it changes later. Nothing if the file
  // system cannot share them.
  virtual std::unique_ptr<BlobClone> clone_blob(int fd, const Path& name) = 0;
  // A blob that is the file `file`, on the store's file system: its bytes are not copied. The caller knows that they
  // are `blob`, removes `file` when it needs it no more, and never writes to it again. What fails leaves it as it is.
  virtual void take_file(const Path& file, const Blob& blob) = 0;
  // Whether the blob is in the store, as if it had been added now: instead of asking the Store, which promises nothing
  // about what a sweep may do next.
  virtual bool reuse_blob(const Blob& blob) = 0;
  virtual TreeSummary add_tree(const EncodedTree& tree) = 0;
  TreeSummary add_tree(const Tree& tree) { return add_tree(encoded(tree)); }
  // As Store::read_encoded_tree, and knows the trees of this commit too. What was read lately is not read again: who
  // looks at a tree and then changes it reads it once.
  virtual std::shared_ptr<const EncodedTree> read_tree(const Digest& tree) = 0;
  // Makes all that was added so far durable, by one sync; the commit may go on adding. One thread, nobody else adding.
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

enum class ObjectKind { blob, tree };

struct StoredObject {
  Digest digest;
  uint64_t bytes = 0;
  Time used_at;  // Written, or last reused by a commit (up to an hour later than this says): the file's mtime.
};

// What open_store found to do.
struct Recovery {
  bool after_crash = false;  // The last process did not close the store.
  uint64_t checked = 0;      // Objects and trees that were read, because they may have been torn.
  uint64_t moved = 0;        // Of these, to quarantine/damaged/, because they were.
};

class Store {
 public:
  // No commit may be open. Closes the store well, so that nothing needs to be checked when it is opened again.
  virtual ~Store() = default;
  virtual const Path& root() const = 0;

  virtual Path blob_path(const Digest& blob) const = 0;
  virtual Path tree_path(const Digest& tree) const = 0;
  // The size in bytes, or nothing: to be absent is an answer here.
  virtual std::optional<uint64_t> blob_size(const Digest& blob) const = 0;
  // Streams the blob, hashing it on the way. Throws `not_found`, or `corrupt` after the last byte if it is damaged.
  virtual void read_blob(const Digest& blob, Sink& sink) const = 0;

  virtual bool has_tree(const Digest& tree) const = 0;
  // Throws `not_found`, or `corrupt` if its bytes do not hash to `tree` or are not canonical.
  virtual EncodedTree read_encoded_tree(const Digest& tree) const = 0;
  Tree read_tree(const Digest& tree) const { return read_encoded_tree(tree).tree(); }

  virtual std::unique_ptr<Commit> begin_commit() = 0;
  // Why begin_commit and publish refuse: a sync failed since the store was opened. Nothing if they do not.
  virtual std::optional<std::string> read_only_reason() const = 0;
  virtual Recovery recovery() const = 0;

  // For a sweep. In the order of digests; names that are none are passed over. What comes and goes meanwhile may be
  // visited or not.
  virtual void each_object(ObjectKind kind, const std::function<void(const StoredObject&)>& visit) const = 0;
  // When the oldest commit that has not ended began; now if there is none.
  virtual Time oldest_commit() const = 0;
  // Moves it to quarantine/objects/ab/cdef… or quarantine/trees/ab/cdef…, unless a commit wrote or reused it at or
  // after `unused_since` (or may have: by its time it must be unused for an hour more). False if it was spared or is
  // absent. A commit finds it either present, and then it stays, or absent, and writes it anew.
  virtual bool quarantine(ObjectKind kind, const Digest& digest, Time unused_since) = 0;
  // The reverse, durably, as if used now. False if it is not in quarantine.
  virtual bool bring_back(ObjectKind kind, const Digest& digest) = 0;
};

// Opens the store at `root`, made if absent, and empties its tmp/. After a crash, looks for what was torn and moves it
// to quarantine/damaged/ first: recovery() tells. One process at a time (the server holds a lock). `clock` must be that
// of the file system, except in tests.
std::unique_ptr<Store> open_store(const Path& root, const Clock& clock = system_clock());

// The tree without entries: what an empty volume holds. It need not be in the store; read_tree knows it.
const TreeSummary& empty_tree();

// Everything below `tree`, sorted by path as TreePath compares (so "a-b" comes before "a/c"), directories before what
// they hold, without holding more than one tree per level.
void walk(const Store& store, const Digest& tree, const VisitEntry& visit);
// The entry at `path`, or nothing. The root has none.
std::optional<TreeEntry> find_entry(const Store& store, const Digest& tree, const TreePath& path);

// What becomes of directories that lose their last entry by a change below them.
enum class Emptied { stay, go };

// `base` with `changes` made, later ones winning. Reads and writes only the trees on the way to a change, so the cost
// follows the change. Missing parents are made. Throws `invalid` if a path would need to be both a file and a directory
// ("'a' is a file and cannot hold 'a/b'").
TreeSummary apply_changes(const Store& store, Commit& commit, const Digest& base, std::vector<TreeChange> changes,
                          Emptied emptied = Emptied::stay);

// Reads every byte below `tree` from the disk and compares, on `threads` threads, and more while these wait for the
// disk. Damage is sorted by path.
std::vector<Damage> verify(const Store& store, const Digest& tree, Progress& progress, size_t threads);

// Adds a directory of the host, all of it, which others may be changing. Each file is as it was at one moment; one that
// changes whenever it is read, three times, throws `conflict`, and so does a directory that does. Symlinks are kept as
// they are, never followed; special files are left out and named in `left_out`. Nothing is written there. Throws
// `invalid` for a directory that is or holds the store or lies in it, and `unavailable` soon after `stop` is requested.
struct AddedDirectory {
  TreeSummary summary;
  std::vector<std::string> left_out;
};
AddedDirectory add_directory(Commit& commit, const Path& directory, Progress& progress, size_t threads,
                             const std::stop_token& stop = {});

}  // namespace volary
