// job/attaching.cc: what each form of an attachment means here, for job/attaching.h.
#include "job/attaching.h"

#include <algorithm>
#include <cctype>

#include "core/error_of.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "record/synchronisation.h"
#include "volume/bucket_volumes.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"
#include "volume/volumes.h"

namespace volary {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool has_containers(const Datastore& store) {
  return store.kind == DatastoreKind::s3 || store.kind == DatastoreKind::swift ||
         store.kind == DatastoreKind::directory;
}

// Below the datastore: the container is a part of the path unless the datastore is that container.
StorePlace place_in(const Datastore& store, const std::string& container, const std::string& prefix,
                    const std::string& text) {
  if (!has_containers(store))
    throw Error(Errc::invalid, "'{}' is no container: datastore '{}' is of kind '{}', which has none; expected one of "
                "kind s3, swift or directory", text, store.name, name_of_value(store.kind));
  if (store.bucket == container) return {store, prefix};
  if (!store.bucket.empty())
    throw Error(Errc::invalid, "'{}' cannot be: datastore '{}' is the container '{}', not '{}'", text, store.name,
                store.bucket, container);
  return {store, container + (prefix.empty() ? "" : "/" + prefix)};
}

// A directory of a datastore, if `source` is one; nothing: a volume.
std::optional<StorePlace> store_place(Transaction& transaction, const Caller& caller, const AttachSource& source) {
  const std::string text = text_of(source);
  if (source.kind == SourceKind::store) {
    const auto store = find_datastore(transaction, caller.project, source.name);
    if (!store)
      throw Error(Errc::not_found, "'{}' cannot be: there is no datastore '{}' in this project", text, source.name);
    return StorePlace{*store, source.path};
  }
  if (source.word.empty()) return std::nullopt;
  const auto store = find_datastore(transaction, caller.project, lower_case(source.word));
  std::optional<Volume> volume;
  (void)error_of([&] { volume = get_volume(transaction, caller, source.name); });
  if (!store && !volume)
    throw Error(Errc::not_found, "'{}' is neither: there is no volume '{}' and no datastore '{}' in this project", text,
                source.name, lower_case(source.word));
  if (!store) return std::nullopt;
  if (volume && !error_of([&] { get_version(transaction, *volume, source.word); }))
    throw Error(Errc::invalid,
                "'{}' is a version of volume '{}' and a container of datastore '{}': expected a version number, or "
                "'{}:{}'", text, volume->name, store->name, store->name,
                place_in(*store, source.name, "", text).directory);
  return place_in(*store, source.name, source.path, text);
}

class Attaching {
 public:
  Attaching(Transaction& transaction, const Caller& caller, std::string job_id, const NewJob& request,
            const UrlStores& urls, Time now)
      : transaction_(transaction), caller_(caller), holder_{"job", std::move(job_id)}, request_(request), urls_(urls),
        now_(now), run_(transaction.find<uint64_t>("SELECT run FROM job WHERE id = $1", holder_.id).value_or(1)) {}

  void run() {
    for (const NewAttachment& wanted : request_.attachments) {
      const AttachSource source = parse_attach_source(wanted.volume);
      const std::optional<StorePlace> target = target_of(wanted);
      if (source.kind == SourceKind::standalone) attach_standalone(wanted);
      else if (const auto place = place_of(source)) attach_place(wanted, *place, target);
      else if (target) attach_copy(wanted, source, *target);
      else attach_volume(wanted, source);
      ++number_;
    }
    const Admission admission = take_writers(transaction_, to_write_, holder_, request_.wait_seconds, now_);
    if (admission == Admission::waits && names_version_)
      throw Error(Errc::invalid,
                  "a volume has a writer now, and whoever waits for it gets the version that is the newest then: "
                  "expected no version at a volume to be written");
  }

 private:
  std::optional<StorePlace> place_of(const AttachSource& source) {
    if (source.kind == SourceKind::git) return StorePlace{urls_.at(source.url), ""};
    if (source.kind == SourceKind::file) {
      const bool is_s3 = lower_case(source.url).starts_with("s3://");
      const size_t key = is_s3 ? source.url.find('/', 5) : std::string::npos;
      return StorePlace{urls_.at(source.url), is_s3 ? source.url.substr(key + 1) : ""};
    }
    return store_place(transaction_, caller_, source);
  }

  std::optional<StorePlace> target_of(const NewAttachment& wanted) {
    if (!wanted.push_to) return std::nullopt;
    if (wanted.access == AttachAccess::ro)
      throw Error(Errc::invalid,
                  "what changes at '{}' was to go to '{}', but nothing can change there: expected permission rw or rwd",
                  wanted.path, *wanted.push_to);
    auto target = store_place(transaction_, caller_, parse_push_target(*wanted.push_to));
    if (!target)
      throw Error(Errc::invalid, "'{}' is no place to push to: expected CONTAINER@ALIAS[/PREFIX]", *wanted.push_to);
    return target;
  }

  void insert(const NewAttachment& wanted, const std::string& volume_id, uint64_t version, const std::string& staging) {
    transaction_.run(
        "INSERT INTO job_attachment (job, number, volume, path, access, version, lease, result, staging) "
        "VALUES ($1, $2, $3, $4, $5, $6, '', 0, $7)",
        holder_.id, number_, volume_id, wanted.path, wanted.access, version, staging);
  }

  void set_target(const StorePlace& target) {
    check_writable(target.datastore);
    transaction_.run("UPDATE job_attachment SET push_datastore = $3, push_store = $4, push_directory = $5, "
                     "pushed = version WHERE job = $1 AND number = $2",
                     holder_.id, number_, target.datastore.name, target.datastore.id, target.directory);
  }

  std::string own_volume(const NewAttachment& wanted) {
    const std::string run = run_ > 1 ? fmt::format("/{}", run_) : "";
    return make_staged(transaction_, caller_, fmt::format("{} of {}{}.{}", wanted.volume, holder_.id, run, number_),
                       holder_.id, now_);
  }

  void attach_standalone(const NewAttachment& wanted) {
    if (wanted.access != AttachAccess::rw || wanted.push_to)
      throw Error(Errc::invalid,
                  "a standalone directory begins empty and is not kept: expected permission rw, and nowhere to push "
                  "'{}' to", wanted.path);
    insert(wanted, own_volume(wanted), 0, "");
  }

  void attach_place(const NewAttachment& wanted, const StorePlace& place, const std::optional<StorePlace>& target) {
    const bool writes = wanted.access != AttachAccess::ro;
    if (writes && !target && !has_containers(place.datastore))
      throw Error(Errc::invalid, "'{}' can only be read: expected permission ro, or --push-to and a place for what "
                  "changes", wanted.volume);
    const std::string kept = wanted.cache.value_or(false) ? keep_staged(transaction_, caller_, place, now_) : "";
    const std::string own = kept.empty() || writes ? own_volume(wanted) : "";
    insert(wanted, own.empty() ? kept : own, 0, "");
    transaction_.run("UPDATE job_attachment SET datastore = $3, directory = $4 WHERE job = $1 AND number = $2",
                     holder_.id, number_, place.datastore.name, place.directory);
    if (writes) set_target(target.value_or(place));
    transaction_.run(
        "INSERT INTO data_sync (id, job, number, direction, manual, occasion, state, volume, version, transfer, "
        "reason, created_at) VALUES ($1, $2, $3, 'pull', 0, 'begin', 'QUEUED', $4, 0, '', '', $5)",
        new_id("sync"), holder_.id, number_, kept.empty() ? own : kept, now_);
  }

  // A volume that is only read, whose changes go elsewhere.
  void attach_copy(const NewAttachment& wanted, const AttachSource& source, const StorePlace& target) {
    const Volume volume = get_volume(transaction_, caller_, source.name);
    refuse_in_bucket(volume, "attached with another place for its changes");
    if (!source.path.empty())
      throw Error(Errc::invalid, "'{}' is a part of a volume: expected all of it where changes go elsewhere",
                  wanted.volume);
    const std::string own = own_volume(wanted);
    take_writer(transaction_, own, wanted.volume, 0, holder_, now_);
    if (volume.head != 0) {
      const uint64_t number = get_version(transaction_, volume, source.word).number;
      copy_version(transaction_, volume.id, number, own, caller_.name, holder_, now_);
    }
    insert(wanted, own, volume.head != 0, "");
    set_target(target);
  }

  void attach_volume(const NewAttachment& wanted, const AttachSource& source) {
    const Volume volume = get_volume(transaction_, caller_, source.name);
    uint64_t version = volume.head;
    std::string staging;
    const bool wants_newest = source.word.empty() || source.word == "head";
    if (wanted.access == AttachAccess::ro && is_in_bucket(volume) && wants_newest) {
      version = 0;
      staging = stage_bucket(transaction_, caller_, volume, now_);
    } else if (wanted.access == AttachAccess::ro) {
      version = get_version(transaction_, volume, source.word).number;
      take_reader(transaction_, volume.id, version, holder_, now_);
    } else {
      refuse_in_bucket(volume, "attached for writing");
      if (!source.word.empty() && get_version(transaction_, volume, source.word).number != volume.head)
        throw Error(Errc::invalid, "'{}' is not the newest version: only that can be attached for writing",
                    wanted.volume);
      names_version_ |= !wants_newest;
      for (const WantedVolume& one : to_write_)
        if (one.id == volume.id)
          throw Error(Errc::invalid, "volume '{}' is attached for writing twice: expected one path", volume.name);
      to_write_.push_back({volume.id, volume.name, version});
    }
    insert(wanted, volume.id, version, staging);
    if (!staging.empty())
      note_happening(transaction_, holder_.id,
                     {Cause::staging, now_, std::nullopt,
                      fmt::format("transfer {} stages volume '{}' from its bucket", staging, volume.name), staging});
  }

  Transaction& transaction_;
  const Caller& caller_;
  const Holder holder_;
  const NewJob& request_;
  const UrlStores& urls_;
  const Time now_;
  const uint64_t run_;
  std::vector<WantedVolume> to_write_;
  bool names_version_ = false;
  uint64_t number_ = 0;
};

NewDatastore store_of_url(const AttachSource& source) {
  NewDatastore store;
  store.name = source.url;
  if (source.kind == SourceKind::git) {
    store.kind = DatastoreKind::git;
    store.endpoint = source.url;
    return store;
  }
  if (!lower_case(source.url).starts_with("s3://")) {
    store.kind = DatastoreKind::http;
    store.endpoint = source.url;
    return store;
  }
  const size_t slash = source.url.find('/', 5);
  if (slash == std::string::npos || slash + 1 == source.url.size())
    throw Error(Errc::invalid, "'{}' names no file: expected s3://BUCKET/KEY", printable(source.url));
  store.kind = DatastoreKind::s3;
  store.endpoint = "https://s3.amazonaws.com";
  store.bucket = source.url.substr(5, slash - 5);
  return store;
}

}  // namespace

bool attaches_urls(const NewJob& request) {
  return std::any_of(request.attachments.begin(), request.attachments.end(),
                     [](const NewAttachment& one) { return !parse_attach_source(one.volume).url.empty(); });
}

UrlStores url_stores(Datastores& datastores, const Caller& caller, const NewJob& request, Asker asker) {
  UrlStores stores;
  for (const NewAttachment& wanted : request.attachments) {
    const AttachSource source = parse_attach_source(wanted.volume);
    if (!source.url.empty()) stores.emplace(source.url, datastores.of_url(caller, store_of_url(source), asker));
  }
  return stores;
}

void attach(Transaction& transaction, const Caller& caller, const std::string& job_id, const NewJob& request,
            const UrlStores& urls, Time now) {
  Attaching(transaction, caller, job_id, request, urls, now).run();
}

bool moves_data(Transaction& transaction, const std::string& job_id) {
  return transaction
      .find<uint64_t>("SELECT number FROM job_attachment WHERE job = $1 AND (datastore <> '' OR push_datastore <> '') "
                      "LIMIT 1",
                      job_id)
      .has_value();
}

}  // namespace volary
