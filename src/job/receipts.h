// job/receipts.h: what is written down of a job when it ends, and signed when somebody asks.
#pragma once

#include <string>

#include "access/caller.h"
#include "access/signer.h"
#include "db/database.h"
#include "job/jobs.h"
#include "record/receipt.h"

namespace volary {

// For this folder: writes the receipt of a job that has just ended, with what it read and made as it is now. Later the
// versions may be gone.
void keep_receipt(Transaction& transaction, const std::string& job_id);

// Any thread may call.
class Receipts {
 public:
  Receipts(Database& database, Jobs& jobs, Path seed_file)
      : database_(database), jobs_(jobs), signer_(std::move(seed_file)) {}

  // The document of a run, the newest unless told: the same bytes whenever it is asked for. Throws `conflict` for one
  // that has not ended, `not_found` also for one that ended before receipts were kept.
  std::string receipt(const Caller& caller, const std::string& job, std::optional<uint64_t> run = {});
  ServerKey key() { return {signer_.public_key(), "Ed25519"}; }

 private:
  Database& database_;
  Jobs& jobs_;
  Signer signer_;
};

}  // namespace volary
