// job/sync_rows.h: what is asked of the rows of table data_sync. For synchronisations.cc and asked_pulls.cc alone.
#pragma once

#include <string>
#include <vector>

#include "job/synchronisations.h"

namespace volary {

Caller caller_of(const JobRow& job);
// Of a transfer that has ended, or is gone.
bool has_ended(const SyncRow& sync);
bool is_done(const SyncRow& sync);
std::string failure_of(const SyncRow& sync);
const NewAttachment& asked_of(const JobRow& job, uint64_t number);
AttachmentRow attachment_at(Transaction& transaction, const std::string& job_id, uint64_t number);
// What a pull left out, because no file in a volume can have such a name; "": nothing.
std::string left_out_of(Transaction& transaction, const SyncRow& sync);
bool is_asked_pull(const SyncRow& sync);
bool is_written(const AttachmentRow& attachment);
// Whether what the job changes goes to where the rest came from: that may be made by the first push.
bool comes_back(const AttachmentRow& one);
// Another transfer of the same attachment. A push under way while its place is listed would be seen by half.
bool has_running(const std::vector<SyncRow>& open, const SyncRow& sync);
bool has_version(Transaction& transaction, const std::string& volume_id, uint64_t number);
void begin_again(Transaction& transaction, const SyncRow& sync);

}  // namespace volary
