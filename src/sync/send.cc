// sync/send.cc: the puts and removes of sync/send.h.
#include "sync/send.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "core/workers.h"
#include "sync/listing.h"

namespace volary {
namespace {

constexpr size_t send_threads = 16;
constexpr size_t remember_files_max = 1000;  // Objects that arrived are written down in groups of so many.

// A blob's bytes, hashed as they go, counted, stopped if asked.
class BlobSource final : public Source {
 public:
  BlobSource(const Store& store, const Listed& file, Progress& progress, const std::stop_token& stop)
      : file_(store.blob_path(*file.digest)), listed_(file), progress_(progress), stop_(stop) {}

  size_t read(std::span<char> to) override {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    const size_t size = file_.read(to);
    hasher_.update({to.data(), size});
    bytes_ += size;
    progress_.bytes_done += size;
    progress_.bytes_moved += size;
    // Checked before the last byte is handed over, so that a damaged blob never becomes a whole object.
    if ((size == 0 || bytes_ == listed_.size) && !checked_) {
      checked_ = true;
      if (bytes_ != listed_.size || hasher_.finish() != *listed_.digest)
        throw Error(Errc::corrupt, "the bytes of '{}' do not hash to {}: run `volary volume verify`",
                    listed_.path.text(), listed_.digest->hex());
    }
    return size;
  }

 private:
  FileSource file_;
  const Listed& listed_;
  Progress& progress_;
  const std::stop_token& stop_;
  Hasher hasher_;
  uint64_t bytes_ = 0;
  bool checked_ = false;
};

}  // namespace

void send(const Plan& plan, const std::vector<Listed>& source, const std::vector<Listed>& target,
          const TreePath& directory, Remote& remote, const Store& store, Database& database,
          const std::string& datastore_id, Progress& progress, const std::stop_token& stop) {
  Synced<std::vector<SeenObject>> arrived;
  const auto write_down = [&](size_t at_least) {
    std::vector<SeenObject> group;
    if (auto held = arrived.lock(); held->size() >= at_least) group.swap(*held);
    if (!group.empty())
      database.write([&](Transaction& transaction) { remember_objects(transaction, datastore_id, group); });
  };
  for_each_index(plan.copies.size(), send_threads, [&](size_t i) {
    const Listed& file = source[plan.copies[i].source];
    BlobSource bytes(store, file, progress, stop);
    fault::point("send.object");
    const RemoteObject object = remote.put(key_of(directory, file.path), bytes, file.size);
    if (object.size != file.size)
      throw Error(Errc::corrupt, "'{}' arrived with {} bytes: expected {}", printable(object.key), object.size,
                  file.size);
    ++progress.files_done;
    if (object.etag.empty()) return;
    arrived.lock()->push_back({object.key, object.etag, object.size, *file.digest});
    write_down(remember_files_max);
  });
  write_down(1);
  fault::point("send.copied");
  for (const size_t index : plan.deletes) {
    if (stop.stop_requested()) throw Error(Errc::unavailable, "the transfer was asked to stop");
    remote.remove(target[index].key);
    database.write([&](Transaction& transaction) { forget_object(transaction, datastore_id, target[index].key); });
  }
}

}  // namespace volary
