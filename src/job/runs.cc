// job/runs.cc: the statements behind job/runs.h, and the pure decision whether a run follows by itself.
#include "job/runs.h"

#include <algorithm>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "job/attaching.h"
#include "volume/happenings.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

constexpr int64_t short_timeout_seconds = 10;  // Below it runs would do little but begin.

int64_t pause_after(uint64_t restarts) {
  int64_t pause = 1;
  for (uint64_t i = 0; i < restarts && pause < restart_pause_seconds_max; ++i) pause *= 2;
  return std::min(pause, restart_pause_seconds_max);
}

struct PastRun {
  uint64_t number = 0;
  JobState state{};
  std::string reason;
  std::optional<int64_t> exit_code;
  Time queued_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
};
BOOST_DESCRIBE_STRUCT(PastRun, (), (number, state, reason, exit_code, queued_at, started_at, ended_at))

struct PastAttachment {
  uint64_t run = 0;
  uint64_t number = 0;
  std::string volume;
  bool is_staged = false;
  std::string path;
  AttachAccess access{};
  uint64_t version = 0;
  uint64_t result = 0;
};
BOOST_DESCRIBE_STRUCT(PastAttachment, (), (run, number, volume, is_staged, path, access, version, result))

std::vector<PastAttachment> past_attachments(Transaction& transaction, const std::string& job_id) {
  return transaction.all<PastAttachment>(
      "SELECT run, number, volume.name, CASE WHEN staged.volume IS NULL THEN 0 ELSE 1 END, path, access, version, "
      "result FROM job_run_attachment JOIN volume ON volume.id = job_run_attachment.volume "
      "LEFT JOIN staged ON staged.volume = volume.id WHERE job_run_attachment.job = $1 ORDER BY run, number",
      job_id);
}

// The datastores of its URLs, as the run before had them.
UrlStores url_stores_of(Transaction& transaction, const JobRow& row) {
  UrlStores stores;
  for (const NewAttachment& wanted : row.spec.attachments) {
    const AttachSource source = parse_attach_source(wanted.volume);
    if (source.url.empty()) continue;
    const auto store = find_datastore(transaction, row.project, source.url);
    if (!store) throw Error(Errc::not_found, "what was known of '{}' has been removed", wanted.volume);
    stores.emplace(source.url, *store);
  }
  return stores;
}

}  // namespace

std::optional<Restart> restart_after(const AutoRestart& policy, const RunEnd& end) {
  if (end.stop_requested || end.run >= runs_max) return std::nullopt;
  if (end.is_timeout && end.state == JobState::INTERRUPTED && policy.on != RestartOn::failure)
    return Restart{end.timeout_seconds < short_timeout_seconds ? pause_after(end.run - 1) : 0, end.restarts,
                   fmt::format("run {}: run {} ran longer than its timeout allows", end.run + 1, end.run)};
  const uint64_t most = policy.failures_max.value_or(failures_max_default);
  if (end.state != JobState::FAILED || policy.on == RestartOn::timeout || end.restarts >= most) return std::nullopt;
  const int64_t pause = pause_after(end.restarts);
  return Restart{pause, end.restarts + 1,
                 fmt::format("run {}, {} after run {} failed: {} (restart {} of {})", end.run + 1, seconds_text(pause),
                             end.run, end.reason, end.restarts + 1, most)};
}

void begin_run(Transaction& transaction, const JobRow& ended, const NextRun& next, Time now) {
  transaction.run(
      "INSERT INTO job_run (job, number, state, reason, exit_code, queued_at, started_at, ended_at, receipt) "
      "SELECT id, run, state, reason, exit_code, queued_at, started_at, COALESCE(ended_at, $2), receipt FROM job "
      "WHERE id = $1",
      ended.id, now);
  transaction.run(
      "INSERT INTO job_run_attachment (job, run, number, volume, path, access, version, result) "
      "SELECT job, $2, number, volume, path, access, version, result FROM job_attachment WHERE job = $1",
      ended.id, ended.run);
  transaction.run("DELETE FROM job_attachment WHERE job = $1", ended.id);
  transaction.run(
      "UPDATE data_sync SET state = 'FAILED', reason = 'the job was run again', ended_at = $2 "
      "WHERE job = $1 AND past_run = 0 AND state IN ('QUEUED', 'RUNNING')",
      ended.id, now);
  transaction.run("UPDATE data_sync SET past_run = $2 WHERE job = $1 AND past_run = 0", ended.id, ended.run);
  for (const auto& volume : transaction.all<std::string>(
           "SELECT staged.volume FROM staged JOIN volume ON volume.id = staged.volume WHERE staged.job = $1 "
           "AND volume.head > 0 AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.volume = staged.volume) "
           "ORDER BY staged.volume", ended.id))
    empty_staged(transaction, volume);
  transaction.run(
      "UPDATE job SET state = 'QUEUED', reason = $2, run = run + 1, exit_code = NULL, ending = '', stop_requested = 0, "
      "started_at = NULL, ended_at = NULL, queued_at = $3, begins_at = $4, restarts = $5, receipt = '', "
      "published_at = NULL, in_queue = 0, turn = '', gpus = '[]' WHERE id = $1",
      ended.id, next.reason, now, next.begins_at, next.restarts);
  transaction.run(
      "INSERT INTO job_event (job, number, state, date, reason, run) "
      "SELECT $1, MAX(number) + 1, 'QUEUED', $2, $3, $4 FROM job_event WHERE job = $5",
      ended.id, now, next.reason, ended.run + 1, ended.id);
  if (next.begins_at)
    note_happening(transaction, ended.id,
                   {Cause::pause, now, *next.begins_at, fmt::format("paused before run {}", ended.run + 1)});
  transaction.announce(ended.id);
  transaction.announce(jobs_announcement);
  note_job(transaction, ended.id, now);
  fault::point("job.run_begun");
}

void begin_run_if_wished(Transaction& transaction, const std::string& job_id, Time now) {
  const auto row = find_job(transaction, job_id);
  if (!row || !row->spec.auto_restart) return;
  RunEnd end{row->state, row->reason, false, row->stop_requested, row->run, row->restarts,
             row->spec.timeout_seconds.value_or(timeout_seconds_default)};
  end.is_timeout = transaction
                       .find<uint64_t>("SELECT number FROM job_event WHERE job = $1 AND run = $2 AND state = 'TIMEOUT'",
                                       job_id, row->run)
                       .has_value();
  const auto restart = restart_after(*row->spec.auto_restart, end);
  if (!restart) return;
  NextRun next{restart->reason, std::nullopt, restart->restarts};
  if (restart->pause_seconds > 0) next.begins_at = now.plus_seconds(restart->pause_seconds);
  begin_run(transaction, *row, next, now);
}

void attach_anew(Database& database, const JobRow& row, Time now, JobFacts& facts) {
  if (row.run == 1) return;
  if (row.begins_at && now < *row.begins_at) {
    facts.wait = Wait::waiting;
    return;
  }
  if (row.spec.attachments.empty()) return;
  const auto has_any = [&](Transaction& transaction) {
    return transaction.find<uint64_t>("SELECT number FROM job_attachment WHERE job = $1 LIMIT 1", row.id).has_value();
  };
  if (database.read(has_any)) return;
  const auto error = error_of([&] {
    database.write([&](Transaction& transaction) {
      const auto job = find_job(transaction, row.id);
      if (!job || job->run != row.run || job->state != JobState::QUEUED || has_any(transaction)) return;
      attach(transaction, {"", row.subject, row.tenant, row.project}, row.id, request_of_rerun(row),
             url_stores_of(transaction, row), now);
      fault::point("job.attaching_anew");
    });
  });
  if (!error) return;
  if (error->code() == Errc::unavailable) throw Error(*error);
  facts.wait = Wait::given_up;
  facts.wait_reason = fmt::format("run {} could not begin: {}", row.run, error->what());
}

NewJob request_of_rerun(const JobRow& row) {
  NewJob request = row.spec;
  if (!request.wait_seconds) request.wait_seconds = static_cast<uint64_t>(timeout_seconds_default);
  return request;
}

std::vector<JobRun> runs_of(Transaction& transaction, const JobRow& row, const Job& job) {
  std::vector<JobRun> runs;
  if (row.run > 1) {
    for (PastRun& one : transaction.all<PastRun>(
             "SELECT number, state, reason, exit_code, queued_at, started_at, ended_at FROM job_run WHERE job = $1 "
             "ORDER BY number", row.id))
      runs.push_back({one.number, one.state, std::move(one.reason), one.exit_code, one.queued_at, one.started_at,
                      one.ended_at, {}});
    for (PastAttachment& one : past_attachments(transaction, row.id)) {
      if (one.run < 1 || one.run > runs.size()) continue;
      const bool is_known = one.is_staged && one.number < row.spec.attachments.size();
      runs[one.run - 1].attachments.push_back(
          {is_known ? row.spec.attachments[one.number].volume : std::move(one.volume), std::move(one.path), one.access,
           one.version, one.result});
    }
  }
  runs.push_back({row.run, job.state, job.reason, job.exit_code, row.queued_at, job.started_at, job.ended_at,
                  job.attachments});
  return runs;
}

}  // namespace volary
