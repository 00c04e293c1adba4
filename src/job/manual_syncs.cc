// job/manual_syncs.cc: data synchronised because somebody asks, the part of job/jobs.h for it.
#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/fault.h"
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

// Why nothing newer can be pulled; "" if it can.
std::string why_not_pulled(const JobRow& job, const AttachmentRow& one) {
  const AttachSource source = parse_attach_source(what_is_attached(job, one));
  if (is_standalone(one)) return "it is standalone, and comes from nowhere";
  if (one.access != AttachAccess::ro && one.datastore.empty())
    return one.push_datastore.empty() ? "the job is the only one that writes to it"
                                      : "the job writes to a copy of a version";
  if (!one.is_staged && !source.word.empty() && source.word != "head")
    return fmt::format("it was attached by '{}', so it stays version {}", source.word, one.version);
  return "";
}

std::string why_not(SyncDirection direction, const JobRow& job, const AttachmentRow& one) {
  return direction == SyncDirection::push ? why_not_pushed(one) : why_not_pulled(job, one);
}

// Those that are meant, and can be moved that way.
std::vector<AttachmentRow> chosen(const JobRow& job, std::vector<AttachmentRow> attachments,
                                  const NewDataSync& request) {
  const bool pushes = request.direction == SyncDirection::push;
  const std::string_view moved = pushes ? "pushed" : "pulled";
  std::vector<AttachmentRow> chosen;
  for (AttachmentRow& one : attachments) {
    if (request.volume && one.path != *request.volume && what_is_attached(job, one) != *request.volume) continue;
    const std::string why = why_not(request.direction, job, one);
    if (request.volume && !why.empty())
      throw Error(Errc::invalid, "'{}' of job {} cannot be {}: {}", printable(*request.volume), job.id, moved, why);
    if (why.empty()) chosen.push_back(std::move(one));
  }
  if (chosen.empty() && request.volume)
    throw Error(Errc::not_found, "nothing is attached to job {} as or at '{}'", job.id, printable(*request.volume));
  if (chosen.empty())
    throw Error(Errc::invalid, "job {} has nothing that could be {}: {}", job.id, moved,
                pushes ? "all that it attaches is read-only"
                       : "expected a container, directory or URL, or a volume that it only reads and not as a version "
                         "that was named");
  return chosen;
}

// Each lies on those before it until the run ends, and the kernel has room for a limited number of mounts.
constexpr uint64_t shown_max = 1000;

void check_room_to_show(Transaction& transaction, const JobRow& job) {
  const auto shown = transaction.find<uint64_t>(
      "SELECT COUNT(DISTINCT version) FROM data_sync WHERE job = $1 AND direction = 'pull' AND occasion = 'asked' "
      "AND version > 0 AND past_run = 0", job.id);
  if (shown.value_or(0) >= shown_max)
    throw Error(Errc::exhausted, "job {} has been shown {} versions since it began: expected fewer than {}; its next "
                "run begins with what is new", job.id, *shown, shown_max);
}

// A request that waits already does it. The id of what does.
std::string want(Transaction& transaction, SyncDirection direction, const JobRow& job, const AttachmentRow& one,
                 Time now) {
  for (const SyncRow& sync : open_syncs_of(transaction, job.id))
    if (sync.number == one.number && sync.direction == direction && sync.state == SyncState::QUEUED) return sync.id;
  return insert_sync(transaction, job.id, one, direction, SyncOccasion::asked, now);
}

// The newest push since its process ended.
std::optional<SyncRow> find_last_push(Transaction& transaction, const JobRow& job, const AttachmentRow& one) {
  std::optional<SyncRow> last;
  for (const SyncRow& sync : syncs_of(transaction, job.id))
    if (sync.number == one.number && sync.direction == SyncDirection::push &&
        (sync.occasion == SyncOccasion::end || last || (job.ended_at && sync.created_at >= *job.ended_at)))
      last = sync;
  return last;
}

// What an ended job left behind because it could not be pushed: the version that was, or what is still to become one.
// "": there is nothing.
std::string push_again(Transaction& transaction, const JobRow& job, const AttachmentRow& one, const Path& scratch,
                       Time now) {
  const std::optional<SyncRow> last = find_last_push(transaction, job, one);
  if (!last || (last->version == 0 && is_ended(last->state))) {
    return is_present(scratch) ? want(transaction, SyncDirection::push, job, one, now) : "";
  }
  if (last->state == SyncState::QUEUED) return last->id;
  if (last->state == SyncState::DONE || last->transfer_state == "done") return "";
  if (last->state == SyncState::RUNNING && (last->transfer_state == "queued" || last->transfer_state == "planning" ||
                                            last->transfer_state == "running"))
    return last->id;  // It is under way.
  if (last->state == SyncState::RUNNING) end_sync(transaction, last->id, SyncState::FAILED, last->transfer_error, now);
  const std::string id =
      insert_sync(transaction, job.id, one, SyncDirection::push, SyncOccasion::asked, now);
  begin_push(transaction, job, one, last->version, id, now);
  return id;
}

}  // namespace

void check_nothing_left_to_push(Transaction& transaction, const JobRow& job) {
  if (job.state != JobState::ERROR) return;
  const bool is_whole = !job.ending.empty() && job.ending != name_of_value(JobState::ERROR);  // Its process ended.
  for (const AttachmentRow& one : attachments_of(transaction, job.id)) {
    if (one.push_datastore.empty()) continue;
    const auto last = find_last_push(transaction, job, one);
    const bool is_there = last && (last->state == SyncState::DONE || last->transfer_state == "done");
    const bool is_known = last && (last->version != 0 || !is_ended(last->state));
    if (!is_there && (is_known || is_whole))
      throw Error(Errc::conflict,
                  "what job {} changed at '{}' has not been pushed, and another run would drop it: expected it pushed "
                  "first, with 'volary job push-data {}'", job.id, one.path, job.id);
  }
}

std::vector<DataSync> Jobs::sync(const Caller& caller, const std::string& id, const NewDataSync& request) {
  std::set<std::string> ids;
  const bool pushes = request.direction == SyncDirection::push;
  const JobRow job = database_.write([&](Transaction& transaction) {
    const JobRow row = row_of(transaction, caller, id);
    const auto attachments = chosen(row, attachments_of(transaction, row.id), request);
    const bool shows = std::any_of(attachments.begin(), attachments.end(),
                                   [](const AttachmentRow& one) { return one.access == AttachAccess::ro; });
    if (!pushes && shows) check_room_to_show(transaction, row);
    const Time now = clock_.now();
    for (const AttachmentRow& one : attachments) {
      const Path scratch = places_of(jobs_directory_, row.id, row.run).scratch(one.number);
      if (row.state == JobState::RUNNING) ids.insert(want(transaction, request.direction, row, one, now));
      if (row.state == JobState::ERROR && pushes && !one.push_datastore.empty())
        ids.insert(push_again(transaction, row, one, scratch, now));
    }
    ids.erase("");
    if (ids.empty() && !pushes)
      throw Error(Errc::conflict, "job {} is {}: expected one that is RUNNING; the next run begins with what is new",
                  row.id, name_of_value(row.state));
    if (ids.empty())
      throw Error(Errc::conflict,
                  "job {} is {}, and nothing is left to be pushed: expected one that is RUNNING, or one in ERROR whose "
                  "changes could not be pushed", row.id, name_of_value(row.state));
    transaction.announce(jobs_announcement);
    return row;
  });
  fault::point("job.sync_asked");
  std::vector<DataSync> asked;
  for (DataSync& one : get(caller, job.id).data_sync)
    if (ids.contains(one.id)) asked.push_back(std::move(one));
  return asked;
}

}  // namespace volary
