// job/receipts.cc: the rows behind job/receipts.h.
#include "job/receipts.h"

#include "core/error.h"
#include "job/rows.h"

namespace volary {
namespace {

// A version of an attachment: the one read, or the one made.
std::vector<ReceiptVersion> versions_of(Transaction& transaction, const std::string& job, const std::string& column) {
  return transaction.all<ReceiptVersion>(
      "SELECT volume.name, version.number, job_attachment.path, job_attachment.access, version.checksum, version.tree, "
      "version.files, version.bytes FROM job_attachment JOIN volume ON volume.id = job_attachment.volume "
      "JOIN version ON version.volume = job_attachment.volume AND version.number = job_attachment." +
          column + " WHERE job_attachment.job = $1 ORDER BY job_attachment.number",
      job);
}

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
  receipt.read = versions_of(transaction, row->id, "version");
  receipt.written = versions_of(transaction, row->id, "result");
  transaction.run("UPDATE job SET receipt = $2 WHERE id = $1", row->id, canonical_text(to_json(receipt)));
}

std::string Receipts::receipt(const Caller& caller, const std::string& id) {
  const Job job = jobs_.get(caller, id);
  if (!is_terminal(job.state))
    throw Error(Errc::conflict, "job {} is {}: expected an ended one; its receipt says what it read and made", job.id,
                name_of_value(job.state));
  const auto kept = database_.read([&](Transaction& transaction) {
    return transaction.find<std::string>("SELECT receipt FROM job WHERE id = $1", job.id);
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
