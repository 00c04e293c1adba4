// job/jobs.cc: the statements behind job/jobs.h.
#include "job/jobs.h"

#include "core/error_of.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "engine/limits.h"
#include "job/attaching.h"
#include "job/billing.h"
#include "job/container_request.h"
#include "job/request.h"
#include "job/rows.h"
#include "job/runs.h"
#include "job/secret_variables.h"
#include "job/standing.h"
#include "job/synchronisations.h"
#include "volume/happenings.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

void check_limits(const NewJob& request, const Share& share) {
  RunSpec limits;
  if (share.cpu > 0) limits.cpus = share.cpu;
  if (share.memory_bytes > 0) limits.memory_bytes = share.memory_bytes;
  if (const auto reason = request.image ? std::nullopt : why_unenforceable(limits))
    throw Error(Errc::invalid, "{}; leave the limit out, or run the server as root", *reason);
}

struct RunSeen {
  uint64_t run = 0;
  JobState state{};
};
BOOST_DESCRIBE_STRUCT(RunSeen, (), (run, state))

}  // namespace

JobPlaces places_of(const Path& jobs_directory, const std::string& id, uint64_t run) {
  const Path directory = jobs_directory / id;
  const std::string suffix = run == 1 ? "" : fmt::format(".{}", run);
  return {directory, suffix, directory / ("run" + suffix), directory / ("work" + suffix)};
}

JobRow Jobs::row_of(Transaction& transaction, const Caller& caller, const std::string& id) {
  auto row = find_job(transaction, id);
  if (!row)
    if (const auto named = transaction.find<std::string>(
            "SELECT id FROM job WHERE project = $1 AND name = $2 AND removed_at IS NULL "
            "ORDER BY created_at DESC LIMIT 1",
            caller.project, id))
      row = find_job(transaction, *named);
  if (!row || row->project != caller.project)
    throw Error(Errc::not_found, "there is no job '{}' in this project", printable(id));
  return *row;
}

Job Jobs::submit(const Caller& caller, const NewJob& request, const Submitter& by) {
  check_request(request);
  const Allotment given = node_.allot(request);
  check_limits(request, given.share);
  const int64_t priority = request.priority.value_or(0);
  if (priority > 0 && by.check_priority) by.check_priority();
  check_secrets_are_there(secrets_, caller, request);
  const std::string id = new_id("job");
  NewJob kept = request;
  const std::string sealed = seal_values(secrets_, id, caller.project, kept);
  const auto refused = by.check_transfers ? error_of(by.check_transfers) : std::nullopt;
  if (refused && attaches_urls(request)) throw Error(*refused);
  const UrlStores urls = url_stores(datastores_, caller, request, by.asker);
  return database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    check_container_possible(transaction, caller, request, engine_);
    check_quota(transaction, caller.project, given.share);
    transaction.run(
        "INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, created_at, "
        "lease_owner, lease_until, units, queued_at, sealed, cpu, memory_bytes, gpu, priority) "
        "VALUES ($1, $2, $3, $4, $5, $6, 'QUEUED', $7, '', 0, $8, '', 0, $9, $8, $10, $11, $12, $13, $14)",
        id, caller.tenant, caller.project, caller.name, request.name.value_or(id), kept, "submitted", now,
        units_of(given), sealed, given.share.cpu, given.share.memory_bytes, given.share.gpu, priority);
    transaction.run(
        "INSERT INTO job_event (job, number, state, date, reason) VALUES ($1, 1, 'QUEUED', $2, 'submitted')", id, now);
    note_job(transaction, id, now);
    attach(transaction, caller, id, request, urls, now);
    if (refused && moves_data(transaction, id)) throw Error(*refused);
    queue_if_ready(transaction, id);
    fault::point("job.submitting");
    return view_of(transaction, *find_job(transaction, id));
  });
}

Job Jobs::get(const Caller& caller, const std::string& id) {
  const Share capacity = node_.capacity();
  Job job = database_.read([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, id);
    Job seen = view_of(transaction, row);
    if (row.in_queue) seen.reason = standing_text(transaction, capacity, row);
    return seen;
  });
  for (DataSync& sync : job.data_sync)
    if (!is_ended(sync.state) && !sync.transfer.empty())
      (void)error_of([&] { sync.progress = transfers_.get(caller, sync.transfer).counts; });
  return job;
}

Job Jobs::rerun(const Caller& caller, const std::string& id, const Submitter& by) {
  const JobRow known = database_.read([&](Transaction& transaction) { return row_of(transaction, caller, id); });
  const NewJob request = request_of_rerun(known);
  node_.check_capacity(share_of(known));
  check_limits(request, share_of(known));
  if (known.priority > 0 && by.check_priority) by.check_priority();
  const auto refused = by.check_transfers ? error_of(by.check_transfers) : std::nullopt;
  if (refused && attaches_urls(request)) throw Error(*refused);
  const UrlStores urls = url_stores(datastores_, caller, request, by.asker);
  return database_.write([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, known.id);
    if (!is_terminal(row.state))
      throw Error(Errc::conflict, "job {} is {}: expected one that has ended, to be run again", row.id,
                  name_of_value(row.state));
    if (row.run >= runs_max)
      throw Error(Errc::conflict, "job {} was run {} times already: expected fewer; submit it as a new job", row.id,
                  row.run);
    check_nothing_left_to_push(transaction, row);
    check_nothing_is_pulled(transaction, row);
    check_container_possible(transaction, caller, request, engine_);
    check_quota(transaction, caller.project, share_of(row));
    const Time now = clock_.now();
    begin_run(transaction, row, {fmt::format("run {}: asked for by {}", row.run + 1, caller.name)}, now);
    attach(transaction, caller, row.id, request, urls, now);
    if (refused && moves_data(transaction, row.id)) throw Error(*refused);
    queue_if_ready(transaction, row.id);
    fault::point("job.rerunning");
    return view_of(transaction, *find_job(transaction, row.id));
  });
}

void Jobs::stop(const Caller& caller, const std::string& id) {
  database_.write([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, id);
    if (is_terminal(row.state))
      throw Error(Errc::conflict, "job {} is {} already: expected one under way", row.id, name_of_value(row.state));
    transaction.run("UPDATE job SET stop_requested = 1, in_queue = 0 WHERE id = $1", row.id);
    const Time now = clock_.now();
    note_happening(transaction, row.id, {Cause::asked, now, now, fmt::format("{} asked it to end", caller.name)});
    transaction.announce(jobs_announcement);
  });
}

void Jobs::remove(const Caller& caller, const std::string& id) {
  const std::string found = database_.write([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, id);
    if (!is_terminal(row.state))
      throw Error(Errc::conflict, "job {} is {}: expected an ended one; stop it first", row.id,
                  name_of_value(row.state));
    transaction.run("UPDATE job SET removed_at = $2, spec = $3, receipt = '', sealed = '' WHERE id = $1", row.id,
                    clock_.now(), NewJob());
    transaction.run("UPDATE job_run SET receipt = '' WHERE job = $1", row.id);
    forget_happenings(transaction, row.id);
    for (const std::string& volume : find_left_staged(transaction)) empty_staged(transaction, volume);
    return row.id;
  });
  remove_tree(places_of(jobs_directory_, found, 1).directory);
}

LogText Jobs::log(const Caller& caller, const std::string& id, uint64_t offset, uint64_t bytes_max,
                  std::optional<uint64_t> run) {
  return read_log_and_notice(log_of(caller, id, run), offset, bytes_max);
}

uint64_t Jobs::log_start(const Caller& caller, const std::string& id, const LogWish& wish,
                         std::optional<uint64_t> run) {
  return find_log_start(log_of(caller, id, run), wish);
}

uint64_t Jobs::log_end(const Caller& caller, const std::string& id, std::optional<uint64_t> run) {
  return volary::log_end(log_of(caller, id, run));
}

bool Jobs::has_run_ended(const Caller& caller, const std::string& id, uint64_t run) {
  const auto found = database_.read([&](Transaction& transaction) {
    return transaction.find<RunSeen>(
        "SELECT run, state FROM job WHERE id = $1 AND project = $2 AND removed_at IS NULL", id, caller.project);
  });
  return !found || found->run > run || is_terminal(found->state);
}

Path Jobs::log_of(const Caller& caller, const std::string& id, std::optional<uint64_t> run) {
  const JobRow row = database_.read([&](Transaction& transaction) { return row_of(transaction, caller, id); });
  const uint64_t wanted = run.value_or(row.run);
  if (wanted < 1 || wanted > row.run)
    throw Error(Errc::not_found, "job {} has no run {}: expected {}", row.id, wanted,
                row.run == 1 ? "1, the only one" : fmt::format("1 to {}", row.run));
  return places_of(jobs_directory_, row.id, wanted).run / "log";
}

}  // namespace volary
