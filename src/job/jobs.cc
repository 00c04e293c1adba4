// job/jobs.cc: the statements behind job/jobs.h.
#include "job/jobs.h"

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"
#include "engine/limits.h"
#include "job/billing.h"
#include "job/container_request.h"
#include "job/request.h"
#include "job/rows.h"
#include "volume/bucket_volumes.h"
#include "volume/happenings.h"
#include "volume/ledger.h"
#include "volume/volumes.h"

namespace volary {
namespace {

constexpr size_t list_max = 500;

JobRow get_row(Transaction& transaction, const Caller& caller, const std::string& id) {
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

// Takes the leases that the attachments need, or stands in line for those of the volumes to be written, and writes
// their rows.
void attach(Transaction& transaction, const Caller& caller, const std::string& job_id, const NewJob& request,
            Time now) {
  const Holder holder{"job", job_id};
  std::vector<WantedVolume> to_write;
  bool names_version = false;
  uint64_t number = 0;
  for (const NewAttachment& wanted : request.attachments) {
    if (const AttachSource source = parse_attach_source(wanted.volume);
        source.kind != SourceKind::named || !source.path.empty() || wanted.push_to)
      throw Error(Errc::invalid, "'{}' cannot be attached by this server: expected a volume", wanted.volume);
    const VolumeReference reference = parse_volume_reference(wanted.volume);
    const Volume volume = get_volume(transaction, caller, reference.name);
    uint64_t version = volume.head;
    std::string staging;
    const bool wants_newest = reference.version.empty() || reference.version == "head";
    if (wanted.access == AttachAccess::ro && is_in_bucket(volume) && wants_newest) {
      version = 0;
      staging = stage_bucket(transaction, caller, volume, now);
    } else if (wanted.access == AttachAccess::ro) {
      version = get_version(transaction, volume, reference.version).number;
      take_reader(transaction, volume.id, version, holder, now);
    } else {
      refuse_in_bucket(volume, "attached for writing");
      if (!reference.version.empty() && get_version(transaction, volume, reference.version).number != volume.head)
        throw Error(Errc::invalid, "'{}' is not the newest version: only that can be attached for writing",
                    wanted.volume);
      names_version |= !wants_newest;
      for (const WantedVolume& one : to_write)
        if (one.id == volume.id)
          throw Error(Errc::invalid, "volume '{}' is attached for writing twice: expected one path", volume.name);
      to_write.push_back({volume.id, volume.name, version});
    }
    transaction.run(
        "INSERT INTO job_attachment (job, number, volume, path, access, version, lease, result, staging) "
        "VALUES ($1, $2, $3, $4, $5, $6, '', 0, $7)",
        job_id, number++, volume.id, wanted.path, wanted.access, version, staging);
    if (!staging.empty())
      note_happening(transaction, job_id,
                     {Cause::staging, now, std::nullopt,
                      fmt::format("transfer {} stages volume '{}' from its bucket", staging, volume.name), staging});
  }
  const Admission admission = take_writers(transaction, to_write, holder, request.wait_seconds, now);
  if (admission == Admission::waits && names_version)
    throw Error(Errc::invalid,
                "a volume has a writer now, and whoever waits for it gets the version that is the newest then: "
                "expected no version at a volume to be written");
}

}  // namespace

JobPlaces places_of(const Path& jobs_directory, const std::string& id) {
  const Path directory = jobs_directory / id;
  return {directory, directory / "run", directory / "work"};
}

Job Jobs::submit(const Caller& caller, const NewJob& request) {
  check_request(request);
  RunSpec limits;
  limits.cpus = request.cpus;
  limits.memory_bytes = request.memory_bytes;
  if (const auto reason = request.image ? std::nullopt : why_unenforceable(limits))
    throw Error(Errc::invalid, "{}; leave the limit out, or run the server as root", *reason);
  const std::string id = new_id("job");
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
    attach(transaction, caller, id, request, now);
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
  return database_.read(
      [&](Transaction& transaction) { return view_of(transaction, get_row(transaction, caller, id)); });
}

void Jobs::stop(const Caller& caller, const std::string& id) {
  database_.write([&](Transaction& transaction) {
    const JobRow row = get_row(transaction, caller, id);
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
    const JobRow row = get_row(transaction, caller, id);
    if (!is_terminal(row.state))
      throw Error(Errc::conflict, "job {} is {}: expected an ended one; stop it first", row.id,
                  name_of_value(row.state));
    transaction.run("UPDATE job SET removed_at = $2, spec = $3 WHERE id = $1", row.id, clock_.now(), NewJob());
    forget_happenings(transaction, row.id);
    return row.id;
  });
  remove_tree(places_of(jobs_directory_, found).directory);
}

std::string Jobs::log(const Caller& caller, const std::string& id, uint64_t offset, uint64_t bytes_max) {
  const std::string found =
      database_.read([&](Transaction& transaction) { return get_row(transaction, caller, id).id; });
  return runner_.log(places_of(jobs_directory_, found).run, offset, bytes_max);
}

}  // namespace volary
