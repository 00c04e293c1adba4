// job/sync_rows.cc: job/sync_rows.h.
#include "job/sync_rows.h"

#include <algorithm>

#include "core/error.h"

namespace volary {

Caller caller_of(const JobRow& job) { return {"", job.subject, job.tenant, job.project}; }

// Of a transfer that has ended, or is gone.
bool has_ended(const SyncRow& sync) {
  return sync.transfer_state.empty() ||
         is_terminal(value_named<TransferState>(sync.transfer_state, "transfer state"));
}

bool is_done(const SyncRow& sync) { return sync.transfer_state == name_of_value(TransferState::done); }

std::string failure_of(const SyncRow& sync) {
  return fmt::format("transfer {}: {}", sync.transfer,
                     sync.transfer_error.empty() ? "it was cancelled" : sync.transfer_error);
}

const NewAttachment& asked_of(const JobRow& job, uint64_t number) { return job.spec.attachments.at(number); }

AttachmentRow attachment_at(Transaction& transaction, const std::string& job_id, uint64_t number) {
  for (AttachmentRow& one : attachments_of(transaction, job_id))
    if (one.number == number) return std::move(one);
  throw Error(Errc::internal, "job {} has no attachment {}", job_id, number);
}

// What a pull left out, because no file in a volume can have such a name; "": nothing.
std::string left_out_of(Transaction& transaction, const SyncRow& sync) {
  const std::string from = "FROM transfer_failure WHERE transfer = $1 AND outcome = 'skipped'";
  const auto number = transaction.find<uint64_t>("SELECT COUNT(*) " + from, sync.transfer);
  const auto first = transaction.find<std::string>(
      "SELECT '''' || path || ''': ' || reason " + from + " ORDER BY number LIMIT 1", sync.transfer);
  return first ? fmt::format("{} left out: {}{}", *number, *first, *number > 1 ? ", …" : "") : "";
}

bool is_asked_pull(const SyncRow& sync) {
  return sync.direction == SyncDirection::pull && sync.occasion == SyncOccasion::asked;
}

bool is_written(const AttachmentRow& attachment) { return attachment.access != AttachAccess::ro; }

// Whether what the job changes goes to where the rest came from: that may be made by the first push.
bool comes_back(const AttachmentRow& one) {
  return is_written(one) && one.datastore == one.push_datastore && one.directory == one.push_directory;
}

// Another transfer of the same attachment. A push under way while its place is listed would be seen by half.
bool has_running(const std::vector<SyncRow>& open, const SyncRow& sync) {
  return std::any_of(open.begin(), open.end(), [&](const SyncRow& other) {
    return other.id != sync.id && other.number == sync.number && other.state == SyncState::RUNNING;
  });
}

bool has_version(Transaction& transaction, const std::string& volume_id, uint64_t number) {
  return transaction.find<uint64_t>("SELECT number FROM version WHERE volume = $1 AND number = $2", volume_id, number)
      .has_value();
}

void begin_again(Transaction& transaction, const SyncRow& sync) {
  transaction.run("UPDATE data_sync SET state = 'QUEUED', transfer = '' WHERE id = $1", sync.id);
}

}  // namespace volary
