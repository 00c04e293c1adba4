// volume/volumes.h: volumes and their versions, by name, for one caller's project.
//
// Whether the caller may do what it asks is the gate's business (api/); here it is looked for in its own project
// only, so what may not be seen is not found. Every function may be called from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "record/volume.h"
#include "store/store.h"

namespace volary {

struct VolumeFilter {
  std::vector<std::string> tags;  // All of them.
  std::optional<DataType> data_type;
  std::string search;             // Part of the name.
};

// "name" or "name@version", as people write it.
struct VolumeReference {
  std::string name;
  std::string version;  // "" is the head
  static VolumeReference parse(std::string_view text);
};

struct VolumeChange {
  std::optional<uint64_t> quota_bytes;
  std::optional<std::vector<std::string>> tags;
};
BOOST_DESCRIBE_STRUCT(VolumeChange, (), (quota_bytes, tags))

class Volumes {
 public:
  Volumes(Database& database, const Store& store, Clock& clock) : database_(database), store_(store), clock_(clock) {}

  // Throws `exists`, or `invalid` for a name, quota or tag that cannot be.
  Volume create(const Caller& caller, const NewVolume& request);
  // By name, after the name `after` ("" from the start), at most `limit`.
  std::vector<Volume> list(const Caller& caller, const VolumeFilter& filter, const std::string& after, size_t limit);
  Volume get(const Caller& caller, const std::string& name);
  // Throws `exhausted` for a quota below what is used or reserved.
  Volume update(const Caller& caller, const std::string& name, const VolumeChange& change);
  // Throws `conflict` with the holders' names while somebody uses it. Its versions go; the bytes go with the next
  // sweep.
  void remove(const Caller& caller, const std::string& name);

  std::vector<Version> versions(const Caller& caller, const std::string& name);  // Newest first.
  // "3", "v3", a tag, at least 6 digits of a checksum, "head" or "": throws `not_found`, also for the head of an
  // empty volume.
  Version version(const Caller& caller, const std::string& name, const std::string& reference);
  void tag(const Caller& caller, const std::string& name, const std::string& reference, const std::string& tag);
  std::vector<Lease> leases(const Caller& caller, const std::string& name);

  // Files below `directory` of a version, in order of paths, after the path `after`, at most `limit`.
  std::vector<FileEntry> files(const Caller& caller, const std::string& name, const std::string& reference,
                               const std::string& directory, const std::string& after, size_t limit);
  // Reads every byte of a version from the disk and compares.
  Verification verify(const Caller& caller, const std::string& name, const std::string& reference);

 private:
  Database& database_;
  const Store& store_;
  Clock& clock_;
};

// For other services, inside their transactions. Throw `not_found` naming the volume or version.
Volume get_volume(Transaction& transaction, const Caller& caller, const std::string& name);
Version get_version(Transaction& transaction, const Volume& volume, const std::string& reference);

}  // namespace volary
