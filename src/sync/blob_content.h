// sync/blob_content.h: a blob of the store on its way out, hashed again so that damage on our disk never leaves.
#pragma once

#include <atomic>
#include <optional>
#include <stop_token>

#include "core/file.h"
#include "core/progress.h"
#include "core/segmented_hash.h"
#include "remote/parted.h"
#include "store/store.h"
#include "sync/plan.h"

namespace volary {

// As a stream, for remotes that take nothing else. Checked before the last byte is handed over, so that a damaged blob
// never becomes a whole object.
class BlobSource final : public Source {
 public:
  BlobSource(const Store& store, const Listed& file, Progress& progress, const std::stop_token& stop)
      : file_(store.blob_path(*file.digest)), listed_(file), progress_(progress), stop_(stop) {}
  size_t read(std::span<char> to) override;
  uint64_t bytes() const { return bytes_; }

 private:
  FileSource file_;
  const Listed& listed_;
  Progress& progress_;
  const std::stop_token& stop_;
  Hasher hasher_;
  uint64_t bytes_ = 0;
  bool checked_ = false;
};

// From anywhere, by many threads. What was shown counts as done in `progress`, unless there is none.
class BlobContent final : public Content {
 public:
  BlobContent(const Store& store, const Listed& file, Progress* progress, const std::stop_token& stop);
  uint64_t size() const override { return listed_.size; }
  uint64_t step_bytes() const override { return step_; }
  void show(const Range& range, const std::function<void(std::string_view)>& visit) override;
  void check() override;
  void read_at(uint64_t offset, std::span<char> to) override;
  uint64_t shown_bytes() const { return shown_; }

 private:
  const Listed& listed_;
  Progress* progress_;
  const std::stop_token& stop_;
  const Path path_;
  const Fd fd_;
  const uint64_t step_;
  SegmentedHash hash_;
  std::atomic<uint64_t> shown_{0};
};

}  // namespace volary
