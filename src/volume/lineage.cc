// volume/lineage.cc: the part of volume/volumes.h by which versions come from versions: clone and restore. Both write
// rows only; the trees are in the store already.
#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "volume/bucket_volumes.h"
#include "volume/ledger.h"
#include "volume/volumes.h"

namespace volary {
namespace {

TreeSummary tree_of(const Version& version) {
  return {Digest::parse(version.tree), Digest::parse(version.checksum), version.files, version.bytes};
}

// Makes a version under a writer's lease that lasts for this transaction only.
uint64_t commit_at_once(Transaction& transaction, const Volume& volume, NewVersion version, Time now) {
  version.volume_id = volume.id;
  version.holder = {std::string(name_of_value(version.origin)), new_id("act")};
  take_writer(transaction, volume.id, volume.name, volume.head, version.holder, now);
  const uint64_t number = commit_version(transaction, version, now);
  release_leases(transaction, version.holder);
  return number;
}

}  // namespace

Volume Volumes::clone(const Caller& caller, const std::string& name, const Caller& target, const NewClone& request) {
  return database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    const Volume source = get_volume(transaction, caller, name);
    const Version version = get_version(transaction, source, request.version.value_or(""));
    NewVolume wanted;
    wanted.name = request.name;
    wanted.data_type = source.data_type;
    wanted.quota_bytes = request.quota_bytes.value_or(source.quota_bytes);
    wanted.tags = source.tags;
    create_volume(transaction, target, wanted, now);
    const std::string from = fmt::format("{}@{}", source.name, version.number);
    commit_at_once(transaction, get_volume(transaction, target, request.name),
                   {.volume_id = {}, .tree = tree_of(version), .author = target.name,
                    .message = request.message.value_or("clone of " + from), .origin = Origin::clone, .holder = {},
                    .origin_id = from, .source_volume = source.id},
                   now);
    fault::point("volume.cloning");
    return get_volume(transaction, target, request.name);
  });
}

Version Volumes::restore(const Caller& caller, const std::string& name, const NewRestore& request) {
  return database_.write([&](Transaction& transaction) {
    const Volume volume = get_volume(transaction, caller, name);
    refuse_in_bucket(volume, "restored");
    const Version old = get_version(transaction, volume, request.version);
    if (old.tree == get_version(transaction, volume, "").tree)
      throw Error(Errc::invalid,
                  "version {} of volume '{}' holds what the newest, version {}, holds: nothing to restore", old.number,
                  name, volume.head);
    const uint64_t number = commit_at_once(
        transaction, volume,
        {.volume_id = {}, .tree = tree_of(old), .author = caller.name,
         .message = request.message.value_or(fmt::format("restore of version {}", old.number)),
         .origin = Origin::restore, .holder = {}, .origin_id = fmt::format("{}@{}", name, old.number),
         .source_volume = volume.id},
        clock_.now());
    fault::point("volume.restoring");
    return get_version(transaction, get_volume(transaction, caller, name), std::to_string(number));
  });
}

}  // namespace volary
