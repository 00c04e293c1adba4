// store/disk_commit.cc: new objects on their way into the store.
//
// Each new blob and tree is one file in tmp/<commit>/, complete and hashed before the commit knows of it. publish()
// then
//
//   1. syncs the file system once: all drafts are durable;
//   2. renames them to their digests, blobs before trees, trees in the order of their adding: leaves before parents;
//   3. syncs once more: all names are durable.
//
// Whatever the moment of a crash, a name in objects/ or trees/ appears only after its bytes were durable: there may
// be names that nothing refers to, never a wrong object. (A tree that is present is whole itself; that all below it
// is there too is promised only to those who published it.)
//
// What is found present may have been renamed by another commit whose second sync has not happened or has failed. So
// a commit that adds nothing new still waits for renames in progress, and syncs if a name may be without one.
#include "store/disk_commit.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"

namespace volary {
namespace {

void refuse_after_failed_sync(const Layout& layout) {
  if (layout.sync_failed)
    throw Error(Errc::unavailable,
                "the store '{}' takes no commits: a sync of its file system failed; check the disk, then restart",
                layout.root.native());
}

}  // namespace

bool is_stored(const Path& path, uint64_t size) {
  const auto status = stat_of(path);
  return status && S_ISREG(status->st_mode) && static_cast<uint64_t>(status->st_size) == size;
}

Draft::Draft(DiskCommit& commit)
    : number_(commit.next_number_.fetch_add(1)), path_(commit.path_of(number_)), fd_(create_file(path_, object_mode)) {
  if (commit.layout_.modes_are_masked) change_mode(path_, object_mode);
}

Draft::~Draft() {
  std::error_code ignored;  // The directory goes with the commit, at the latest with the next start.
  if (!kept_) std::filesystem::remove(path_, ignored);
}

DiskCommit::DiskCommit(const Store& store, Layout& layout)
    : store_(store), layout_(layout), directory_(layout.tmp / random_hex(8)) {
  refuse_after_failed_sync(layout);
  make_directory(directory_, 0700);
  fd_ = open_directory(directory_);
}

DiskCommit::~DiskCommit() {
  std::error_code ignored;  // As above.
  std::filesystem::remove_all(directory_, ignored);
}

TreeSummary DiskCommit::add_tree(const Tree& tree) {
  if (tree.entries.empty()) return empty_tree();
  const std::string encoded = encode(tree);
  const TreeSummary summary = summary_of(tree, encoded);
  if (pending_.lock()->trees.contains(summary.tree)) return summary;
  if (is_stored(layout_.tree_path(summary.tree), encoded.size())) return summary;
  Draft draft(*this);
  write_all(draft.fd(), encoded, draft.path());
  keep(pending_.lock()->trees, summary.tree, draft);
  fault::point("store.tree_added");
  return summary;
}

Tree DiskCommit::read_tree(const Digest& tree) const {
  std::optional<Path> draft;
  {
    auto pending = pending_.lock();
    if (const auto found = pending->trees.find(tree); found != pending->trees.end()) draft = path_of(found->second);
  }
  return draft ? decode(read_file(*draft, tree_bytes_max)) : store_.read_tree(tree);
}

bool DiskCommit::has_blob(const Blob& blob) {
  return pending_.lock()->blobs.contains(blob.digest) || is_stored(layout_.blob_path(blob.digest), blob.size);
}

void DiskCommit::keep_blob(const Blob& blob, Draft& draft) {
  keep(pending_.lock()->blobs, blob.digest, draft);
  fault::point("store.blob_added");
}

void DiskCommit::keep(Drafts& drafts, const Digest& digest, Draft& draft) {
  draft.kept_ = drafts.emplace(digest, draft.number_).second;
}

void DiskCommit::publish() {
  auto pending = pending_.lock();
  const bool adds = !pending->blobs.empty() || !pending->trees.empty();
  refuse_after_failed_sync(layout_);
  if (adds) {
    sync();
    fault::point("store.synced");
  }
  const std::lock_guard alone(layout_.renaming);
  refuse_after_failed_sync(layout_);
  if (adds) {
    layout_.unsynced_names = true;
    rename_all(pending->blobs, layout_.objects);
    rename_all(pending->trees, layout_.trees);
    fault::point("store.named");
  }
  if (layout_.unsynced_names) sync();
  layout_.unsynced_names = false;
  fault::point("store.published");
}

void DiskCommit::sync() {
  // An Error on the way out leaves the mark; there is no way back from it in this process.
  struct Mark {
    std::atomic<bool>& failed;
    bool done = false;
    ~Mark() {
      if (!done) failed = true;
    }
  } mark{layout_.sync_failed};
  sync_file_system(fd_.get(), layout_.root);
  mark.done = true;
}

// Forgets each draft as it goes, so that a failure in the middle leaves what is still in tmp/ to the destructor.
void DiskCommit::rename_all(Drafts& drafts, const Path& to) {
  std::vector<std::pair<uint64_t, Digest>> order;
  order.reserve(drafts.size());
  for (const auto& [digest, number] : drafts) order.emplace_back(number, digest);
  std::sort(order.begin(), order.end());
  std::array<bool, 256> made{};  // The directories objects/00 to objects/ff are made when first needed.
  for (const auto& [number, digest] : order) {
    const Path target = to / digest.path();
    if (bool& ready = made[digest.bytes()[0]]; !ready) {
      make_directory(target.parent_path());
      ready = true;
    }
    rename_file(path_of(number), target);
    drafts.erase(digest);
    fault::point("store.renamed");
  }
}

}  // namespace volary
