// volume/upkeep_work.h: the acts of upkeep and what they work with. For volume/ alone; people ask volume/upkeep.h.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "access/audit.h"
#include "access/caller.h"
#include "core/progress.h"
#include "core/synced.h"
#include "db/database.h"
#include "record/store.h"
#include "store/check.h"
#include "store/store.h"
#include "volume/datastores.h"
#include "volume/upkeep_notes.h"

namespace volary {

struct UpkeepParts {
  Database& database;
  Store& store;
  Datastores& datastores;
  Audit& audit;
  Clock& clock;
  Path key_file;                                            // What opens the secrets.
  std::string program;                                      // "volary 0.1.0"
  // Of one file in the store's images/. Calls `check` now and then if it takes long, and lets through what it throws.
  std::function<bool(const Path& image, const std::function<void()>& check)> image_is_whole;
  std::function<Uptime()> uptime = uptime_of_machine;
};

// What others see of a run, and how they end it.
class UpkeepLive {
 public:
  // Begins a phase: its counts start anew.
  void begin(const std::string& phase) {
    progress.files_done = progress.files_total = 0;
    progress.bytes_done = progress.bytes_total = 0;
    *phase_.lock() = phase;
  }
  std::string phase() { return *phase_.lock(); }
  std::stop_token token() const { return stop.get_token(); }
  // Throws `unavailable` if the run was asked to end.
  void check_stop() const;

  Progress progress;
  std::stop_source stop;

 private:
  Synced<std::string> phase_;
};

// Each runs to its end, alone.
SweepReport sweep_store(const UpkeepParts& parts, const SweepRequest& request, UpkeepLive& live);
ScrubReport scrub_store(const UpkeepParts& parts, const ScrubRequest& request, UpkeepLive& live);
CheckReport check_store(const UpkeepParts& parts, const CheckRequest& request, UpkeepLive& live);
RepairReport repair_store(const UpkeepParts& parts, const Caller& caller, const RepairRequest& request,
                          UpkeepLive& live);

// --- what keeps an object alive

struct Roots {
  std::vector<Digest> trees;  // Of every version.
  std::vector<Digest> blobs;  // Which transfers under way have fetched already. May be absent: they are fetched again.
};
Roots roots_of(Transaction& transaction);

struct VersionRow {
  std::string project;
  std::string volume;
  uint64_t number = 0;
  Digest tree;
  Digest checksum;
  uint64_t files = 0;
  uint64_t bytes = 0;
  // "wiki@3", with the project before it unless that is the default one.
  std::string name() const;
};
BOOST_DESCRIBE_STRUCT(VersionRow, (), (project, volume, number, tree, checksum, files, bytes))
std::vector<VersionRow> all_versions(Transaction& transaction);

// --- the table damage

// `by` is "scrub" or "check".
void note_damage(Transaction& transaction, const Flaw& flaw, const std::string& by, Time now);
void forget_damage(Transaction& transaction, ObjectKind kind, const Digest& digest);
std::string word_of(ObjectKind kind);  // "blob", "tree"
// Which paths of which versions lead to each of the flaws, at most `limit` for each.
using Uses = std::map<Digest, std::vector<std::string>>;
Uses uses_of(const UpkeepParts& parts, const std::vector<Flaw>& flaws, size_t limit);

// How the last check ended. Kept as the note "check".
struct CheckNote {
  Time at;
  uint64_t damaged = 0;
};
BOOST_DESCRIBE_STRUCT(CheckNote, (), (at, damaged))

}  // namespace volary
