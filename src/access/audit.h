// access/audit.h: one record for every change and every refusal, chained by hashes.
//
//   hash   = BLAKE3( hash of the record before: 32 bytes, 0 before the first
//                    number: 8 bytes, at: 8 bytes, both big endian
//                    tenant, subject, action, object, outcome, request: each size: 8 bytes big endian, then its bytes )
//
// Whoever alters, removes or inserts a record breaks the chain, unless he computes all later hashes anew: keep the last
// hash elsewhere from time to time, and verify against it. Whether something is worth a record, the caller decides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.h"
#include "db/database.h"
#include "record/audit.h"
#include "record/problem.h"

namespace volary {

struct AuditEntry {
  std::string tenant;   // "" if nobody was believed.
  std::string subject;  // Name of who asked; "" if nobody was believed.
  std::string action;   // "POST /api/v1/volumes"
  std::string object;
  std::string outcome;  // "ok", or the code of the error.
  std::string request;  // The request's id.
};

// Any thread may call.
class Audit {
 public:
  Audit(Database& database, Clock& clock) : database_(database), clock_(clock) {}

  // Durable on return; or with the transaction of the change itself.
  AuditRecord append(const AuditEntry& entry);
  AuditRecord append(Transaction& transaction, const AuditEntry& entry);

  // Newest first, of one tenant and of those who were not believed. An empty cursor is the start. Throws `invalid`.
  Page<AuditRecord> list(const std::string& tenant, const std::string& cursor, uint64_t limit);

  // Reads all of them; throws `corrupt` naming the first record that does not follow from those before it. With a
  // record known from elsewhere, also if there is no such record any more.
  AuditVerification verify_chain(const std::optional<AuditVerification>& known = std::nullopt);

 private:
  Database& database_;
  Clock& clock_;
};

}  // namespace volary
