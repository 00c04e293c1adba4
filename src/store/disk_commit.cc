// store/disk_commit.cc: new objects on their way into the store.
//
// Each new blob and tree is hashed first and gets its final name at once (store/shelf.h): a small one is created under
// it, a large one renamed to it as soon as it is complete. publish() is then one sync of the file system.
//
// So before publish() has returned, a name proves nothing, and that is enough: nobody refers to what is not published,
// except a commit that finds it present. Such a commit syncs too, unless what it found was durable for certain. After
// a crash the store reads whatever may be torn and moves it away before it takes a commit (store/settled_mark.h).
//
// A commit that ends without publish() leaves what it wrote; nothing refers to it, and the sweep takes it in its time.
#include "store/disk_commit.h"

#include "core/error.h"
#include "core/fault.h"

namespace volary {
namespace {

constexpr uint64_t read_bytes_max = 8 << 20;  // In memory, of trees read lately.
constexpr uint64_t read_tree_bytes = 256;     // Each takes so much besides.

uint64_t begin(Shelves& shelves) {
  shelves.refuse_if_read_only();
  return shelves.mark.begin();
}

}  // namespace

DiskCommit::DiskCommit(const Store& store, Shelves& shelves)
    : store_(store), shelves_(shelves), number_(begin(shelves)) {}

DiskCommit::~DiskCommit() { shelves_.mark.end(number_); }

TempFile DiskCommit::new_draft() {
  shelves_.mark.before_write();
  return TempFile(shelves_.layout.tmp, object_mode);
}

Blob DiskCommit::add_blob(std::string_view bytes) {
  const Blob blob{.digest = Digest::of(bytes), .size = bytes.size()};
  keep_blob(blob, bytes);
  return blob;
}

void DiskCommit::keep_blob(const Blob& blob, std::string_view bytes) {
  shelves_.mark.before_write();
  took(shelves_.blobs.put(blob.digest, bytes));
  fault::point("store.blob_added");
}

void DiskCommit::keep_blob(const Blob& blob, TempFile& draft) {
  shelves_.mark.before_write();
  took(shelves_.blobs.put(blob.digest, blob.size, draft));
  fault::point("store.blob_added");
}

void DiskCommit::take_file(const Path& file, const Blob& blob) {
  shelves_.mark.before_write();
  change_mode(file, object_mode);
  TempFile draft(shelves_.layout.tmp, file);
  fault::point("store.file_linked");
  keep_blob(blob, draft);
}

bool DiskCommit::reuse_blob(const Blob& blob) {
  const auto found = shelves_.blobs.reuse(blob.digest, blob.size);
  if (found) took(found);
  return found.has_value();
}

TreeSummary DiskCommit::add_tree(const EncodedTree& tree) {
  if (tree.size() == 0) return empty_tree();
  const TreeSummary summary = summary_of(tree);
  shelves_.mark.before_write();
  took(shelves_.trees.put(summary.tree, tree.bytes()));
  fault::point("store.tree_added");
  return summary;
}

std::shared_ptr<const EncodedTree> DiskCommit::read_tree(const Digest& tree) {
  {
    auto read = read_.lock();
    if (const auto known = read->trees.find(tree); known != read->trees.end()) return known->second;
  }
  auto found = std::make_shared<const EncodedTree>(store_.read_encoded_tree(tree));
  const uint64_t bytes = found->bytes().size() + found->size() * sizeof(uint32_t) + read_tree_bytes;
  if (bytes > read_bytes_max) return found;
  auto read = read_.lock();
  if (read->bytes + bytes > read_bytes_max) *read = {};
  if (read->trees.emplace(tree, found).second) read->bytes += bytes;
  return found;
}

void DiskCommit::took(std::optional<Time> found) {
  if (found && shelves_.mark.is_settled(*found)) return;
  if (!found && !shelves_.is_written.load(std::memory_order_relaxed)) shelves_.is_written = true;
  if (!needs_sync_.load(std::memory_order_relaxed)) needs_sync_ = true;
}

void DiskCommit::publish() {
  shelves_.refuse_if_read_only();
  *read_.lock() = {};
  if (needs_sync_) {
    const Time before = shelves_.clock.now();
    fault::point("store.publishing");
    shelves_.sync();
    needs_sync_ = false;
    fault::point("store.synced");
    shelves_.mark.settle(number_, before);
  }
  fault::point("store.published");
}

}  // namespace volary
