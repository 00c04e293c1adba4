// job/synchronisations.h: the data of jobs on their way from and to datastores: table data_sync. For this folder only.
//
// A pull fills a staged volume before the job begins. While it runs, somebody may ask for what is new: the volume gets
// another version, which the process then sees where it saw the one before (engine/showing.h); where it writes, the
// files that are new are brought to it (mount/bring_in.h). A push brings what the job changed to its place, while it
// runs (somebody asked) or when its process has ended. Of one attachment there is one at a time. Both are transfers
// (volume/transfers.h), which are resumed after a crash and tried again as all of them; here stands only what they mean
// for the job. Every step is one transaction that can be asked for again.
#pragma once

#include <string>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "engine/runner.h"
#include "job/rows.h"
#include "job/states.h"
#include "record/synchronisation.h"
#include "volume/staged_volumes.h"
#include "volume/transfers.h"

namespace volary {

// What a job that ends so tells first.
constexpr const char* sync_failed = "DATASYNC_FAILED";

// A row with what its transfer says.
struct SyncRow {
  std::string id;
  uint64_t number = 0;
  SyncDirection direction{};
  bool manual = false;
  SyncOccasion occasion{};
  SyncState state{};
  std::string volume_id;
  // push: what is pushed. Of a pull that was asked for: what the process sees since, or will; where it writes, the
  // version of its own volume with what is new.
  uint64_t version = 0;
  std::string transfer;
  std::string reason;
  Time created_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::string transfer_state;  // "" without one.
  std::string transfer_error;
  uint64_t transfer_version = 0;
  std::optional<TransferCounts> counts;
};
BOOST_DESCRIBE_STRUCT(SyncRow, (), (id, number, direction, manual, occasion, state, volume_id, version, transfer,
                                    reason, created_at, started_at, ended_at, transfer_state, transfer_error,
                                    transfer_version, counts))

// Of its newest run.
std::vector<SyncRow> syncs_of(Transaction& transaction, const std::string& job_id);
// Of these, those that have not ended.
std::vector<SyncRow> open_syncs_of(Transaction& transaction, const std::string& job_id);
// Of those while it ran, the newest `publications_shown` that have ended; all others.
constexpr uint64_t publications_shown = 50;
std::vector<SyncRow> recent_syncs_of(Transaction& transaction, const std::string& job_id);
// As people see them.
std::vector<DataSync> syncs_shown(Transaction& transaction, const JobRow& job);

// The place of what an attachment's changes are pushed to. Throws `not_found` if its datastore has been removed.
StorePlace push_place(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment);
// Begins to push `version` of the attachment's volume; if the target has it already, the row is DONE at once. With the
// id of a row that waits, for that; otherwise a new one.
void begin_push(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment, uint64_t version,
                const std::string& sync_id, Time now);
// A row that waits; its id.
std::string insert_sync(Transaction& transaction, const std::string& job_id, const AttachmentRow& attachment,
                        SyncDirection direction, SyncOccasion occasion, Time now);
// Throws `conflict` naming an attachment whose changes could not be pushed and are kept until they are.
void check_nothing_left_to_push(Transaction& transaction, const JobRow& job);
// Throws `conflict` while something is still being pulled for a job that has ended: that is broken off (abandon()).
void check_nothing_is_pulled(Transaction& transaction, const JobRow& job);
void end_sync(Transaction& transaction, const std::string& id, SyncState state, const std::string& reason, Time now);

// What a pull brought for a job that writes there.
struct Arrival {
  AttachmentRow attachment;
  std::string from;          // "VOLUME@NUMBER" of what it brought.
  Digest last, now;          // Trees: what its place held when it was read last, and what it holds.
  Digest pushed;             // The tree of the place that is pushed to, for all that the job knows.
  bool comes_back = false;   // That is the same place.
  std::optional<Digest> kept = {};  // The tree of the version that stands for `pushed` with what is new.
};

// Any thread may call.
class DataSyncs {
 public:
  DataSyncs(Database& database, Transfers& transfers, Clock& clock)
      : database_(database), transfers_(transfers), clock_(clock) {}

  // Of a job in INITIALIZING: begins its pulls and gives its attachments what they brought. The facts' wait says what
  // is still missing.
  void pull(const JobRow& job, JobFacts& facts);
  // Of a job that runs: begins the pulls that somebody asked for. Those that have brought a version which the process
  // does not see yet.
  std::vector<SyncRow> arrived_pulls(const JobRow& job);
  // Of what the process writes to: what one of them brought; nothing for another.
  std::optional<Arrival> arrival_of(const JobRow& job, const SyncRow& sync);
  // That it is where the process sees it. `stayed`: what is not, for people; or "".
  void note_brought_in(const JobRow& job, const SyncRow& sync, const std::string& stayed);
  // Those of them that its supervisor has been asked to show, or is about to be.
  std::vector<SyncRow> pulls_to_show(const JobRow& job);
  // Whether the process sees what one of them brought. What it may have seen stays known as read.
  void note_shown(const SyncRow& sync, const ShowAnswer& answer);
  // Of a job that runs, is finalised or ended in ERROR: writes down which pushes have ended. In FINALIZING, the facts'
  // wait says whether all have arrived.
  void look_at_pushes(const JobRow& job, JobFacts& facts);
  // Those that somebody asked for and that wait for the job's changes to be harvested.
  std::vector<SyncRow> wanted_pushes(const JobRow& job);
  // That one of them cannot be, now.
  void refuse(const SyncRow& sync, const std::string& reason);
  // Breaks off what was begun to be pulled for a job that has ended.
  void abandon(const JobRow& job);

 private:
  void begin_pulls(const JobRow& job);
  void begin_asked_pull(const JobRow& job, const SyncRow& sync);
  bool has_arrived(const JobRow& job, const SyncRow& sync);
  void break_off_pulls(const JobRow& job, JobFacts& facts);
  void cancel_own(const JobRow& job, const SyncRow& sync);
  void too_late(const SyncRow& sync, const JobFacts& facts);
  bool was_broken_off(const SyncRow& sync);
  bool end_pull(const JobRow& job, const SyncRow& sync);

  Database& database_;
  Transfers& transfers_;
  Clock& clock_;
};

}  // namespace volary
