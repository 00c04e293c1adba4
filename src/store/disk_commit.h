// store/disk_commit.h: the one implementation of Commit, as its writers see it. For store/ alone.
#pragma once

#include <atomic>
#include <string>
#include <unordered_map>

#include "core/synced.h"
#include "store/layout.h"
#include "store/store.h"

namespace volary {

class DiskCommit;

// A new file in the commit's directory; unlinked on the way out unless the commit keeps it.
class Draft {
 public:
  explicit Draft(DiskCommit& commit);
  ~Draft();
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  int fd() const { return fd_.get(); }
  const Path& path() const { return path_; }

 private:
  friend class DiskCommit;
  uint64_t number_;
  Path path_;
  Fd fd_;
  bool kept_ = false;
};

class DiskCommit final : public Commit {
 public:
  DiskCommit(const Store& store, Layout& layout);
  ~DiskCommit() override;

  std::unique_ptr<BlobWriter> new_blob() override;
  std::unique_ptr<PartWriter> new_blob_in_parts(uint64_t size) override;
  TreeSummary add_tree(const Tree& tree) override;
  Tree read_tree(const Digest& tree) const override;
  void publish() override;

  // Whether the blob is in the store, or complete in this commit.
  bool has_blob(const Blob& blob);
  // Takes the complete file of `draft` as `blob`, unless another thread was faster.
  void keep_blob(const Blob& blob, Draft& draft);

 private:
  friend class Draft;
  using Drafts = std::unordered_map<Digest, uint64_t>;  // The number of the file that holds it.
  struct Pending {
    Drafts blobs;
    Drafts trees;
  };

  Path path_of(uint64_t number) const { return directory_ / std::to_string(number); }
  static void keep(Drafts& drafts, const Digest& digest, Draft& draft);
  void sync();
  void rename_all(Drafts& drafts, const Path& to);

  const Store& store_;
  Layout& layout_;
  const Path directory_;
  Fd fd_;  // Of the directory, opened before anything is written: syncfs reports the write errors since.
  std::atomic<uint64_t> next_number_{0};
  mutable Synced<Pending> pending_;
};

}  // namespace volary
