// volume/upload_store.cc: the part of volume/uploads.h about the objects of a volume that is kept in a bucket.
//
// Each is put whole, under its own name, in place of what is there; its row says so afterwards, and what was seen of it
// is remembered, so that the next staging fetches none of them. What dies in between puts some of them again, the same
// bytes. An upload that ends otherwise leaves those that were put: the bucket is the truth, and the next staging sees
// them.
#include <chrono>

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "core/tree_path.h"
#include "core/workers.h"
#include "sync/listing.h"
#include "volume/upload_rows.h"
#include "volume/uploads.h"

namespace volary {
namespace {

constexpr size_t putting_threads = 8;
constexpr size_t group_files = 64;                      // So many are put before their rows say so.
constexpr auto answer_after = std::chrono::seconds(5);  // So that who waits sees that it goes on.

// A blob's bytes, held against its digest before the last of them is given away.
class ObjectBytes final : public Source {
 public:
  ObjectBytes(const Path& blob, const UploadFileRow& row, const std::atomic<bool>& stopping)
      : file_(blob), row_(row), stopping_(stopping) {}

  size_t read(std::span<char> to) override {
    if (stopping_) throw Error(Errc::unavailable, "the server ends; '{}' is not in the bucket yet", row_.path);
    const size_t size = file_.read(to);
    hasher_.update({to.data(), size});
    bytes_ += size;
    if ((size == 0 || bytes_ == row_.size) && !is_checked_) {
      is_checked_ = true;
      if (bytes_ != row_.size || hasher_.finish() != Digest::parse(row_.digest))
        throw Error(Errc::corrupt, "the bytes of '{}' do not hash to {}: send that file again", row_.path, row_.digest);
    }
    return size;
  }

 private:
  FileSource file_;
  const UploadFileRow& row_;
  const std::atomic<bool>& stopping_;
  Hasher hasher_;
  uint64_t bytes_ = 0;
  bool is_checked_ = false;
};

}  // namespace

bool Uploads::put_objects(const Caller& caller, const UploadRow& upload, const std::vector<UploadFileRow>& files) {
  const Datastore datastore = datastores_.get(caller, upload.datastore);
  const auto remote = datastores_.open(datastore);
  const TreePath directory = TreePath::parse_directory(upload.bucket_directory);
  std::vector<const UploadFileRow*> missing;
  for (const UploadFileRow& file : files)
    if (!file.stored) missing.push_back(&file);
  const auto answer_at = std::chrono::steady_clock::now() + answer_after;
  for (size_t from = 0; from < missing.size(); from += group_files) {
    if (from > 0 && std::chrono::steady_clock::now() > answer_at) return false;
    const size_t count = std::min(group_files, missing.size() - from);
    Synced<std::vector<SeenObject>> seen;
    for_each_index(count, putting_threads, [&](size_t i) {
      const UploadFileRow& file = *missing[from + i];
      const Digest digest = Digest::parse(file.digest);
      ObjectBytes bytes(store_.blob_path(digest), file, stopping_);
      const RemoteObject object = remote->put(key_of(directory, TreePath::parse(file.path)), bytes, file.size);
      if (object.size != file.size)
        throw Error(Errc::corrupt, "'{}' arrived with {} bytes: expected {}", printable(object.key), object.size,
                    file.size);
      if (!object.etag.empty()) seen.lock()->push_back({object.key, object.etag, object.size, digest});
      fault::point("upload.object_put");
    });
    database_.write([&](Transaction& transaction) {
      remember_objects(transaction, datastore.id, *seen.lock());
      for (size_t i = 0; i < count; ++i)
        transaction.run("UPDATE upload_file SET stored = 1 WHERE upload = $1 AND path = $2", upload.id,
                        missing[from + i]->path);
      transaction.run("UPDATE upload SET touched_at = $2 WHERE id = $1", upload.id, clock_.now());
    });
    fault::point("upload.objects_noted");
  }
  return true;
}

}  // namespace volary
