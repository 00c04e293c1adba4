// store/disk_commit.h: the one implementation of Commit, as its writers see it. For store/ alone.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "core/synced.h"
#include "store/shelves.h"
#include "store/store.h"

namespace volary {

class DiskCommit final : public Commit {
 public:
  DiskCommit(const Store& store, Shelves& shelves);
  ~DiskCommit() override;

  const Store& store() const override { return store_; }
  Blob add_blob(std::string_view bytes) override;
  std::unique_ptr<BlobWriter> new_blob() override;
  std::unique_ptr<PartWriter> new_blob_in_parts(uint64_t size) override;
  std::unique_ptr<BlobClone> clone_blob(int fd, const Path& name) override;
  void take_file(const Path& file, const Blob& blob) override;
  bool reuse_blob(const Blob& blob) override;
  using Commit::add_tree;
  TreeSummary add_tree(const EncodedTree& tree) override;
  std::shared_ptr<const EncodedTree> read_tree(const Digest& tree) override;
  void publish() override;

  // A file for bytes that do not fit in memory; unlinked on the way out unless it becomes a blob.
  TempFile new_draft();
  // Keeps these bytes, or the complete file of `draft`, as `blob`, unless it is there already.
  void keep_blob(const Blob& blob, std::string_view bytes);
  void keep_blob(const Blob& blob, TempFile& draft);

 private:
  // `found`: since when it was there, or nothing if it was written now.
  void took(std::optional<Time> found);

  struct Read {
    std::map<Digest, std::shared_ptr<const EncodedTree>> trees;
    uint64_t bytes = 0;
  };

  const Store& store_;
  Shelves& shelves_;
  Synced<Read> read_;                   // Lately; bounded.
  const uint64_t number_;               // In the mark.
  std::atomic<bool> needs_sync_{false};  // Something this commit took may not be durable.
};

}  // namespace volary
