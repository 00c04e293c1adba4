// sync/blob_content.cc: reading and hashing for sync/blob_content.h.
#include "sync/blob_content.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace volary {
namespace {

constexpr uint64_t step_bytes_min = 256 << 10;  // Small enough for the cache, large enough for BLAKE3.
constexpr uint64_t steps_max = 1 << 18;         // 64 bytes are kept of each.

uint64_t step_for(uint64_t size) { return std::max(step_bytes_min, std::bit_ceil((size + steps_max - 1) / steps_max)); }

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
}

[[noreturn]] void throw_damaged(const Listed& file) {
  throw Error(Errc::corrupt, "the bytes of '{}' do not hash to {}: run `volary volume verify`", file.path.text(),
              file.digest->hex());
}

}  // namespace

size_t BlobSource::read(std::span<char> to) {
  check_stop(stop_);
  const size_t size = file_.read(to);
  hasher_.update({to.data(), size});
  bytes_ += size;
  progress_.bytes_done += size;
  if ((size == 0 || bytes_ == listed_.size) && !checked_) {
    checked_ = true;
    if (bytes_ != listed_.size || hasher_.finish() != *listed_.digest) throw_damaged(listed_);
  }
  return size;
}

BlobContent::BlobContent(const Store& store, const Listed& file, Progress* progress, const std::stop_token& stop)
    : listed_(file), progress_(progress), stop_(stop), path_(store.blob_path(*file.digest)), fd_(open_to_read(path_)),
      step_(step_for(file.size)), hash_(file.size, step_) {}

void BlobContent::show(const Range& range, const std::function<void(std::string_view)>& visit) {
  std::string block;
  const uint64_t end = range.offset + range.size;
  for (uint64_t at = range.offset; at < end || at == 0; at += step_) {  // What is empty is shown too, once.
    check_stop(stop_);
    block.resize(std::min(step_, end - at));
    read_at(at, block);
    hash_.add(at / step_, block);
    visit(block);
    shown_ += block.size();
    if (progress_) progress_->bytes_done += block.size();
  }
}

void BlobContent::check() {
  if (hash_.finish() != *listed_.digest) throw_damaged(listed_);
}

void BlobContent::read_at(uint64_t offset, std::span<char> to) {
  while (!to.empty()) {
    const size_t size = read_some_at(fd_.get(), to, offset, path_);
    if (size == 0) throw_damaged(listed_);
    offset += size;
    to = to.subspan(size);
  }
}

}  // namespace volary
