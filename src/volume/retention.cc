// volume/retention.cc: the part of volume/volumes.h by which versions go: by hand, by a volume's rule, by the day.
//
// What goes is a row; the bytes that no other version shares go with the store's next sweep. The head stays always,
// so the numbers of versions only grow and none is given twice.
#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/fault.h"
#include "volume/version_rows.h"
#include "volume/volumes.h"

namespace volary {
namespace {

// The versions that somebody reads or writes on top of.
std::set<uint64_t> held_versions(Transaction& transaction, const Volume& volume) {
  const auto held = transaction.all<uint64_t>("SELECT DISTINCT version FROM lease WHERE volume = $1", volume.id);
  return {held.begin(), held.end()};
}

// What the retention lets go, newest first; the head never.
std::vector<Version> outside(const Retention& retention, const std::vector<Version>& newest_first, Time now) {
  if (!retention.keep_versions && !retention.keep_days) return {};
  std::vector<Version> going;
  for (size_t i = 1; i < newest_first.size(); ++i) {
    const Version& version = newest_first[i];
    const bool is_new = retention.keep_versions && i < *retention.keep_versions;
    const bool is_young = retention.keep_days &&
                          version.created_at.plus_seconds(static_cast<int64_t>(*retention.keep_days) * 86400) > now;
    const bool is_tagged = retention.keep_tagged.value_or(true) && !version.tags.empty();
    if (!is_new && !is_young && !is_tagged) going.push_back(version);
  }
  return going;
}

std::vector<Version> named(Transaction& transaction, const Volume& volume, const NewPrune& request,
                           const std::set<uint64_t>& held) {
  std::vector<Version> going;
  for (const std::string& reference : request.versions) {
    Version version = get_version(transaction, volume, reference);
    if (version.number == volume.head)
      throw Error(Errc::conflict, "version {} of volume '{}' is the newest: expected an older one", version.number,
                  volume.name);
    if (held.contains(version.number)) {
      std::string holders;
      for (const auto& holder : transaction.all<std::string>(
               "SELECT holder_kind || ' ' || holder FROM lease WHERE volume = $1 AND version = $2 ORDER BY acquired_at",
               volume.id, version.number))
        holders += (holders.empty() ? "" : ", ") + holder;
      throw Error(Errc::conflict, "version {} of volume '{}' is in use by {}: expected nobody to hold it",
                  version.number, volume.name, holders);
    }
    if (!version.tags.empty() && !request.tagged)
      throw Error(Errc::conflict, "version {} of volume '{}' has the tag '{}': say that tagged ones may go (--tagged)",
                  version.number, volume.name, version.tags.front());
    const bool is_known = std::any_of(going.begin(), going.end(),
                                      [&](const Version& one) { return one.number == version.number; });
    if (!is_known) going.push_back(std::move(version));
  }
  return going;
}

void remove_versions(Transaction& transaction, const Volume& volume, const std::vector<Version>& going) {
  for (const Version& version : going) {
    for (const char* table : {"version_tag", "version"})
      transaction.run(fmt::format("DELETE FROM {} WHERE volume = $1 AND number = $2", table), volume.id,
                      version.number);
    fault::point("versions.removing");
  }
}

Pruned pruned(Transaction& transaction, const Volume& volume, const NewPrune& request, Time now) {
  Pruned result;
  result.volume = volume.name;
  result.dry_run = request.dry_run;
  const auto held = held_versions(transaction, volume);
  if (!request.versions.empty()) {
    result.versions = named(transaction, volume, request, held);
  } else {
    result.versions = outside(volume.retention, versions_of(transaction, volume), now);
    result.held = std::erase_if(result.versions, [&](const Version& one) { return held.contains(one.number); });
  }
  std::sort(result.versions.begin(), result.versions.end(),
            [](const Version& a, const Version& b) { return a.number < b.number; });
  if (!request.dry_run) remove_versions(transaction, volume, result.versions);
  return result;
}

}  // namespace

Pruned Volumes::prune(const Caller& caller, const std::string& name, const NewPrune& request) {
  const auto act = [&](Transaction& transaction) {
    return pruned(transaction, get_volume(transaction, caller, name), request, clock_.now());
  };
  return request.dry_run ? database_.read(act) : database_.write(act);
}

std::vector<Pruned> Volumes::apply_retention() {
  const auto ruled = database_.read([&](Transaction& transaction) {
    return transaction.all<std::string>("SELECT id FROM volume WHERE retention <> '{}' ORDER BY project, name");
  });
  std::vector<Pruned> results;
  for (const std::string& id : ruled) {
    const auto look = [&](bool dry_run) {
      return [&, dry_run](Transaction& transaction) {
        NewPrune request;
        request.dry_run = dry_run;
        const auto volume = find_volume(transaction, id);
        return volume ? pruned(transaction, *volume, request, clock_.now()) : Pruned();
      };
    };
    if (database_.read(look(true)).versions.empty()) continue;  // Nothing goes, nothing is written.
    results.push_back(database_.write(look(false)));
  }
  return results;
}

}  // namespace volary
