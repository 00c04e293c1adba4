// remote/account.cc: what is true of the buckets of any store, an account of one bucket, and an account as a Remote.
#include "remote/account.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/synced.h"
#include "core/tree_path.h"
#include "remote/key.h"
#include "remote/parted.h"
#include "remote/ranged_source.h"

namespace volary {
namespace {

class OneBucketAccount final : public Account {
 public:
  OneBucketAccount(std::unique_ptr<Remote> bucket, const std::string& name)
      : bucket_(std::move(bucket)), name_(name) {}

  std::vector<Bucket> list_buckets() override { return {{name_}}; }
  void create_bucket(const std::string& name) override {
    throw Error(Errc::invalid, "'{}' cannot be made: this is {} only", printable(name), description());
  }
  void remove_bucket(const std::string& name) override {
    throw Error(Errc::invalid, "'{}' cannot be removed: this is {} only", printable(name), description());
  }
  std::unique_ptr<Remote> open(const std::string& bucket) override {
    check(bucket);
    return std::make_unique<Shared>(bucket_);
  }
  RemoteObject copy(const ObjectPlace& from, const ObjectPlace& to) override {
    check(from.bucket);
    check(to.bucket);
    return bucket_->copy(from.key, to.key);
  }
  std::string description() const override { return bucket_->description(); }

 private:
  class Shared final : public Remote {
   public:
    explicit Shared(std::shared_ptr<Remote> inner) : inner_(std::move(inner)) {}
    void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
      inner_->list(prefix, visit);
    }
    std::optional<RemoteObject> find(const std::string& key) override { return inner_->find(key); }
    RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override {
      return inner_->get(key, options, sink);
    }
    RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
      return inner_->put(key, source, size);
    }
    void remove(const std::string& key) override { inner_->remove(key); }
    RemoteObject copy(const std::string& from, const std::string& to) override { return inner_->copy(from, to); }
    bool reads_whole() const override { return inner_->reads_whole(); }
    bool has_listing() const override { return inner_->has_listing(); }
    PartedRemote* parted() override { return inner_->parted(); }
    std::string commit() override { return inner_->commit(); }
    std::string description() const override { return inner_->description(); }

   private:
    const std::shared_ptr<Remote> inner_;  // Shared, because each open() gives one that its caller owns.
  };

  void check(const std::string& bucket) const {
    if (bucket != name_)
      throw Error(Errc::not_found, "there is no bucket '{}' here: this is {} only", printable(bucket), description());
  }

  const std::shared_ptr<Remote> bucket_;
  const std::string name_;
};

// Of keys that begin with a bucket, for who knows only what follows it.
class BucketNotes final : public UploadNotes {
 public:
  BucketNotes(UploadNotes& next, const std::string& bucket) : next_(next), prefix_(bucket + "/") {}
  std::optional<UploadNote> find(const std::string& key) override { return next_.find(prefix_ + key); }
  void begun(const std::string& key, const UploadNote& note) override { next_.begun(prefix_ + key, note); }
  void ended(const std::string& key) override { next_.ended(prefix_ + key); }

 private:
  UploadNotes& next_;
  const std::string prefix_;
};

class AccountRemote final : public Remote, public PartedRemote {
 public:
  explicit AccountRemote(std::unique_ptr<Account> account) : account_(std::move(account)) {}

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    if (const size_t slash = prefix.find('/'); slash != std::string::npos)
      return list_bucket(prefix.substr(0, slash), prefix.substr(slash + 1), visit);
    std::vector<std::string> names;
    for (const Bucket& bucket : account_->list_buckets())
      if (bucket.name.starts_with(prefix)) names.push_back(bucket.name + "/");  // "a-b/" stands before "a/".
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) list_bucket(name.substr(0, name.size() - 1), "", visit);
  }

  std::optional<RemoteObject> find(const std::string& key) override {
    const auto place = place_of(key);
    if (!place) return std::nullopt;
    auto found = bucket(place->bucket).find(place->key);
    if (found) found->key = key;
    return found;
  }

  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override {
    const ObjectPlace place = required_place(key, Errc::not_found);
    return named(bucket(place.bucket).get(place.key, options, sink), key);
  }

  RemoteObject put(const std::string& key, Source& source, uint64_t size) override {
    const ObjectPlace place = required_place(key, Errc::invalid);
    return named(bucket(place.bucket).put(place.key, source, size), key);
  }

  void remove(const std::string& key) override {
    if (const auto place = place_of(key)) bucket(place->bucket).remove(place->key);
  }

  RemoteObject copy(const std::string& from, const std::string& to) override {
    const ObjectPlace source = required_place(from, Errc::not_found);
    return named(account_->copy(source, required_place(to, Errc::invalid)), to);
  }

  PartedRemote* parted() override { return account_->has_parts() ? this : nullptr; }
  RemoteObject put_content(const std::string& key, Content& content, const PutOptions& options) override {
    const ObjectPlace place = required_place(key, Errc::invalid);
    BucketNotes notes(options.notes, place.bucket);
    const PutOptions inside{
        .notes = notes, .stop = options.stop, .threads = options.threads, .bytes_sent = options.bytes_sent};
    return named(parted(place.bucket).put_content(place.key, content, inside), key);
  }
  void abandon(const std::string& key, const UploadNote& note) override {
    const ObjectPlace place = required_place(key, Errc::invalid);
    parted(place.bucket).abandon(place.key, note);
  }
  // All buckets say it in the same way. Who has the etag has asked one of them, so that one is open.
  bool is_same(const std::string& etag, Content& content) override {
    std::string any;
    {
      auto open = open_.lock();
      if (open->empty()) return false;
      any = open->begin()->first;
    }
    return parted(any).is_same(etag, content);
  }

  std::string description() const override { return account_->description(); }

 private:
  // Nothing for what is no "bucket/key".
  static std::optional<ObjectPlace> place_of(const std::string& key) {
    check_key(key);
    const size_t slash = key.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == key.size()) return std::nullopt;
    return ObjectPlace{key.substr(0, slash), key.substr(slash + 1)};
  }
  ObjectPlace required_place(const std::string& key, Errc code) const {
    auto place = place_of(key);
    if (!place)
      throw Error(code, "'{}' names no object of {}: expected BUCKET/KEY", printable(key), description());
    return *std::move(place);
  }
  static RemoteObject named(RemoteObject object, const std::string& key) {
    object.key = key;
    return object;
  }

  void list_bucket(const std::string& name, const std::string& prefix,
                   const std::function<void(const RemoteObject&)>& visit) {
    bucket(name).list(prefix, [&](const RemoteObject& object) { visit(named(object, name + "/" + object.key)); });
  }

  Remote& bucket(const std::string& name) {
    auto open = open_.lock();
    auto& known = (*open)[name];
    if (!known) known = account_->open(name);
    return *known;
  }

  PartedRemote& parted(const std::string& name) {
    PartedRemote* parted = bucket(name).parted();
    if (!parted) throw Error(Errc::internal, "bucket '{}' of {} puts nothing in parts", printable(name), description());
    return *parted;
  }

  const std::unique_ptr<Account> account_;
  Synced<std::map<std::string, std::unique_ptr<Remote>>> open_;  // Of each bucket asked for; kept to the end.
};

}  // namespace

void check_bucket_name(const std::string& name) {
  const bool is_wrong = name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
                        name.find('\0') != std::string::npos;
  if (is_wrong)
    throw Error(Errc::invalid, "'{}' is no name for a bucket: it is empty, '.', '..' or has a slash", printable(name));
}

std::unique_ptr<Account> open_one_bucket_account(std::unique_ptr<Remote> bucket, const std::string& name) {
  return std::make_unique<OneBucketAccount>(std::move(bucket), name);
}

std::unique_ptr<Remote> open_account_remote(std::unique_ptr<Account> account) {
  return std::make_unique<AccountRemote>(std::move(account));
}

}  // namespace volary
