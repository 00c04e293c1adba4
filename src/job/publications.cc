// job/publications.cc: when something is due, for job/publications.h.
#include "job/publications.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "core/fault.h"
#include "core/tree_path.h"
#include "job/request.h"
#include "job/synchronisations.h"

namespace volary {
namespace {

// Of those that brought nothing new, which lead to no version.
constexpr uint64_t failures_kept = 20;
constexpr int64_t marker_again_seconds = 10;  // Behind a publication for a marker that failed.

bool can_be_published(const AttachmentRow& one) { return one.access != AttachAccess::ro && !is_standalone(one); }

bool is_asked_for(const JobRow& job) { return job.spec.publish_every_seconds || job.spec.publish_marker; }

// Which file of that name it is: another one made later is another appearance, whatever is written into this one. "":
// there is none.
std::string appearance_of(const Path& file) {
  struct statx status {};
  if (::statx(AT_FDCWD, file.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return "";
    throw error_from_errno(errno, "look for the marker", file.native());
  }
  if (!S_ISREG(status.stx_mode)) return "";
  const bool is_known = (status.stx_mask & STATX_BTIME) != 0;
  const statx_timestamp& made = is_known ? status.stx_btime : status.stx_mtime;
  return fmt::format("{}:{}.{:09}", status.stx_ino, made.tv_sec, made.tv_nsec);
}

bool is_under_way(const std::vector<SyncRow>& open, uint64_t number) {
  return std::any_of(open.begin(), open.end(), [&](const SyncRow& sync) {
    return sync.number == number && sync.direction == SyncDirection::push;
  });
}

struct Tried {
  SyncState state{};
  std::optional<Time> ended_at;
};
BOOST_DESCRIBE_STRUCT(Tried, (), (state, ended_at))

// What came of a marker's last appearance is to be tried again.
bool has_failed(Transaction& transaction, const JobRow& job, uint64_t number, Time now) {
  const auto last = transaction.find<Tried>(
      "SELECT state, ended_at FROM data_sync WHERE job = $1 AND number = $2 AND occasion = 'marker' AND past_run = 0 "
      "ORDER BY created_at DESC, id LIMIT 1",
      job.id, number);
  return last && (last->state == SyncState::FAILED || last->state == SyncState::ERROR) && last->ended_at &&
         (now < *last->ended_at || now >= last->ended_at->plus_seconds(marker_again_seconds));
}

// A clock that was set back makes it due at once, not late.
bool is_time(const JobRow& job, Time now) {
  if (!job.spec.publish_every_seconds || !job.started_at) return false;
  const Time last = std::max(*job.started_at, job.published_at.value_or(*job.started_at));
  return now < last || now >= last.plus_seconds(*job.spec.publish_every_seconds);
}

struct Due {
  AttachmentRow attachment;
  SyncOccasion occasion{};
  std::string marker;
};

std::vector<Due> due(Transaction& transaction, const JobRow& job, const JobPlaces& places, Time now) {
  std::vector<Due> found;
  const auto open = open_syncs_of(transaction, job.id);
  for (const AttachmentRow& one : attachments_of(transaction, job.id)) {
    if (!can_be_published(one) || is_under_way(open, one.number)) continue;
    std::string marker;
    if (job.spec.publish_marker)
      marker = appearance_of(places.scratch(one.number) / "upper" / *job.spec.publish_marker);
    const bool has_marker =
        !marker.empty() && (marker != one.marker || has_failed(transaction, job, one.number, now));
    if (has_marker) found.push_back({one, SyncOccasion::marker, marker});
    else if (is_time(job, now)) found.push_back({one, SyncOccasion::interval, one.marker});
  }
  return found;
}

void forget_fruitless(Transaction& transaction, const JobRow& job, uint64_t number) {
  transaction.run(
      "DELETE FROM data_sync WHERE id IN (SELECT id FROM data_sync WHERE job = $1 AND number = $2 "
      "AND occasion IN ('interval', 'marker') AND state IN ('FAILED', 'ERROR') AND NOT EXISTS (SELECT 1 FROM version "
      "WHERE version.volume = data_sync.volume AND version.origin_id = data_sync.id) "
      "ORDER BY created_at DESC, id LIMIT -1 OFFSET $3)",
      job.id, number, failures_kept);
}

}  // namespace

void check_publications(const NewJob& request) {
  if (!request.publish_every_seconds && !request.publish_marker) return;
  const int64_t every = request.publish_every_seconds.value_or(publish_every_seconds_min);
  if (every < publish_every_seconds_min || every > timeout_seconds_max)
    throw Error(Errc::invalid, "nothing can be published every {} seconds: expected {} to {} (28 days)", every,
                publish_every_seconds_min, timeout_seconds_max);
  if (request.publish_marker && TreePath::parse(*request.publish_marker).components().size() != 1)
    throw Error(Errc::invalid, "'{}' is no name of a marker: expected that of a file in the root of what is attached",
                printable(*request.publish_marker));
  if (std::none_of(request.attachments.begin(), request.attachments.end(), [](const NewAttachment& one) {
        return one.access != AttachAccess::ro && parse_attach_source(one.volume).kind != SourceKind::standalone;
      }))
    throw Error(Errc::invalid, "nothing can be published while the job runs: expected something that it attaches with "
                "permission rw or rwd");
}

void want_publications(Database& database, const JobRow& job, const JobPlaces& places, Time now) {
  if (!is_asked_for(job)) return;
  const auto look = [&](Transaction& transaction) {
    return due(transaction, job, places, now);
  };
  if (database.read(look).empty()) return;
  database.write([&](Transaction& transaction) {
    const auto now_job = find_job(transaction, job.id);
    if (!now_job || now_job->state != JobState::RUNNING) return;
    for (const Due& one : look(transaction)) {
      const uint64_t number = one.attachment.number;
      insert_sync(transaction, job.id, one.attachment, SyncDirection::push, one.occasion, now);
      transaction.run("UPDATE job_attachment SET marker = $3 WHERE job = $1 AND number = $2", job.id, number,
                      one.marker);
      if (one.occasion == SyncOccasion::interval)
        transaction.run("UPDATE job SET published_at = $2 WHERE id = $1", job.id, now);
      forget_fruitless(transaction, job, number);
    }
    fault::point("job.publication_due");
  });
}

std::string published_text(Transaction& transaction, const JobRow& job) {
  std::map<uint64_t, SyncRow> last;
  for (const SyncRow& sync : syncs_of(transaction, job.id))
    if (sync.direction == SyncDirection::push && sync.state == SyncState::DONE && sync.occasion != SyncOccasion::end)
      last.insert_or_assign(sync.number, sync);
  std::string text;
  for (const AttachmentRow& one : attachments_of(transaction, job.id)) {
    const auto found = last.find(one.number);
    if (found == last.end() || found->second.version == one.version) continue;
    const std::string what = one.push_datastore.empty() ? fmt::format("{}@{}", one.volume, found->second.version)
                                                        : job.spec.attachments.at(one.number).push_to.value_or(
                                                              job.spec.attachments.at(one.number).volume);
    text += fmt::format("; '{}' has what it had written by {}", what, to_text(found->second.created_at));
  }
  return text.empty() && is_asked_for(job) ? "; nothing that it wrote had been published" : text;
}

}  // namespace volary
