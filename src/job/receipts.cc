// job/receipts.cc: the rows behind job/receipts.h.
#include "job/receipts.h"

#include "core/error.h"
#include "job/rows.h"

namespace volary {
namespace {

// Of each attachment, the versions for which `condition` holds.
std::vector<ReceiptVersion> versions_of(Transaction& transaction, const std::string& job, std::string_view condition) {
  return transaction.all<ReceiptVersion>(
      fmt::format("SELECT volume.name, version.number, job_attachment.path, job_attachment.access, version.checksum, "
                  "version.tree, version.files, version.bytes FROM job_attachment "
                  "JOIN volume ON volume.id = job_attachment.volume JOIN version ON version.volume = volume.id "
                  "AND ({}) WHERE job_attachment.job = $1 ORDER BY job_attachment.number, version.number",
                  condition),
      job);
}

// At its begin, and what was pulled while it ran.
constexpr std::string_view is_read =
    "version.number = job_attachment.version OR version.number IN (SELECT data_sync.version FROM data_sync "
    "WHERE data_sync.job = job_attachment.job AND data_sync.number = job_attachment.number AND direction = 'pull' "
    "AND data_sync.volume = job_attachment.volume AND past_run = 0)";
// At the run's end, or while it ran. It is one version if nothing was written in between.
constexpr std::string_view is_written =
    "version.number = job_attachment.result OR (version.origin = 'job' AND version.origin_id IN (SELECT id "
    "FROM data_sync WHERE data_sync.job = job_attachment.job AND data_sync.number = job_attachment.number "
    "AND past_run = 0))";

}  // namespace

void keep_receipt(Transaction& transaction, const std::string& job_id) {
  const auto row = find_job(transaction, job_id);
  if (!row) return;
  Receipt receipt;
  receipt.format = receipt_format;
  receipt.job = row->id;
  receipt.name = row->name;
  receipt.project = *transaction.find<std::string>("SELECT name FROM project WHERE id = $1", row->project);
  receipt.user = row->subject;
  receipt.image = row->spec.image;
  receipt.command = row->spec.command;
  receipt.state = name_of_value(row->state);
  receipt.reason = row->reason;
  receipt.exit_code = row->exit_code;
  receipt.submitted_at = row->created_at;
  receipt.started_at = row->started_at;
  receipt.ended_at = row->ended_at.value_or(Time{});
  if (row->run > 1) receipt.run = row->run;
  receipt.read = versions_of(transaction, row->id, is_read);
  receipt.written = versions_of(transaction, row->id, is_written);
  transaction.run("UPDATE job SET receipt = $2 WHERE id = $1", row->id, canonical_text(to_json(receipt)));
}

std::string Receipts::receipt(const Caller& caller, const std::string& id, std::optional<uint64_t> run) {
  const Job job = jobs_.get(caller, id);
  const uint64_t wanted = run.value_or(job.run);
  if (wanted < 1 || wanted > job.run)
    throw Error(Errc::not_found, "job {} has no run {}: it was run {} times", job.id, wanted, job.run);
  if (wanted == job.run && !is_terminal(job.state))
    throw Error(Errc::conflict, "job {} is {}: expected an ended one; its receipt says what it read and made", job.id,
                name_of_value(job.state));
  const auto kept = database_.read([&](Transaction& transaction) {
    return transaction.find<std::string>("SELECT receipt FROM job WHERE id = $1 AND run = $2 UNION ALL "
                                         "SELECT receipt FROM job_run WHERE job = $1 AND number = $2",
                                         job.id, wanted);
  });
  if (!kept || kept->empty())
    throw Error(Errc::not_found, "there is no receipt of job {}: it ended before this server kept any", job.id);
  SignedReceipt document;
  document.receipt = from_json<Receipt>(parse_json(*kept, "a receipt"), "receipt");
  document.key = signer_.public_key();
  document.signature = signer_.sign(signed_text(document.receipt));
  return document_text(document);
}

}  // namespace volary
