// job/synchronisations.cc: the rows behind job/synchronisations.h, moved from state to state. Those of pulls that
// somebody asked for are in asked_pulls.cc.
#include "job/synchronisations.h"

#include <algorithm>

#include "core/fault.h"
#include "core/random.h"
#include "job/sync_rows.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"
#include "volume/volumes.h"

namespace volary {
namespace {

// What a job's own volume held before is needed no more, but for what the job began with and what was pulled for it.
void note_pushed(Transaction& transaction, const JobRow& job, const SyncRow& sync) {
  transaction.run("UPDATE job_attachment SET pushed = $3 WHERE job = $1 AND number = $2", job.id, sync.number,
                  sync.version);
  transaction.run(
      "DELETE FROM version WHERE volume IN (SELECT volume FROM staged WHERE volume = $1 AND job = $2) AND number < $3 "
      "AND number <> (SELECT version FROM job_attachment WHERE job = $4 AND number = $5) AND number NOT IN "
      "(SELECT version FROM data_sync WHERE job = $6 AND number = $7 AND volume = $8 AND direction = 'pull')",
      sync.volume_id, job.id, sync.version, job.id, sync.number, job.id, sync.number, sync.volume_id);
}

bool is_last(const SyncRow& sync) { return sync.occasion == SyncOccasion::end; }

void give_up(JobFacts& facts, std::string_view act, const std::string& what, const std::string& reason) {
  facts.wait = Wait::given_up;
  facts.wait_reason = fmt::format("{}: {} '{}': {}", sync_failed, act, what, reason);
}

constexpr std::string_view select_sync =
    "SELECT data_sync.id, number, direction, manual, occasion, data_sync.state, data_sync.volume, data_sync.version, "
    "data_sync.transfer, data_sync.reason, data_sync.created_at, data_sync.started_at, data_sync.ended_at, "
    "COALESCE(transfer.state, ''), COALESCE(transfer.error, ''), COALESCE(transfer.version, 0), transfer.counts "
    "FROM data_sync LEFT JOIN transfer ON transfer.id = data_sync.transfer WHERE data_sync.job = $1 "
    "AND past_run = 0 ";
constexpr std::string_view in_order = "ORDER BY data_sync.created_at, number, data_sync.id";

}  // namespace

std::vector<SyncRow> syncs_of(Transaction& transaction, const std::string& job_id) {
  return transaction.all<SyncRow>(fmt::format("{}{}", select_sync, in_order), job_id);
}

std::vector<SyncRow> open_syncs_of(Transaction& transaction, const std::string& job_id) {
  return transaction.all<SyncRow>(
      fmt::format("{}AND data_sync.state IN ('QUEUED', 'RUNNING') {}", select_sync, in_order), job_id);
}

std::vector<SyncRow> recent_syncs_of(Transaction& transaction, const std::string& job_id) {
  return transaction.all<SyncRow>(
      fmt::format("{}AND (occasion IN ('begin', 'end') OR data_sync.state IN ('QUEUED', 'RUNNING') OR "
                  "data_sync.id IN (SELECT id FROM data_sync WHERE job = $2 AND occasion NOT IN ('begin', 'end') "
                  "ORDER BY created_at DESC, id LIMIT {})) {}",
                  select_sync, publications_shown, in_order),
      job_id, job_id);
}

std::vector<DataSync> syncs_shown(Transaction& transaction, const JobRow& job) {
  std::vector<DataSync> shown;
  for (const SyncRow& row : recent_syncs_of(transaction, job.id)) {
    const NewAttachment& asked = asked_of(job, row.number);
    DataSync one{.id = row.id, .job = job.id, .volume = asked.volume, .path = asked.path, .direction = row.direction,
                 .manual = row.manual, .occasion = row.occasion, .state = row.state,
                 .progress = row.counts.value_or(TransferCounts()), .version = row.version, .transfer = row.transfer,
                 .reason = row.reason, .created_at = row.created_at, .started_at = row.started_at,
                 .ended_at = row.ended_at};
    TransferCounts& counts = one.progress;
    counts.processed = counts.completed + counts.skipped + counts.failed;
    if (!is_ended(row.state) && !is_asked_pull(row) && !row.transfer.empty() && has_ended(row)) {
      // Nobody has written it down yet. What is pulled for a job that runs has yet to be shown to it.
      one.state = is_done(row) ? SyncState::DONE : SyncState::FAILED;
      if (!is_done(row)) one.reason = failure_of(row);
    }
    shown.push_back(std::move(one));
  }
  return shown;
}

std::string insert_sync(Transaction& transaction, const std::string& job_id, const AttachmentRow& attachment,
                        SyncDirection direction, SyncOccasion occasion, Time now) {
  const std::string id = new_id("sync");
  transaction.run(
      "INSERT INTO data_sync (id, job, number, direction, manual, occasion, state, volume, version, transfer, reason, "
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, 'QUEUED', $7, 0, '', '', $8)",
      id, job_id, attachment.number, direction, occasion == SyncOccasion::asked, occasion, attachment.volume_id, now);
  return id;
}

void check_nothing_is_pulled(Transaction& transaction, const JobRow& job) {
  for (const SyncRow& sync : open_syncs_of(transaction, job.id))
    if (sync.direction == SyncDirection::pull)
      throw Error(Errc::conflict, "job {} has ended, but what is pulled for it is still being broken off: expected one "
                  "without; try again in a moment", job.id);
}

void end_sync(Transaction& transaction, const std::string& id, SyncState state, const std::string& reason, Time now) {
  transaction.run("UPDATE data_sync SET state = $2, reason = $3, ended_at = $4 WHERE id = $1", id, state, reason, now);
}

StorePlace push_place(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment) {
  const auto store = find_datastore(transaction, job.project, attachment.push_datastore);
  if (!store || store->id != attachment.push_store)
    throw Error(Errc::not_found, "datastore '{}', to which '{}' is pushed, has been removed{}",
                attachment.push_datastore, attachment.path, store ? "; the one of that name now is another" : "");
  return {*store, attachment.push_directory};
}

void begin_push(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment, uint64_t version,
                const std::string& sync_id, Time now) {
  const bool is_there = version == attachment.pushed || attachment.push_datastore.empty();
  std::string transfer;
  if (!is_there)
    transfer = push_staged(transaction, caller_of(job),
                           {.volume_id = attachment.volume_id, .version = version, .since = attachment.pushed,
                            .removals = attachment.access == AttachAccess::rwd ? Removals::go : Removals::stay},
                           push_place(transaction, job, attachment), now);
  const std::string id = sync_id.empty() ? insert_sync(transaction, job.id, attachment, SyncDirection::push,
                                                       SyncOccasion::end, now)
                                         : sync_id;
  transaction.run(
      "UPDATE data_sync SET state = $2, version = $3, transfer = $4, started_at = $5, ended_at = $6 WHERE id = $1", id,
      is_there ? SyncState::DONE : SyncState::RUNNING, version, transfer, now,
      is_there ? std::optional<Time>(now) : std::nullopt);
  fault::point("job.pushing");
}

void DataSyncs::begin_pulls(const JobRow& job) {
  database_.write([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    if (!now_job || now_job->state != JobState::INITIALIZING) return;
    const Time now = clock_.now();
    for (const SyncRow& sync : syncs_of(transaction, job.id)) {
      if (sync.direction != SyncDirection::pull || sync.state != SyncState::QUEUED) continue;
      const AttachmentRow attachment = attachment_at(transaction, job.id, sync.number);
      const auto store = find_datastore(transaction, job.project, attachment.datastore);
      if (!store) {
        end_sync(transaction, sync.id, SyncState::FAILED,
                 fmt::format("datastore '{}' has been removed", attachment.datastore), now);
        continue;
      }
      const std::string transfer =
          pull_staged(transaction, caller_of(job), sync.volume_id, {*store, attachment.directory},
                      comes_back(attachment) ? Absent::made : Absent::refused, now);
      transaction.run("UPDATE data_sync SET state = 'RUNNING', transfer = $2, started_at = $3 WHERE id = $1", sync.id,
                      transfer, now);
    }
    fault::point("job.pulling");
  });
}

// A pull that several jobs may wait for is theirs, and was cancelled.
bool DataSyncs::was_broken_off(const SyncRow& sync) {
  if (sync.transfer_state != name_of_value(TransferState::cancelled)) return false;
  return database_.read([&](Transaction& transaction) {
    return transaction.find<std::string>("SELECT volume FROM staged WHERE volume = $1 AND job = ''", sync.volume_id)
        .has_value();
  });
}

// False if what was pulled has gone meanwhile: nothing holds it until the job does.
bool DataSyncs::end_pull(const JobRow& job, const SyncRow& sync) {
  return database_.write([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    if (!now_job || now_job->state != JobState::INITIALIZING) return true;
    const Time now = clock_.now();
    const Holder holder{"job", job.id};
    const AttachmentRow attachment = attachment_at(transaction, job.id, sync.number);
    uint64_t version = sync.transfer_version;
    if (version != 0 && !has_version(transaction, sync.volume_id, version)) {
      begin_again(transaction, sync);
      return false;
    }
    if (attachment.access == AttachAccess::ro) {
      take_reader(transaction, attachment.volume_id, version, holder, now);
    } else {
      take_writer(transaction, attachment.volume_id, attachment.volume, version, holder, now);
      if (attachment.volume_id != sync.volume_id && version != 0) {
        copy_version(transaction, sync.volume_id, version, attachment.volume_id, job.subject, holder, now);
        version = 1;
      }
    }
    transaction.run("UPDATE job_attachment SET version = $3, pushed = $3 WHERE job = $1 AND number = $2", job.id,
                    sync.number, version);
    end_sync(transaction, sync.id, SyncState::DONE, left_out_of(transaction, sync), now);
    fault::point("job.pulled");
    return true;
  });
}

void DataSyncs::pull(const JobRow& job, JobFacts& facts) {
  auto syncs = database_.read([&](Transaction& transaction) { return syncs_of(transaction, job.id); });
  std::erase_if(syncs, [](const SyncRow& sync) { return sync.direction != SyncDirection::pull; });
  if (std::any_of(syncs.begin(), syncs.end(), [](const SyncRow& sync) { return sync.state == SyncState::QUEUED; })) {
    begin_pulls(job);
    facts.wait = Wait::waiting;
    return;
  }
  for (const SyncRow& sync : syncs) {
    const std::string& what = asked_of(job, sync.number).volume;
    if (sync.state == SyncState::FAILED) return give_up(facts, "pulling", what, sync.reason);
    if (sync.state != SyncState::RUNNING) continue;
    if (!has_ended(sync)) {
      facts.wait = Wait::waiting;
    } else if (is_done(sync)) {
      if (!end_pull(job, sync)) facts.wait = Wait::waiting;
    } else if (was_broken_off(sync)) {  // By somebody who does not need it.
      database_.write([&](Transaction& t) { begin_again(t, sync); });
      facts.wait = Wait::waiting;
    } else {
      const std::string reason = failure_of(sync);
      database_.write([&](Transaction& t) { end_sync(t, sync.id, SyncState::FAILED, reason, clock_.now()); });
      return give_up(facts, "pulling", what, reason);
    }
  }
}

// What was to be pushed while the job ran, and is pushed at its end.
void DataSyncs::too_late(const SyncRow& sync, const JobFacts& facts) {
  database_.write([&](Transaction& transaction) {
    if (sync.manual)
      end_sync(transaction, sync.id, SyncState::FAILED,
               facts.ending == JobState::ERROR ? "the job was lost first"
                                               : "the job ended first; what it changed is pushed at its end",
               clock_.now());
    else transaction.run("DELETE FROM data_sync WHERE id = $1", sync.id);
  });
}

void DataSyncs::look_at_pushes(const JobRow& job, JobFacts& facts) {
  const bool ends = job.state == JobState::FINALIZING;
  if (ends) break_off_pulls(job, facts);
  // Of one that runs there may be thousands that have ended.
  const auto syncs = database_.read([&](Transaction& transaction) {
    return ends ? syncs_of(transaction, job.id) : open_syncs_of(transaction, job.id);
  });
  for (const SyncRow& sync : syncs) {
    if (sync.direction != SyncDirection::push) continue;
    const std::string& what = asked_of(job, sync.number).volume;
    if (ends && is_last(sync) && is_ended(sync.state) && sync.state != SyncState::DONE)
      return give_up(facts, "pushing", what, sync.reason);
    if (sync.state == SyncState::QUEUED && ends) too_late(sync, facts);
    if (sync.state != SyncState::RUNNING) continue;
    if (!has_ended(sync)) {
      if (ends) facts.wait = Wait::waiting;
      continue;
    }
    const bool arrived = is_done(sync);
    database_.write([&](Transaction& transaction) {
      end_sync(transaction, sync.id, arrived ? SyncState::DONE : SyncState::FAILED,
               arrived ? sync.reason : failure_of(sync), clock_.now());
      if (arrived) note_pushed(transaction, job, sync);
      fault::point("job.pushed");
    });
    if (!arrived && ends && is_last(sync)) return give_up(facts, "pushing", what, failure_of(sync));
  }
}

std::vector<SyncRow> DataSyncs::wanted_pushes(const JobRow& job) {
  const auto syncs = database_.read([&](Transaction& transaction) { return open_syncs_of(transaction, job.id); });
  std::vector<SyncRow> wanted;
  for (const SyncRow& sync : syncs) {
    if (sync.direction == SyncDirection::push && sync.state == SyncState::QUEUED && !has_running(syncs, sync))
      wanted.push_back(sync);
  }
  return wanted;
}

void DataSyncs::refuse(const SyncRow& sync, const std::string& reason) {
  database_.write([&](Transaction& t) { end_sync(t, sync.id, SyncState::ERROR, reason, clock_.now()); });
}

void DataSyncs::abandon(const JobRow& job) {
  const auto syncs = database_.read([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    return now_job && now_job->run == job.run ? syncs_of(transaction, job.id) : std::vector<SyncRow>();
  });
  for (const SyncRow& sync : syncs) {
    if (is_ended(sync.state) || sync.direction != SyncDirection::pull) continue;
    cancel_own(job, sync);
    database_.write([&](Transaction& t) {
      end_sync(t, sync.id, SyncState::FAILED,
               is_asked_pull(sync) ? "the job ended first" : "the job was stopped before it began", clock_.now());
    });
  }
}

}  // namespace volary
