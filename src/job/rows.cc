// job/rows.cc: reading and moving rows, for job/rows.h.
#include "job/rows.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "event/events.h"
#include "job/receipts.h"
#include "job/runs.h"
#include "job/standing.h"
#include "job/synchronisations.h"
#include "record/transfer.h"
#include "volume/happenings.h"
#include "volume/ledger.h"

namespace volary {

std::optional<JobRow> find_job(Transaction& transaction, const std::string& id) {
  return transaction.find<JobRow>(
      "SELECT id, tenant, project, subject, name, spec, state, reason, exit_code, ending, stop_requested, created_at, "
      "started_at, ended_at, published_at, run, queued_at, begins_at, restarts, sealed, cpu, memory_bytes, gpu, gpus, "
      "priority, in_queue, turn, units FROM job "
      "WHERE id = $1 AND removed_at IS NULL",
      id);
}

std::vector<AttachmentRow> attachments_of(Transaction& transaction, const std::string& job_id) {
  return transaction.all<AttachmentRow>(
      "SELECT job_attachment.number, job_attachment.volume, volume.name, job_attachment.path, job_attachment.access, "
      "job_attachment.version, job_attachment.result, COALESCE(version.tree, ''), "
      "CASE WHEN staged.volume IS NULL THEN 0 ELSE 1 END, job_attachment.datastore, job_attachment.directory, "
      "push_datastore, push_store, push_directory, pushed, marker FROM job_attachment "
      "JOIN volume ON volume.id = job_attachment.volume LEFT JOIN staged ON staged.volume = job_attachment.volume "
      "LEFT JOIN version ON version.volume = job_attachment.volume AND version.number = job_attachment.version "
      "WHERE job_attachment.job = $1 ORDER BY job_attachment.number",
      job_id);
}

namespace {

// An attachment whose version is being brought from a bucket, with how far that is.
struct Staged {
  uint64_t number = 0;
  std::string volume_id;
  std::string volume;
  std::string transfer;
  std::string state;  // "" if there is no such transfer any more.
  uint64_t version = 0;
  std::string error;
};
BOOST_DESCRIBE_STRUCT(Staged, (), (number, volume_id, volume, transfer, state, version, error))

std::vector<Staged> staged_of(Transaction& transaction, const std::string& job_id) {
  return transaction.all<Staged>(
      "SELECT job_attachment.number, volume.id, volume.name, job_attachment.staging, COALESCE(transfer.state, ''), "
      "COALESCE(transfer.version, 0), COALESCE(transfer.error, '') FROM job_attachment "
      "JOIN volume ON volume.id = job_attachment.volume "
      "LEFT JOIN transfer ON transfer.id = job_attachment.staging "
      "WHERE job_attachment.job = $1 AND job_attachment.staging <> '' ORDER BY job_attachment.number",
      job_id);
}

bool is_under_way(const Staged& staged) {
  return !staged.state.empty() && !is_terminal(value_named<TransferState>(staged.state, "transfer state"));
}

// Nothing holds a version from the end of its staging until the job does.
bool is_there(Transaction& transaction, const Staged& staged) {
  return staged.version == 0 ||
         transaction
             .find<uint64_t>("SELECT number FROM version WHERE volume = $1 AND number = $2", staged.volume_id,
                             staged.version)
             .has_value();
}

// Gives the attachments the versions that were staged for them. The facts' wait says what is still missing.
void end_staging(Database& database, const JobRow& row, Time now, JobFacts& facts) {
  const auto staged = database.read([&](Transaction& transaction) { return staged_of(transaction, row.id); });
  for (const Staged& one : staged) {
    if (is_under_way(one)) {
      facts.wait = Wait::waiting;
      return;
    }
    if (one.state == name_of_value(TransferState::done)) continue;
    facts.wait = Wait::given_up;
    facts.wait_reason = fmt::format("volume '{}' could not be staged from its bucket by transfer {}: {}", one.volume,
                                    one.transfer, one.error.empty() ? "it was cancelled" : one.error);
    return;
  }
  if (staged.empty()) return;
  database.write([&](Transaction& transaction) {
    const auto job = find_job(transaction, row.id);
    if (!job || job->state != JobState::QUEUED) return;
    for (const Staged& one : staged) {
      if (is_there(transaction, one)) continue;
      facts.wait = Wait::given_up;
      facts.wait_reason = fmt::format("version {} of volume '{}', which transfer {} staged from its bucket, has been "
                                      "deleted since", one.version, one.volume, one.transfer);
      return;
    }
    for (const Staged& one : staged) {
      transaction.run("UPDATE job_attachment SET version = $3, staging = '' WHERE job = $1 AND number = $2", row.id,
                      one.number, one.version);
      take_reader(transaction, one.volume_id, one.version, {"job", row.id}, now);
    }
    end_happening(transaction, row.id, Cause::staging, now);
  });
}

}  // namespace

Job view_of(Transaction& transaction, const JobRow& row) {
  Job job;
  job.id = row.id;
  job.project = row.project;
  job.name = row.name;
  job.user = row.subject;
  job.state = row.state;
  job.reason = row.reason;
  job.exit_code = row.exit_code;
  job.command = row.spec.command;
  job.env = row.spec.env;
  job.labels = row.spec.labels;
  job.timeout_seconds = row.spec.timeout_seconds.value_or(timeout_seconds_default);
  if (row.cpu > 0) job.cpus = row.cpu;
  if (row.memory_bytes > 0) job.memory_bytes = row.memory_bytes;
  if (row.gpu > 0) job.gpu = row.gpu;
  job.gpus = row.gpus;
  if (!row.units.flavor.empty()) {
    job.flavor = row.units.flavor;
    job.units = row.units.units;
  }
  job.priority = row.priority;
  job.image = row.spec.image;
  job.container = row.spec.container;
  job.publish_every_seconds = row.spec.publish_every_seconds;
  job.publish_marker = row.spec.publish_marker;
  job.created_at = row.created_at;
  job.started_at = row.started_at;
  job.ended_at = row.ended_at;
  for (const AttachmentRow& one : attachments_of(transaction, row.id)) {
    const bool is_known = one.is_staged && one.number < row.spec.attachments.size();
    job.attachments.push_back({is_known ? row.spec.attachments[one.number].volume : one.volume, one.path, one.access,
                               one.version, one.result});
  }
  job.data_sync = syncs_shown(transaction, row);
  if (row.in_queue) job.reason = turn_text(row);
  if (row.state == JobState::QUEUED)
    if (const auto waiting = find_waiting(transaction, {"job", row.id}); waiting && !waiting->reason.empty())
      job.reason = "waits: " + waiting->reason;
  if (row.state == JobState::QUEUED)
    for (const Staged& one : staged_of(transaction, row.id))
      if (is_under_way(one))
        job.reason = fmt::format("waits: transfer {} stages volume '{}' from its bucket", one.transfer, one.volume);
  job.history = transaction.all<JobEvent>(
      "SELECT state, date, reason, run FROM job_event WHERE job = $1 ORDER BY number", row.id);
  job.auto_restart = row.spec.auto_restart;
  job.replicas = row.spec.replicas;
  job.dependencies = row.spec.dependencies;
  for (const auto& [name, one] : row.spec.secrets) job.secrets.push_back(name);
  job.run = row.run;
  job.runs = runs_of(transaction, row, job);
  return job;
}

JobFacts facts_of(const JobRow& row) {
  JobFacts facts;
  facts.state = row.state;
  if (!row.ending.empty()) facts.ending = value_named<JobState>(row.ending, "job state");
  facts.ending_reason = row.reason;
  facts.stop_requested = row.stop_requested;
  facts.timeout_seconds = row.spec.timeout_seconds.value_or(timeout_seconds_default);
  facts.started_at = row.started_at;
  return facts;
}

void end_wait(Database& database, const JobRow& row, Time now, JobFacts& facts) {
  end_staging(database, row, now, facts);
  if (facts.wait != Wait::none) return;
  const Holder holder{"job", row.id};
  bool has_news = false;
  const auto waiting = database.read([&](Transaction& transaction) {
    auto found = find_waiting(transaction, holder);
    has_news = found && !found->reason.empty() && is_news(transaction, row.id, found->reason);
    return found;
  });
  if (!waiting) return;
  facts.wait = Wait::waiting;
  if (has_news)
    database.write([&](Transaction& transaction) {
      if (find_waiting(transaction, holder)) note_in_the_way(transaction, row.id, waiting->reason, now);
    });
  if (waiting->reason.empty()) {
    const bool writes = database.write([&](Transaction& transaction) {
      const auto job = find_job(transaction, row.id);
      if (!job || job->state != JobState::QUEUED || !take_waited(transaction, holder, now)) return false;
      transaction.run(
          "UPDATE job_attachment SET version = (SELECT head FROM volume WHERE volume.id = job_attachment.volume) "
          "WHERE job = $1 AND access <> 'ro'",
          row.id);
      return true;
    });
    if (writes) facts.wait = Wait::none;
  } else if (now >= waiting->give_up_at) {
    facts.wait = Wait::given_up;
    facts.wait_reason =
        fmt::format("waited {} in vain: {}", seconds_text((now.micros - waiting->asked_at.micros) / 1'000'000),
                    waiting->reason);
  }
}

void note_job(Transaction& transaction, const std::string& id, Time now) {
  const auto row = find_job(transaction, id);
  if (!row) return;
  const JobMoved moved{row->id, row->name, row->subject, row->state, row->reason, row->exit_code};
  note_event(transaction, row->project, type_of(row->state), id, {.job = moved}, now);
}

bool move_job(Transaction& transaction, const JobRow& row, const Step& step, Time now) {
  const JobState next = *step.next;
  if (!may_follow(row.state, next))
    throw Error(Errc::internal, "job {} cannot go from {} to {}", row.id, name_of_value(row.state),
                name_of_value(next));
  const std::string ending = step.ending ? std::string(name_of_value(*step.ending)) : row.ending;
  const int64_t moved = transaction.run(
      "UPDATE job SET state = $3, reason = $4, ending = $5, exit_code = COALESCE($6, exit_code), in_queue = 0, "
      "turn = '', gpus = $8 WHERE id = $1 AND state = $2 AND run = $7",
      row.id, row.state, next, step.reason, ending, step.exit_code, row.run, row.gpus);
  if (moved == 0) return false;
  if (!row.turn.empty()) end_happening(transaction, row.id, Cause::room, now);
  if (next == JobState::RUNNING) transaction.run("UPDATE job SET started_at = $2 WHERE id = $1", row.id, now);
  if (is_terminal(next)) {
    transaction.run("UPDATE job SET ended_at = $2 WHERE id = $1", row.id, now);
    release_leases(transaction, {"job", row.id});
    transaction.run(
        "UPDATE staged SET used_at = $2 WHERE job = '' AND volume IN (SELECT volume FROM data_sync WHERE job = $1)",
        row.id, now);
    end_happenings(transaction, row.id, now);
    keep_receipt(transaction, row.id);
  }
  transaction.run(
      "INSERT INTO job_event (job, number, state, date, reason, run) "
      "SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $6 FROM job_event WHERE job = $5",
      row.id, next, now, step.reason, row.id, row.run);
  transaction.announce(row.id);
  note_job(transaction, row.id, now);
  if (is_terminal(next)) begin_run_if_wished(transaction, row.id, now);
  fault::point(fmt::format("job.moving.{}", name_of_value(next)));
  return true;
}

}  // namespace volary
