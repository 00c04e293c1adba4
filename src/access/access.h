// access/access.h: who asks, and may they. Deny by default: what no grant's role permits is refused.
//
// A grant is subject + role + scope; it holds in its project, or in all projects of its tenant. A subject speaks
// through tokens, and a token is the text
//
//   token  = "volary_" id "_" secret
//   id     = 16( Crockford's base 32, lower case )   the id of its row is "tok-" id
//   secret = 48( hexadecimal digit )                 192 random bits; only BLAKE3 of these digits is kept
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "access/permission.h"
#include "access/roles.h"
#include "core/clock.h"
#include "core/random.h"
#include "db/database.h"
#include "record/token.h"

namespace volary {

// Any thread may call.
class Access {
 public:
  Access(Database& database, Clock& clock, Random& random = system_random())
      : database_(database), clock_(clock), random_(random) {}

  // Whom a token stands for: in the default project of the subject's tenant if a grant of its holds there, otherwise in
  // the first project by name where one does. Throws `denied` with "no valid token: …"
  // if it is missing, malformed, unknown, expired or revoked, or its subject disabled.
  Caller authenticate(std::string_view bearer_token);
  // The same, with nothing instead of a reason.
  std::optional<Caller> find_caller(std::string_view bearer_token);

  // Throws `denied` unless a role that the caller holds in its project permits it. Reads the grants each time, so that
  // what is taken away is gone at once.
  void require(const Caller& caller, Permission permission);

  // The caller in another project of its tenant, by name or id. Throws `not_found` for one where no grant of its holds:
  // what may not be seen is not there.
  Caller in_project(const Caller& caller, const std::string& project);
  // The ids of all projects where a grant of the caller's holds.
  std::vector<std::string> projects_of(const Caller& caller);
  // As require(), by grants on the whole tenant only: what a project's own grant must not permit.
  void require_everywhere(const Caller& caller, Permission permission);

  // At the first start: makes the subject "admin" with the role admin on the default tenant, and its one token, told
  // this once. Nothing if there is that subject already.
  std::optional<std::string> create_admin_token();
  // Another token for "admin" in place of its first one, which is revoked: for who lost it but may use the database.
  std::string renew_admin_token();

  // Who makes a token or subject must hold every permission that it will have; otherwise `denied`.
  // Throws `invalid`, `exists` (a subject of that name, or a token of that name that is still good), `not_found`.
  CreatedToken create_token(const Caller& caller, const NewToken& wanted);
  // All of the tenant, by time of making; also those expired or revoked.
  std::vector<Token> list_tokens(const Caller& caller);
  // By id, or by the name of one that is still good. Revoked already is success. Throws `not_found`.
  Token revoke_token(const Caller& caller, const std::string& id_or_name);
  // The id of a new subject with one role in the caller's project.
  std::string create_subject(const Caller& caller, SubjectKind kind, const std::string& name, const std::string& role);

 private:
  struct Verdict;

  Verdict judge(std::string_view bearer_token);
  void require_one_of(const Caller& caller, Permission permission, const std::vector<std::string>& held,
                      std::string_view where);
  std::string default_tenant(Transaction& transaction);
  std::string insert_subject(Transaction& transaction, const Caller& caller, SubjectKind kind, const std::string& name,
                             const std::string& role, std::string_view scope_kind, const std::string& scope);
  CreatedToken insert_token(Transaction& transaction, const std::string& subject, const std::string& name,
                            std::optional<Time> expires_at);

  Database& database_;
  Clock& clock_;
  Random& random_;
};

}  // namespace volary
