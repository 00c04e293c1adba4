// job/manual_syncs.cc: data synchronised because somebody asks, the part of job/jobs.h for it.
#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "job/synchronisations.h"
#include "job/jobs.h"
#include "job/rows.h"

namespace volary {
namespace {

std::string what_is_attached(const JobRow& job, const AttachmentRow& one) {
  return job.spec.attachments.at(one.number).volume;
}

// Why it cannot be pushed; "" if it can.
std::string why_not_pushed(const AttachmentRow& one) {
  if (one.access == AttachAccess::ro) return "it is attached read-only";
  if (is_standalone(one)) return "it is standalone, and not kept";
  return "";
}

void refuse_pull(const JobRow& job) {
  throw Error(Errc::invalid,
              "the data of job {} cannot be pulled while it runs: what is attached is a version, which never changes "
              "under a process that reads it; what is new in the datastore is there for the next job", job.id);
}

// Those that are meant, and can be pushed.
std::vector<AttachmentRow> chosen(const JobRow& job, std::vector<AttachmentRow> attachments,
                                  const std::optional<std::string>& wanted) {
  std::vector<AttachmentRow> chosen;
  for (AttachmentRow& one : attachments) {
    if (wanted && one.path != *wanted && what_is_attached(job, one) != *wanted) continue;
    const std::string why = why_not_pushed(one);
    if (wanted && !why.empty())
      throw Error(Errc::invalid, "'{}' of job {} cannot be pushed: {}", printable(*wanted), job.id, why);
    if (why.empty()) chosen.push_back(std::move(one));
  }
  if (chosen.empty() && wanted)
    throw Error(Errc::not_found, "nothing is attached to job {} as or at '{}'", job.id, printable(*wanted));
  if (chosen.empty())
    throw Error(Errc::invalid, "job {} has nothing that could be pushed: all that it attaches is read-only", job.id);
  return chosen;
}

// A request that waits already does it.
void want_push(Transaction& transaction, const JobRow& job, const AttachmentRow& one, Time now) {
  for (const SyncRow& sync : syncs_of(transaction, job.id))
    if (sync.number == one.number && sync.direction == SyncDirection::push && sync.state == SyncState::QUEUED) return;
  transaction.run(
      "INSERT INTO data_sync (id, job, number, direction, manual, state, volume, version, transfer, reason, "
      "created_at) VALUES ($1, $2, $3, 'push', 1, 'QUEUED', $4, 0, '', '', $5)",
      new_id("sync"), job.id, one.number, one.volume_id, now);
}

// What an ended job left behind because it could not be pushed.
bool push_again(Transaction& transaction, const JobRow& job, const AttachmentRow& one, Time now) {
  std::optional<SyncRow> last;
  for (const SyncRow& sync : syncs_of(transaction, job.id))
    if (sync.number == one.number && sync.direction == SyncDirection::push) last = sync;
  if (!last || last->state == SyncState::DONE || last->version == 0 || last->transfer_state == "done") return false;
  if (last->state == SyncState::RUNNING && (last->transfer_state == "queued" || last->transfer_state == "planning" ||
                                            last->transfer_state == "running"))
    return true;  // It is under way.
  if (last->state == SyncState::RUNNING) end_sync(transaction, last->id, SyncState::FAILED, last->transfer_error, now);
  const std::string id = new_id("sync");
  transaction.run(
      "INSERT INTO data_sync (id, job, number, direction, manual, state, volume, version, transfer, reason, "
      "created_at) VALUES ($1, $2, $3, 'push', 1, 'QUEUED', $4, 0, '', '', $5)",
      id, job.id, one.number, one.volume_id, now);
  begin_push(transaction, job, one, last->version, id, now);
  return true;
}

}  // namespace

std::vector<DataSync> Jobs::sync(const Caller& caller, const std::string& id, const NewDataSync& request) {
  const JobRow job = database_.write([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, id);
    if (request.direction == SyncDirection::pull) refuse_pull(row);
    const auto attachments = chosen(row, attachments_of(transaction, row.id), request.volume);
    const Time now = clock_.now();
    bool any = false;
    for (const AttachmentRow& one : attachments) {
      if (row.state == JobState::RUNNING) want_push(transaction, row, one, now);
      const bool is_left = row.state == JobState::ERROR && !one.push_datastore.empty();
      any |= row.state == JobState::RUNNING || (is_left && push_again(transaction, row, one, now));
    }
    if (!any)
      throw Error(Errc::conflict,
                  "job {} is {}, and nothing is left to be pushed: expected one that is RUNNING, or one in ERROR whose "
                  "changes could not be pushed", row.id, name_of_value(row.state));
    transaction.announce(jobs_announcement);
    return row;
  });
  fault::point("job.sync_asked");
  std::vector<DataSync> asked;
  for (DataSync& one : get(caller, job.id).data_sync)
    if (one.manual && !is_ended(one.state)) asked.push_back(std::move(one));
  return asked;
}

}  // namespace volary
