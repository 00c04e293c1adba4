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
#include "job/synchronisations.h"
#include "volume/happenings.h"
#include "volume/staged_volumes.h"

namespace volary {
namespace {

constexpr size_t list_max = 500;

}  // namespace

JobPlaces places_of(const Path& jobs_directory, const std::string& id) {
  const Path directory = jobs_directory / id;
  return {directory, directory / "run", directory / "work"};
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
  RunSpec limits;
  limits.cpus = request.cpus;
  limits.memory_bytes = request.memory_bytes;
  if (const auto reason = request.image ? std::nullopt : why_unenforceable(limits))
    throw Error(Errc::invalid, "{}; leave the limit out, or run the server as root", *reason);
  const std::string id = new_id("job");
  const UrlStores urls = url_stores(datastores_, caller, request, by.asker);
  const auto refused = by.check_transfers ? error_of(by.check_transfers) : std::nullopt;
  return database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    check_container_possible(transaction, caller, request, engine_);
    transaction.run(
        "INSERT INTO job (id, tenant, project, subject, name, spec, state, reason, ending, stop_requested, created_at, "
        "lease_owner, lease_until, units) VALUES ($1, $2, $3, $4, $5, $6, 'QUEUED', $7, '', 0, $8, '', 0, $9)",
        id, caller.tenant, caller.project, caller.name, request.name.value_or(id), request, "submitted", now,
        units_of(request));
    transaction.run(
        "INSERT INTO job_event (job, number, state, date, reason) VALUES ($1, 1, 'QUEUED', $2, 'submitted')", id, now);
    note_job(transaction, id, now);
    attach(transaction, caller, id, request, urls, now);
    if (refused && moves_data(transaction, id)) throw Error(*refused);
    fault::point("job.submitting");
    transaction.announce(jobs_announcement);
    return view_of(transaction, *find_job(transaction, id));
  });
}

std::vector<Job> Jobs::list(const Caller& caller, const JobFilter& filter) {
  return database_.read([&](Transaction& transaction) {
    std::vector<Job> jobs;
    for (const auto& id : transaction.all<std::string>(
             "SELECT id FROM job WHERE project = $1 AND removed_at IS NULL ORDER BY created_at DESC, id",
             caller.project)) {
      if (jobs.size() >= list_max) break;
      const JobRow row = *find_job(transaction, id);
      if (filter.state ? row.state == *filter.state : filter.ended_too || !is_terminal(row.state))
        jobs.push_back(view_of(transaction, row));
    }
    return jobs;
  });
}

Job Jobs::get(const Caller& caller, const std::string& id) {
  Job job = database_.read(
      [&](Transaction& transaction) { return view_of(transaction, row_of(transaction, caller, id)); });
  for (DataSync& sync : job.data_sync)
    if (!is_ended(sync.state) && !sync.transfer.empty())
      (void)error_of([&] { sync.progress = transfers_.get(caller, sync.transfer).counts; });
  return job;
}

void Jobs::stop(const Caller& caller, const std::string& id) {
  database_.write([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, id);
    if (is_terminal(row.state))
      throw Error(Errc::conflict, "job {} is {} already: expected one under way", row.id, name_of_value(row.state));
    transaction.run("UPDATE job SET stop_requested = 1 WHERE id = $1", row.id);
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
    transaction.run("UPDATE job SET removed_at = $2, spec = $3, receipt = '' WHERE id = $1", row.id, clock_.now(),
                    NewJob());
    forget_happenings(transaction, row.id);
    for (const std::string& volume : find_left_staged(transaction)) empty_staged(transaction, volume);
    return row.id;
  });
  remove_tree(places_of(jobs_directory_, found).directory);
}

std::string Jobs::log(const Caller& caller, const std::string& id, uint64_t offset, uint64_t bytes_max) {
  const std::string found =
      database_.read([&](Transaction& transaction) { return row_of(transaction, caller, id).id; });
  return runner_.log(places_of(jobs_directory_, found).run, offset, bytes_max);
}

}  // namespace volary
