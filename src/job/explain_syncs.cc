// job/explain_syncs.cc: the lines of job/explain.h about a job's data on their way.
#include "core/quantity.h"
#include "job/explain_lines.h"
#include "job/synchronisations.h"

namespace volary {
namespace {

// "push of what it wrote at /out to 'results@gra/run-1', as every 10m00s"
std::string act_of(const JobRow& job, const SyncRow& sync) {
  const NewAttachment& one = job.spec.attachments.at(sync.number);
  if (sync.direction == SyncDirection::pull)
    return fmt::format("pull of '{}' to {}{}", one.volume, one.path,
                       sync.occasion == SyncOccasion::asked ? " while it ran, as somebody asked" : "");
  const bool has_place = !sync.transfer.empty() || one.push_to;
  std::string text = has_place ? fmt::format("push of what it wrote at {} to '{}'", one.path,
                                             one.push_to.value_or(one.volume))
                               : fmt::format("publication of what it wrote at {}", one.path);
  if (!has_place && sync.version != 0) text += fmt::format(" as version {}", sync.version);
  if (sync.occasion == SyncOccasion::asked) text += ", as somebody asked";
  if (sync.occasion == SyncOccasion::interval)
    text += fmt::format(", as every {}", seconds_text(job.spec.publish_every_seconds.value_or(0)));
  if (sync.occasion == SyncOccasion::marker)
    text += fmt::format(", for its marker '{}'", job.spec.publish_marker.value_or(""));
  return text;
}

std::string outcome_of(const SyncRow& sync) {
  const std::string reason = sync.reason.empty() ? "" : ": " + one_line(sync.reason);
  switch (sync.state) {
    case SyncState::QUEUED: return "it waits for its turn";
    case SyncState::RUNNING: return "under way";
    case SyncState::DONE: return "done" + reason;
    case SyncState::FAILED: return "failed" + reason;
    case SyncState::ERROR: return "failed on our side" + reason;
  }
  return "";
}

}  // namespace

void add_syncs(Transaction& transaction, const JobRow& job, const TransfersUnderWay& under_way, Time now,
               std::vector<ExplainedLine>& lines) {
  for (const SyncRow& sync : recent_syncs_of(transaction, job.id)) {
    const bool is_good = !is_ended(sync.state) || sync.state == SyncState::DONE;
    const Time began = sync.started_at.value_or(sync.created_at);
    ExplainedLine line = moment(began, is_good ? Cause::phase : Cause::failure,
                                fmt::format("{}: {}", act_of(job, sync), outcome_of(sync)));
    line.lasts = !is_ended(sync.state);
    if (sync.ended_at && *sync.ended_at > began) line.until = sync.ended_at;
    if (sync.counts && !sync.transfer.empty()) {
      const auto live = under_way.find(sync.transfer);
      const bool is_live = live != under_way.end() && !is_ended(sync.state);
      line.files = is_live ? live->second.files_done : sync.counts->completed;
      line.bytes = is_live ? live->second.bytes_moved : sync.counts->transferred_bytes;
      line.bytes_per_second = rate_of(*line.bytes, sync.ended_at.value_or(now).micros - began.micros);
    }
    lines.push_back(line);
    for (const Happening& one : happenings_until_now(transaction, sync.transfer, under_way))
      if (one.other == requests_troubled) lines.push_back(line_of(one, now));
  }
}

}  // namespace volary
