// store/check.h: what versions refer to: all of it, whether it is there, and which paths lead to a damaged part of it.
//
// Nothing here reads the bytes of blobs: that is the scrub's work (store/scrub.h). Trees are read and hashed, each once
// however many versions share it.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.h"
#include "store/digest_set.h"
#include "store/store.h"

namespace volary {

// Something that is not as it must be.
struct Flaw {
  ObjectKind kind{};
  Digest digest;
  std::string what;  // "object 0123… is missing"
};

// What has been reached. Costs 43 to 86 bytes for each object and tree.
struct Marks {
  DigestSet trees;
  DigestSet blobs;
  uint64_t tree_bytes = 0;
  uint64_t blob_bytes = 0;  // As their entries say.

  bool contains(ObjectKind kind, const Digest& digest) const {
    return (kind == ObjectKind::tree ? trees : blobs).contains(digest);
  }
};

// Adds to `marks` all that can be reached from `roots`, reading every tree that is not in it yet, on `threads` threads.
// Answers what is missing, of a wrong size (blobs) or not readable, not whole or not canonical (trees); what lies below
// such a tree is not known. A requested stop throws `unavailable`. Progress counts files: trees and blobs.
std::vector<Flaw> mark(const Store& store, const std::vector<Digest>& roots, Marks& marks, Progress& progress,
                       size_t threads, const std::stop_token& stop);

// The tree, or what is wrong with it, past the page cache. Throws nothing.
std::variant<Tree, std::string> try_read_tree(const Store& store, const Digest& digest);

// Names below objects/ and trees/ that are no objects, at most `limit`.
std::vector<std::string> strays_of(const Store& store, size_t limit);

// Every file below `directory` (…/ab/cdef… as in objects/ and trees/) whose name is a digest, in order of digests,
// from the first after `after`. Anything else there is passed over.
using VisitObject = std::function<void(const Digest& digest, const struct stat& status)>;
void each_object_file(const Path& directory, const Digest& after, const VisitObject& visit);

// Finds the paths that lead to damaged objects. Remembers which trees lead to none, so many versions cost little more
// than one.
class Affected {
 public:
  Affected(const Store& store, const std::vector<Flaw>& flaws);
  // Calls found(path, digest) for each path below `root` that leads to a damaged object, until it has been called
  // `limit` times. The root's own path is the empty one.
  void below(const Digest& root, size_t limit, const std::function<void(const TreePath&, const Digest&)>& found);

 private:
  // Whether anything damaged is below.
  bool walk(const Digest& tree, const TreePath& path, size_t& left,
            const std::function<void(const TreePath&, const Digest&)>& found);

  const Store& store_;
  DigestSet trees_;
  DigestSet blobs_;
  DigestSet clean_;
};

}  // namespace volary
