// volume/file_page.cc: the walk of store/walk.cc, begun in the middle and ended when the page is full.
//
// All paths below "a/b" begin with "a/b/", so they lie between "a/b/" and "a/b0" ('0' follows '/'). A directory whose
// last possible path is not after the place where the page begins is passed over without being read.
#include "volume/file_page.h"

namespace volary {
namespace {

FileEntry view_of(const TreePath& path, const TreeEntry& entry) {
  FileEntry file;
  file.path = path.text();
  file.size = entry.size;
  file.files = entry.kind == EntryKind::directory ? entry.files : 1;
  file.executable = entry.executable;
  file.target = entry.target;
  switch (entry.kind) {
    case EntryKind::file: file.kind = "file", file.digest = entry.digest.hex(); break;
    case EntryKind::directory: file.kind = "directory"; break;
    case EntryKind::symlink: file.kind = "symlink"; break;
  }
  return file;
}

class PageWalk {
 public:
  PageWalk(const Store& store, const FileFilter& filter) : store_(store), filter_(filter) {}

  // `depth`: levels that may still be shown, from this directory's entries on.
  void walk(const Digest& digest, const TreePath& path, uint64_t depth) {
    const Tree tree = store_.read_tree(digest);
    std::vector<const TreeEntry*> waiting;  // Directories that were told of, to be entered in their turn: see walk.cc.
    const auto enter_last = [&] {
      const TreeEntry& entry = *waiting.back();
      waiting.pop_back();
      const TreePath below = path.child(entry.name);
      if (!is_full() && below.text() + '0' > filter_.after) walk(entry.digest, below, depth - 1);
    };
    for (const TreeEntry& entry : tree.entries) {
      while (!waiting.empty() && waiting.back()->name + '/' < entry.name) enter_last();
      if (is_full()) return;
      const bool is_directory = entry.kind == EntryKind::directory;
      const TreePath whole = path.child(entry.name);
      if (whole.text() > filter_.after && (is_directory || !filter_.directories_only))
        page_.push_back(view_of(whole, entry));
      if (is_directory && depth > 1) waiting.push_back(&entry);
    }
    while (!waiting.empty()) enter_last();
  }

  std::vector<FileEntry> take() { return std::move(page_); }

 private:
  bool is_full() const { return page_.size() >= filter_.limit; }

  const Store& store_;
  const FileFilter& filter_;
  std::vector<FileEntry> page_;
};

}  // namespace

std::vector<FileEntry> file_page(const Store& store, const Digest& top, const TreePath& directory,
                                 const FileFilter& filter) {
  PageWalk page(store, filter);
  if (filter.depth > 0) page.walk(top, directory, filter.depth);
  return page.take();
}

}  // namespace volary
