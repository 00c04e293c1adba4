// record/audit.h: one change or refusal, as it was recorded.
#pragma once

#include <string>

#include "core/json.h"

namespace volary {

struct AuditRecord {
  uint64_t number = 0;   // 1, 2, 3 … without gaps.
  Time at;
  std::string subject;   // Name of who asked; "" if nobody was believed.
  std::string action;    // "POST /api/v1/volumes"
  std::string object;    // What it was about: "wiki-en".
  std::string outcome;   // "ok", or the code of the error.
  std::string request;   // The request's id.
  Digest hash;           // Over this record and the hash of the one before.
};
BOOST_DESCRIBE_STRUCT(AuditRecord, (), (number, at, subject, action, object, outcome, request, hash))

// GET /audit/verification
struct AuditVerification {
  uint64_t records = 0;
  Digest last_hash;  // Kept elsewhere, it proves later that no record up to here was changed or cut off.
};
BOOST_DESCRIBE_STRUCT(AuditVerification, (), (records, last_hash))

}  // namespace volary
