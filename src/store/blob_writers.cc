// store/blob_writers.cc: how the bytes of one blob get into a commit, in order or by parts.
//
// In order: bytes gather in a block first. A blob that ends within it is hashed in memory and created under its name:
// exactly one create, one write and one close, or one stat if it is present.
//
// By parts: the file is allocated whole, each part is hashed while its bytes are still in the cache, and the parts'
// hashes are joined at the end (core/segmented_hash.h), so nothing is read again.
//
// As a clone: the draft shares the file's blocks, and is read like any large file.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/error.h"
#include "core/fault.h"
#include "core/segmented_hash.h"
#include "store/disk_commit.h"
#include "store/part_hash.h"

namespace volary {
namespace {

// A part is hashed and written while it is in the core's own cache. Each keeps 64 bytes until the end, so the largest
// files have larger ones: 64 MiB for a file of 256 GiB, and never much more.
constexpr uint64_t parts_max = 1 << 20;

uint64_t part_bytes_for(uint64_t size) {
  uint64_t bytes = block_bytes;
  while (size / bytes > parts_max) bytes *= 2;
  return bytes;
}

class OrderedWriter final : public BlobWriter {
 public:
  explicit OrderedWriter(DiskCommit& commit) : commit_(commit) {}

  void write(std::string_view bytes) override {
    size_ += bytes.size();
    if (block_.size() + bytes.size() <= block_bytes) {
      block_ += bytes;
      return;
    }
    flush();
    if (bytes.size() < block_bytes) block_ += bytes;
    else spill(bytes);
  }

  Blob finish() override {
    Blob blob{.digest = {}, .size = size_};
    if (draft_) {
      flush();
      blob.digest = hasher_.finish();
      commit_.keep_blob(blob, *draft_);
      draft_.reset();
      return blob;
    }
    return commit_.add_blob(block_);
  }

 private:
  void flush() {
    spill(block_);
    block_.clear();
  }

  void spill(std::string_view bytes) {
    if (bytes.empty()) return;
    if (!draft_) draft_.emplace(commit_.new_draft());
    hasher_.update(bytes);
    write_all(draft_->fd(), bytes, draft_->path());
  }

  DiskCommit& commit_;
  std::string block_;
  uint64_t size_ = 0;
  Hasher hasher_;
  std::optional<TempFile> draft_;  // Made with the first byte that does not fit into the block.
};

// Takes the room now, so that a full disk is found before the bytes are fetched.
void allocate(int fd, uint64_t size, const Path& name) {
  int number = fault::errno_at("store.allocate");
  if (number == 0 && size > 0 && ::fallocate(fd, 0, 0, static_cast<off_t>(size)) < 0) number = errno;
  // Not every file system can reserve; the writes will tell then.
  if (number == EOPNOTSUPP) number = ::ftruncate(fd, static_cast<off_t>(size)) < 0 ? errno : 0;
  if (number != 0) throw error_from_errno(number, "allocate " + std::to_string(size) + " bytes for", name.native());
}

class UnorderedWriter final : public PartWriter {
 public:
  UnorderedWriter(DiskCommit& commit, uint64_t size)
      : commit_(commit),
        size_(size),
        draft_(commit.new_draft()),
        hash_(size, part_bytes_for(size)),
        written_(hash_.segments()) {
    allocate(draft_.fd(), size, draft_.path());
  }

  uint64_t parts() const override { return hash_.segments(); }
  uint64_t offset_of(uint64_t part) const override { return hash_.offset_of(part); }
  uint64_t size_of(uint64_t part) const override { return hash_.size_of(part); }

  void write(uint64_t part, std::string_view bytes) override {
    hash_.add(part, bytes);
    write_all_at(draft_.fd(), bytes, hash_.offset_of(part), draft_.path());
    written_[part].store(true, std::memory_order_relaxed);
  }

  Blob finish() override {
    for (uint64_t part = 0; part < parts(); ++part)
      if (!written_[part]) throw Error(Errc::internal, "part {} of the {} of a blob was never written", part, parts());
    const Blob blob{.digest = hash_.finish(), .size = size_};
    commit_.keep_blob(blob, draft_);
    return blob;
  }

 private:
  DiskCommit& commit_;
  const uint64_t size_;
  TempFile draft_;
  SegmentedHash hash_;
  std::vector<std::atomic<bool>> written_;
};

class Clone final : public BlobClone {
 public:
  Clone(DiskCommit& commit, TempFile draft)
      : commit_(commit),
        draft_(std::move(draft)),
        size_(static_cast<uint64_t>(stat_of(draft_.fd(), draft_.path()).st_size)),
        hash_(draft_.fd(), size_) {}

  uint64_t parts() const override { return hash_.parts(); }

  uint64_t read(uint64_t part) override {
    const uint64_t bytes = hash_.hash(part);
    if (hash_.failure() != 0) throw_failure(hash_.failure(), draft_.path());
    return bytes;
  }

  Blob finish() override {
    const Blob blob{.digest = hash_.digest(), .size = size_};
    commit_.keep_blob(blob, draft_);
    return blob;
  }

 private:
  DiskCommit& commit_;
  TempFile draft_;
  const uint64_t size_;
  PartHash hash_;
};

}  // namespace

std::unique_ptr<BlobClone> DiskCommit::clone_blob(int fd, const Path& name) {
  TempFile draft = new_draft();
  if (::ioctl(draft.fd(), FICLONE, fd) == 0) return std::make_unique<Clone>(*this, std::move(draft));
  if (errno == ENOSPC || errno == EDQUOT || errno == EIO) throw error_from_errno(errno, "clone", name.native());
  return nullptr;
}

std::unique_ptr<BlobWriter> DiskCommit::new_blob() { return std::make_unique<OrderedWriter>(*this); }

std::unique_ptr<PartWriter> DiskCommit::new_blob_in_parts(uint64_t size) {
  return std::make_unique<UnorderedWriter>(*this, size);
}

}  // namespace volary
