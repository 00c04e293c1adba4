// view/mounts.h: versions that stand at a path of this machine for people, until they are unmounted.
//
// A mount at a path is made by the server itself, as root, in its own mount namespace, and outlives it. A mount of
// kind shell is made by a process of the person who asks, in a namespace of its own (view/shell.h): the one way
// without root. Either holds a lease, a reader's or the writer's; what was written through it becomes the next version
// when it is unmounted.
//
// The row is the truth, and every step can be repeated, so that the server may die at any line:
//
//   asked        with its lease; not to be seen yet. After a restart: mounted if it is found, or else gone
//   mounted      found by its source in /proc/self/mountinfo, "volary:<id>". Not found: gone, or left if it was written
//   unmounting   taken away, its changes made the next version once (I8), forgotten. After a restart: goes on
//   left         kept for what was written in it, not mounted any more
//
// Below the server's directory of mounts: <id>/scratch (written changes), <id>/plan.json and <id>/holder (of shells).
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "core/synced.h"
#include "db/database.h"
#include "mount/host_mount.h"
#include "mount/mount.h"
#include "record/mount.h"
#include "store/store.h"
#include "view/mount_rows.h"

namespace volary {

struct MountPlaces {
  Path directory;   // Of the server; holds one for each mount.
  Path forbidden;   // No mount may stand in it: the data directory.
  std::vector<Path> open_to_others;  // Only below these may another Asker have something mounted.
};

// Any thread may call.
class Mounts {
 public:
  using Log = std::function<void(std::string_view line)>;

  Mounts(Database& database, Store& store, Mounter& mounter, MountPlaces places, Clock& clock, Log log);

  // Brings every row to where it belongs after a server that died. Before anything else is called.
  void start();
  // Forgets what was unmounted by others, and shells that have ended.
  void look_after();

  // Throws `not_found`, `conflict` for a second writer, `invalid` for a path that cannot be, `exists` if something of
  // ours stands there, `denied` for a place that is not open to others, `unavailable` where this server cannot mount.
  Mount mount(const Caller& caller, const NewMount& wanted, Asker asker);
  Mount get(const Caller& caller, const std::string& id);
  std::vector<Mount> list(const Caller& caller, const std::string& path, const std::string& after, size_t limit);
  // Takes it away, and makes of what was written the next version. Throws `conflict` naming the processes that have
  // something open in it; whatever it throws, what was written is kept.
  Unmounted unmount(const Caller& caller, const std::string& id, const Unmount& wanted);

 private:
  class InHand;

  void check_place(const NewMount& wanted, Asker asker) const;
  Path directory_of(const MountRow& row) const { return places_.directory / row.id; }
  Mount view_of(const MountRow& row) const;
  void stand(const MountRow& row);             // Makes it seen.
  Unmounted end(const MountRow& row);          // All of unmounting.
  void take_away(const MountRow& row) const;
  Unmounted commit_changes(const MountRow& row);
  void put_back(const MountRow& row, const std::string& why);
  void forget(const MountRow& row);
  void write_state(const MountRow& row, MountState state, const std::string& note = "");
  void resume(const MountRow& row, const std::vector<HostMount>& standing);
  void look_at_mounted(const MountRow& row, const std::vector<HostMount>& standing);
  void remove_strays();

  Database& database_;
  Store& store_;
  Mounter& mounter_;
  const MountPlaces places_;
  Clock& clock_;
  Log log_;
  Synced<std::set<std::string>> in_hand_;  // Ids that a thread works on.
};

}  // namespace volary
