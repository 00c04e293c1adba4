// volume/stopping_commit.h: a commit that ends its user's work when that is asked to stop.
#pragma once

#include <stop_token>
#include <utility>

#include "core/error.h"
#include "store/store.h"

namespace volary {

// Every step throws `unavailable` once the stop was requested; otherwise it is the commit's own.
class StoppingCommit final : public Commit {
 public:
  StoppingCommit(Commit& commit, std::stop_token stop) : commit_(commit), stop_(std::move(stop)) {}

  std::unique_ptr<BlobWriter> new_blob() override {
    check(stop_);
    return commit_.new_blob();
  }
  std::unique_ptr<PartWriter> new_blob_in_parts(uint64_t size) override {
    check(stop_);
    return std::make_unique<Parts>(commit_.new_blob_in_parts(size), stop_);
  }
  bool reuse_blob(const Blob& blob) override {
    check(stop_);
    return commit_.reuse_blob(blob);
  }
  TreeSummary add_tree(const Tree& tree) override {
    check(stop_);
    return commit_.add_tree(tree);
  }
  Tree read_tree(const Digest& tree) const override { return commit_.read_tree(tree); }
  void publish() override {
    check(stop_);
    commit_.publish();
  }

 private:
  static void check(const std::stop_token& stop) {
    if (stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
  }

  class Parts final : public PartWriter {
   public:
    Parts(std::unique_ptr<PartWriter> parts, std::stop_token stop) : parts_(std::move(parts)), stop_(std::move(stop)) {}
    uint64_t parts() const override { return parts_->parts(); }
    uint64_t offset_of(uint64_t part) const override { return parts_->offset_of(part); }
    uint64_t size_of(uint64_t part) const override { return parts_->size_of(part); }
    void write(uint64_t part, std::string_view bytes) override {
      check(stop_);
      parts_->write(part, bytes);
    }
    Blob finish() override { return parts_->finish(); }

   private:
    std::unique_ptr<PartWriter> parts_;
    std::stop_token stop_;
  };

  Commit& commit_;
  std::stop_token stop_;
};

}  // namespace volary
