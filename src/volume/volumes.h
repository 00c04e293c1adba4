// volume/volumes.h: volumes and their versions, by name, for one caller's project.
//
//   volumes.cc   the volumes                              retention.cc  letting versions go
//   versions.cc  naming versions                          contents.cc   their files
//   lineage.cc   making versions of each other            difference.cc comparing them
//
// Whether the caller may do what it asks is the gate's business (api/); here it is looked for in its own project
// only, so what may not be seen is not found. Every function may be called from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "core/synced.h"
#include "db/database.h"
#include "record/difference.h"
#include "record/reference.h"
#include "record/volume.h"
#include "store/store.h"

namespace volary {

struct VolumeFilter {
  std::vector<std::string> tags;  // All of them.
  std::optional<DataType> data_type;
  std::string search;             // Part of the name.
};

// A file of a version, for reading its bytes.
struct VolumeFile {
  Digest digest;
  uint64_t size = 0;
  Path blob;  // Where they lie; never changed.
};

// Which files of a version are listed.
struct FileFilter {
  std::string directory;  // Only what is below it; "" is all.
  uint64_t depth = UINT64_MAX;  // At most so many levels below it.
  bool directories_only = false;
  std::string after;      // Only after this path.
  size_t limit = SIZE_MAX;
};

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
  void untag(const Caller& caller, const std::string& name, const std::string& tag);
  // A new volume with the version as its version 1, without a byte copied: in `target`'s project, by its quota.
  Volume clone(const Caller& caller, const std::string& name, const Caller& target, const NewClone& request);
  // Makes an old tree the newest version. Throws `conflict` while somebody writes or waits to, `exhausted`.
  Version restore(const Caller& caller, const std::string& name, const NewRestore& request);
  // Removes versions: the named ones, all or none, or those that the retention lets go. Throws `conflict` for a named
  // one that is the head, that somebody holds, or that has a tag unless that is allowed.
  Pruned prune(const Caller& caller, const std::string& name, const NewPrune& request);
  // The retention of all volumes of all projects; what has gone from each where something has.
  std::vector<Pruned> apply_retention();
  // How `to` differs from `from`, both "name@version" as VolumeReference reads them. Without a version, `to` is the
  // head, and `from` the version before `to` (nothing before the first), or the head if it is another volume's. Items
  // from the cursor on, at most `limit`.
  VersionDifference difference(const Caller& caller, const VolumeReference& from, const VolumeReference& to,
                               const std::string& cursor, size_t limit);
  // Who holds the volume, then who waits to write it.
  std::vector<Lease> leases(const Caller& caller, const std::string& name);

  // In order of paths; costs what is listed and the way down to it, not what comes before.
  std::vector<FileEntry> files(const Caller& caller, const std::string& name, const std::string& reference,
                               const FileFilter& filter);
  // Throws `not_found`, `invalid` for what is no regular file.
  VolumeFile file(const Caller& caller, const std::string& name, const std::string& reference, const std::string& path);
  // Reads every byte of a version from the disk and compares.
  Verification verify(const Caller& caller, const std::string& name, const std::string& reference);

 private:
  // Two trees compared, kept for the next page of the same.
  struct Compared {
    Digest before;
    Digest after;
    DifferenceTotals totals;
    std::vector<FileDifference> items;
  };
  std::shared_ptr<const Compared> compare(const Digest& before, const Digest& after);

  Database& database_;
  const Store& store_;
  Clock& clock_;
  Synced<std::shared_ptr<const Compared>> compared_;  // Shared by the pages that are being read from it.
};

// For other services, inside their transactions. Throw `not_found` naming the volume or version.
Volume get_volume(Transaction& transaction, const Caller& caller, const std::string& name);
// The new volume's id. Throws as Volumes::create.
std::string create_volume(Transaction& transaction, const Caller& caller, const NewVolume& request, Time now);
Version get_version(Transaction& transaction, const Volume& volume, const std::string& reference);
// With all that refers to it; nobody holds it.
void delete_volume(Transaction& transaction, const std::string& id);

}  // namespace volary
