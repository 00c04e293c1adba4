// volume/objects.cc: each call opens the datastore anew, so that what was changed of it counts at once; connections are
// kept by the HTTP client below.
#include "volume/objects.h"

#include <algorithm>
#include <mutex>

#include "core/error.h"
#include "core/fault.h"
#include "core/tree_path.h"
#include "core/workers.h"
#include "remote/retry.h"

namespace volary {
namespace {

constexpr size_t removing_threads = 8;

BucketObject stored(const RemoteObject& object) { return {object.key, object.size, object.etag, object.modified}; }

// Keys travel as JSON and as UTF-8 to every store but a directory.
void check_text(const std::string& key) {
  if (!is_utf8(key)) throw Error(Errc::invalid, "'{}' is no key: expected UTF-8", printable(key));
}

ListingEnd list_objects(Remote& remote, const std::string& prefix,
                        const std::function<void(const BucketObject&)>& visit) {
  ListingEnd end;
  remote.list(prefix, [&](const RemoteObject& object) {
    if (!is_utf8(object.key)) {
      ++end.left_out;
      return;
    }
    ++end.objects;
    end.bytes += object.size;
    visit(stored(object));
  });
  return end;
}

}  // namespace

BucketObject OpenObject::look() {
  const auto found = remote_->find(key_);
  if (!found) throw Error(Errc::not_found, "there is no '{}' in {}", printable(key_), remote_->description());
  return stored(*found);
}

BucketObject OpenObject::read(uint64_t offset, uint64_t size, const std::string& etag, Sink& sink) {
  return stored(remote_->get(key_, {.range = Range{offset, size}, .if_match = etag}, sink));
}

std::optional<BucketObject> OpenObject::read_if_within(uint64_t offset, uint64_t size, const std::string& etag,
                                                       Sink& sink) {
  BucketObject found;
  const auto error = error_of([&] { found = read(offset, size, etag, sink); });
  if (error && error->code() == Errc::invalid) return std::nullopt;
  if (error) throw Error(*error);
  return found;
}

std::unique_ptr<Account> Objects::account(const Caller& caller, const std::string& datastore) {
  return datastores_.open_account(datastores_.get(caller, datastore));
}

std::shared_ptr<Remote> Objects::bucket(const Caller& caller, const BucketPlace& place) {
  check_bucket_name(place.bucket);
  return account(caller, place.datastore)->open(place.bucket);
}

std::vector<BucketView> Objects::list_buckets(const Caller& caller, const std::string& datastore,
                                              const std::string& prefix, Measure measure) {
  const auto from = account(caller, datastore);
  std::vector<BucketView> views;
  for (const Bucket& one : from->list_buckets()) {
    if (!one.name.starts_with(prefix) || !is_utf8(one.name)) continue;
    views.push_back({one.name, one.created_at, {}, {}});
  }
  if (measure == Measure::no) return views;
  // Somebody may remove one meanwhile, and some may be closed to these credentials: that says nothing of the others.
  std::erase_if(views, [&](BucketView& view) {
    const auto error = error_of([&] {
      const ListingEnd end = list_objects(*from->open(view.name), "", [](const BucketObject&) {});
      view.objects = end.objects + end.left_out;
      view.bytes = end.bytes;
    });
    if (error && error->code() != Errc::not_found && error->code() != Errc::denied) throw Error(*error);
    return error && error->code() == Errc::not_found;
  });
  return views;
}

BucketView Objects::create_bucket(const Caller& caller, const std::string& datastore, const std::string& name) {
  check_bucket_name(name);
  check_text(name);
  account(caller, datastore)->create_bucket(name);
  return {name, {}, {}, {}};
}

void Objects::remove_bucket(const Caller& caller, const BucketPlace& place) {
  account(caller, place.datastore)->remove_bucket(place.bucket);
}

std::function<ListingEnd(const std::function<void(const BucketObject&)>&)> Objects::lister(
    const Caller& caller, const BucketPlace& place, const std::string& prefix) {
  return [remote = bucket(caller, place), prefix](const std::function<void(const BucketObject&)>& visit) {
    return list_objects(*remote, prefix, visit);
  };
}

OpenObject Objects::open(const Caller& caller, const BucketPlace& place, const std::string& key) {
  check_text(key);
  return {bucket(caller, place), key};
}

BucketObject Objects::put(const Caller& caller, const BucketPlace& place, const std::string& key, Source& source,
                          uint64_t bytes) {
  check_text(key);
  const auto remote = bucket(caller, place);
  fault::point("objects.before_put");
  return stored(remote->put(key, source, bytes));
}

BucketObject Objects::copy(const Caller& caller, const BucketPlace& place, const NewObjectCopy& wanted) {
  check_text(wanted.destination);
  const auto from = account(caller, place.datastore);
  const ObjectPlace source{place.bucket, wanted.source};
  const ObjectPlace target{wanted.bucket.value_or(place.bucket), wanted.destination};
  check_bucket_name(target.bucket);
  const bool is_same = source.bucket == target.bucket && source.key == target.key;
  const BucketObject copied = stored(from->copy(source, target));
  if (wanted.act == CopyAct::move && !is_same) {
    fault::point("objects.before_move_ends");
    from->open(source.bucket)->remove(source.key);
  }
  return copied;
}

DeletedObjects Objects::remove(const Caller& caller, const BucketPlace& place, const ObjectsToDelete& wanted) {
  if (wanted.keys.size() > deleted_keys_max)
    throw Error(Errc::invalid, "{} keys in one request: expected at most {}", wanted.keys.size(), deleted_keys_max);
  const auto remote = bucket(caller, place);
  std::mutex lock;  // Of the result.
  DeletedObjects result;
  for_each_index(wanted.keys.size(), removing_threads, [&](size_t i) {
    const std::string& key = wanted.keys[i];
    const auto error = error_of([&] {
      if (wanted.when_absent == WhenAbsent::fail && !remote->find(key))
        throw Error(Errc::not_found, "there is no '{}' in {}", printable(key), remote->description());
      remote->remove(key);
    });
    const std::lock_guard guard(lock);
    if (error) result.failures.push_back({key, std::string(name_of(error->code())), error->message()});
    else ++result.deleted;
  });
  std::sort(result.failures.begin(), result.failures.end(),
            [](const ObjectFailure& a, const ObjectFailure& b) { return a.key < b.key; });
  return result;
}

}  // namespace volary
