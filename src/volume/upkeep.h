// volume/upkeep.h: the store's upkeep: what people or the schedule ask for, one thing at a time, in the background.
//
// A run that somebody asks for ends one that the schedule began (a scrub goes on later where it was); while another one
// that somebody asked for is under way, it is refused with that one's name. Runs live in this process: one that is cut
// off by the server's end is begun anew by whoever wants it; each act is safe at any moment of its death.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "record/problem.h"
#include "volume/backup.h"
#include "volume/upkeep_work.h"

namespace volary {

using UpkeepRequest = std::variant<SweepRequest, ScrubRequest, CheckRequest, RepairRequest, BackupRequest,
                                   VerifyBackupRequest>;

// How often each is begun by itself; 0: never.
struct UpkeepSchedule {
  int64_t sweep_seconds = 24 * 3600;
  int64_t check_seconds = 24 * 3600;
  int64_t scrub_seconds = 7 * 24 * 3600;  // One whole pass in that time.
};

// Any thread may call.
class Upkeep {
 public:
  using Log = std::function<void(std::string_view line)>;
  Upkeep(UpkeepParts parts, Log log);
  ~Upkeep();

  // Looks at the epochs and the clock, and begins to follow the schedule.
  void start(const UpkeepSchedule& schedule);
  // Ends what is under way, soon.
  void stop();

  // Begins a run. Throws `conflict` while another one that somebody asked for is under way.
  UpkeepRun begin(const Caller& caller, const UpkeepRequest& request);
  // One that runs, or of those that ended the last of its kind. Throws `not_found`.
  UpkeepRun get(const std::string& id);
  // Asks what is under way to end. Nothing is fine.
  void end_current();

  StoreStats stats();
  // Whether the store takes versions, is whole as far as anybody knows, and is what the database is of.
  Finding finding();
  std::vector<StoreDamage> damage();
  std::vector<Backup> backups(const Caller& caller, const std::string& target);

 private:
  struct Live;  // A run under way.
  enum class Nice { no, yes };

  std::shared_ptr<Live> launch(const std::string& by, const Caller& caller, const UpkeepRequest& request, Nice nice);
  void perform(Live& live, const Caller& caller, const UpkeepRequest& request);
  void finish(Live& live, const UpkeepRun& run);
  void follow_schedule(const std::stop_token& stop);
  std::optional<UpkeepRequest> what_is_due(Time started);
  void run_scheduled(const UpkeepRequest& request, const std::stop_token& stop);
  std::vector<UpkeepRun> last_runs();

  UpkeepParts parts_;
  const Log log_;
  UpkeepSchedule schedule_;
  bool is_started_ = false;
  Synced<std::shared_ptr<Live>> current_;
  std::condition_variable ended_;  // Of current_.
  Synced<bool> waking_{false};
  std::condition_variable wake_;
  std::jthread scheduler_;
};

}  // namespace volary
