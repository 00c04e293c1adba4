// job/asked_pulls.cc: pulls that somebody asked for while a job runs, the part of job/synchronisations.h for them.
#include <algorithm>

#include "core/error_of.h"
#include "core/fault.h"
#include "job/sync_rows.h"
#include "job/synchronisations.h"
#include "volume/bucket_volumes.h"
#include "volume/ledger.h"
#include "volume/staged_volumes.h"
#include "volume/volumes.h"

namespace volary {
namespace {

// A version that a pull brought.
struct Pulled {
  std::string volume_id;
  uint64_t version = 0;
};
BOOST_DESCRIBE_STRUCT(Pulled, (), (volume_id, version))

// By the pull `id`; or by the newest one of that attachment that somebody asked for and that is done.
std::optional<Pulled> find_pulled(Transaction& transaction, const std::string& job_id, uint64_t number,
                                  const std::string& id = "") {
  return transaction.find<Pulled>(
      "SELECT transfer.volume, COALESCE(transfer.version, 0) FROM data_sync JOIN transfer "
      "ON transfer.id = data_sync.transfer WHERE data_sync.job = $1 AND data_sync.number = $2 AND past_run = 0 "
      "AND data_sync.direction = 'pull' AND (data_sync.id = $3 OR ($4 = '' AND data_sync.state = 'DONE' "
      "AND occasion = 'asked')) ORDER BY data_sync.created_at DESC, data_sync.id LIMIT 1",
      job_id, number, id, id);
}

Digest tree_of(Transaction& transaction, const std::string& volume_id, uint64_t number) {
  if (number == 0) return empty_tree().tree;
  const auto tree = transaction.find<Digest>("SELECT tree FROM version WHERE volume = $1 AND number = $2", volume_id,
                                             number);
  if (!tree) throw Error(Errc::internal, "version {} of volume {} has gone", number, volume_id);
  return *tree;
}

// A place that is made by the first push. One that was there and has gone is not an empty one: for that, everything
// would be taken from the job.
bool may_be_absent(Transaction& transaction, const AttachmentRow& attachment) {
  return comes_back(attachment) &&
         tree_of(transaction, attachment.volume_id, attachment.pushed) == empty_tree().tree;
}

// What is pulled for a job that writes comes to a volume beside its own: whose versions are what the job made.
std::string volume_beside(Transaction& transaction, const JobRow& job, const AttachmentRow& attachment, Time now) {
  const auto known = transaction.find<std::string>(
      "SELECT transfer.volume FROM data_sync JOIN transfer ON transfer.id = data_sync.transfer WHERE "
      "data_sync.job = $1 AND data_sync.number = $2 AND past_run = 0 AND data_sync.direction = 'pull' AND "
      "transfer.volume <> $3 LIMIT 1",
      job.id, attachment.number, attachment.volume_id);
  if (known) return *known;
  return make_staged(transaction, caller_of(job),
                     fmt::format("what is new in {} for {}.{}", asked_of(job, attachment.number).volume, job.id,
                                 attachment.number) + (job.run > 1 ? fmt::format("/{}", job.run) : ""),
                     job.id, now);
}

// The version of an attachment that the job's process sees.
uint64_t version_seen(Transaction& transaction, const std::string& job_id, const AttachmentRow& attachment) {
  uint64_t version = attachment.version;
  for (const SyncRow& sync : syncs_of(transaction, job_id))
    if (is_asked_pull(sync) && sync.number == attachment.number && sync.state == SyncState::DONE)
      version = sync.version;
  return version;
}

// Whether somebody who began before that moment fills the volume: that may lack what is new since. Who began later is
// joined.
bool is_being_filled(Transaction& transaction, const std::string& volume_id, Time since) {
  return transaction
      .find<std::string>("SELECT id FROM transfer WHERE volume = $1 AND kind = 'import' AND state IN ('queued', "
                         "'planning', 'running') AND cancel_requested = 0 AND created_at < $2 LIMIT 1",
                         volume_id, since)
      .has_value();
}

// That version is the job's to read and to be shown, unless it sees it already: true if not.
bool take_newer(Transaction& transaction, const JobRow& job, const SyncRow& sync, uint64_t version,
                const std::string& nothing_new, Time now) {
  transaction.run("UPDATE data_sync SET version = $2 WHERE id = $1", sync.id, version);
  if (version != version_seen(transaction, job.id, attachment_at(transaction, job.id, sync.number))) {
    take_reader(transaction, sync.volume_id, version, {"job", job.id}, now);
    return true;
  }
  end_sync(transaction, sync.id, SyncState::DONE, nothing_new, now);
  return false;
}

}  // namespace

// Of a volume, its newest version is there already, unless it is kept in a bucket.
void DataSyncs::begin_asked_pull(const JobRow& job, const SyncRow& sync) {
  database_.write([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    if (!now_job || now_job->state != JobState::RUNNING || now_job->run != job.run) return;
    const Time now = clock_.now();
    const AttachmentRow attachment = attachment_at(transaction, job.id, sync.number);
    std::string transfer;
    uint64_t version = 0;
    bool waits = false;
    const auto error = error_of([&] {
      if (attachment.is_staged) {
        const auto store = find_datastore(transaction, job.project, attachment.datastore);
        if (!store) throw Error(Errc::not_found, "datastore '{}' has been removed", attachment.datastore);
        const std::string volume =
            is_written(attachment) ? volume_beside(transaction, job, attachment, now) : sync.volume_id;
        waits = is_being_filled(transaction, volume, sync.created_at);
        if (!waits)
          transfer = pull_staged(transaction, caller_of(job), volume, {*store, attachment.directory},
                                 may_be_absent(transaction, attachment) ? Absent::made : Absent::refused, now);
        transaction.run("UPDATE data_sync SET volume = $2 WHERE id = $1", sync.id, volume);
        return;
      }
      const Volume volume = get_volume(transaction, caller_of(job), attachment.volume);
      if (volume.id != attachment.volume_id)
        throw Error(Errc::not_found, "volume '{}' is another one by now", attachment.volume);
      if (is_in_bucket(volume)) transfer = stage_bucket(transaction, caller_of(job), volume, now);
      else version = volume.head;
    });
    if (error) return end_sync(transaction, sync.id, SyncState::FAILED, error->message(), now);
    if (waits) return;
    transaction.run("UPDATE data_sync SET state = 'RUNNING', transfer = $2, started_at = $3 WHERE id = $1", sync.id,
                    transfer, now);
    if (transfer.empty()) take_newer(transaction, job, sync, version, "it is the newest version already", now);
    fault::point("job.pulling");
  });
}

// Its transfer has. It begins again if what that brought has gone meanwhile: nothing holds it until the job does.
bool DataSyncs::has_arrived(const JobRow& job, const SyncRow& sync) {
  return database_.write([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    if (!now_job || now_job->state != JobState::RUNNING || now_job->run != job.run) return false;
    const uint64_t version = sync.transfer_version;
    if (version != 0 && !has_version(transaction, sync.volume_id, version)) {
      begin_again(transaction, sync);
      return false;
    }
    const bool is_written_to = is_written(attachment_at(transaction, job.id, sync.number));
    if (is_written_to && version != 0)
      take_reader(transaction, sync.volume_id, version, {"job", job.id}, clock_.now());
    const bool is_new =
        is_written_to || take_newer(transaction, job, sync, version, "nothing is new there", clock_.now());
    fault::point("job.pulled");
    return is_new;
  });
}

std::vector<SyncRow> DataSyncs::arrived_pulls(const JobRow& job) {
  const auto open = database_.read([&](Transaction& transaction) { return open_syncs_of(transaction, job.id); });
  std::vector<SyncRow> arrived;
  for (SyncRow sync : open) {
    if (!is_asked_pull(sync)) continue;
    if (sync.state == SyncState::QUEUED) {
      if (!has_running(open, sync)) begin_asked_pull(job, sync);
    } else if (sync.version != 0) {
      arrived.push_back(std::move(sync));
    } else if (has_ended(sync) && is_done(sync)) {
      if (!has_arrived(job, sync)) continue;
      sync.version = sync.transfer_version;
      arrived.push_back(std::move(sync));
    } else if (has_ended(sync) && was_broken_off(sync)) {
      database_.write([&](Transaction& t) { begin_again(t, sync); });
    } else if (has_ended(sync)) {
      database_.write(
          [&](Transaction& t) { end_sync(t, sync.id, SyncState::FAILED, failure_of(sync), clock_.now()); });
    }
  }
  return arrived;
}

std::vector<SyncRow> DataSyncs::pulls_to_show(const JobRow& job) {
  auto syncs = database_.read([&](Transaction& transaction) { return open_syncs_of(transaction, job.id); });
  std::erase_if(syncs, [](const SyncRow& sync) { return !is_asked_pull(sync) || sync.version == 0; });
  return syncs;
}

std::optional<Arrival> DataSyncs::arrival_of(const JobRow& job, const SyncRow& sync) {
  return database_.read([&](Transaction& transaction) -> std::optional<Arrival> {
    Arrival arrival;
    arrival.attachment = attachment_at(transaction, job.id, sync.number);
    const AttachmentRow& attachment = arrival.attachment;
    if (!is_written(attachment)) return std::nullopt;
    const auto pulled = find_pulled(transaction, job.id, sync.number, sync.id);
    const auto last = find_pulled(transaction, job.id, sync.number);
    if (!pulled) throw Error(Errc::internal, "pull {} has no transfer", sync.id);
    arrival.from = fmt::format("{}@{}", pulled->volume_id, pulled->version);
    arrival.now = tree_of(transaction, pulled->volume_id, pulled->version);
    arrival.pushed = tree_of(transaction, attachment.volume_id, attachment.pushed);
    arrival.comes_back = comes_back(attachment);
    arrival.last = last ? tree_of(transaction, last->volume_id, last->version)
                        : tree_of(transaction, attachment.volume_id, attachment.version);
    if (sync.version != 0 && sync.volume_id == attachment.volume_id)
      arrival.kept = tree_of(transaction, attachment.volume_id, sync.version);
    return arrival;
  });
}

void DataSyncs::note_brought_in(const JobRow& job, const SyncRow& sync, const std::string& stayed) {
  database_.write([&](Transaction& transaction) {
    transaction.run(
        "UPDATE job_attachment SET pushed = (SELECT version FROM data_sync WHERE id = $3) WHERE job = $1 AND "
        "number = $2",
        job.id, sync.number, sync.id);
    std::string reason = left_out_of(transaction, sync);
    if (!stayed.empty()) reason += (reason.empty() ? "" : "; ") + stayed;
    end_sync(transaction, sync.id, SyncState::DONE, reason, clock_.now());
    fault::point("job.brought_in");
  });
}

void DataSyncs::note_shown(const SyncRow& sync, const ShowAnswer& answer) {
  database_.write([&](Transaction& transaction) {
    if (answer.why_not.empty()) {
      end_sync(transaction, sync.id, SyncState::DONE, left_out_of(transaction, sync), clock_.now());
    } else {
      if (!answer.may_be_seen) transaction.run("UPDATE data_sync SET version = 0 WHERE id = $1", sync.id);
      end_sync(transaction, sync.id, SyncState::FAILED, answer.why_not, clock_.now());
    }
    fault::point("job.shown");
  });
}

// Of a job whose process has ended. Nothing may come into a volume of its own that its next run begins with.
void DataSyncs::break_off_pulls(const JobRow& job, JobFacts& facts) {
  const auto syncs = database_.read([&](Transaction& transaction) { return open_syncs_of(transaction, job.id); });
  for (const SyncRow& sync : syncs) {
    if (!is_asked_pull(sync)) continue;
    cancel_own(job, sync);
    database_.write([&](Transaction& t) {
      end_sync(t, sync.id, SyncState::FAILED, "the job ended first", clock_.now());
    });
  }
  const bool is_filled = database_.read([&](Transaction& transaction) {
    return transaction
        .find<std::string>("SELECT id FROM transfer WHERE volume IN (SELECT volume FROM staged WHERE job = $1) AND "
                           "kind = 'import' AND state IN ('queued', 'planning', 'running') LIMIT 1",
                           job.id)
        .has_value();
  });
  if (is_filled) facts.wait = Wait::waiting;
}

// Its transfer, if nobody else waits for that.
void DataSyncs::cancel_own(const JobRow& job, const SyncRow& sync) {
  const bool is_own = database_.read([&](Transaction& transaction) {
    return transaction.find<std::string>("SELECT volume FROM staged WHERE volume = $1 AND job = $2", sync.volume_id,
                                         job.id).has_value();
  });
  if (is_own && !sync.transfer.empty() && !has_ended(sync))
    (void)error_of([&] { transfers_.cancel(caller_of(job), sync.transfer); });
}

}  // namespace volary
