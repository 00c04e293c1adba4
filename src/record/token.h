// record/token.h: tokens as they may be seen, and the one time their text travels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace volary {

enum class SubjectKind {
  user,     // A person.
  service,  // A machine.
  job,      // A running job's own.
};
BOOST_DESCRIBE_ENUM(SubjectKind, user, service, job)

// A token without its secret part.
struct Token {
  std::string id;
  std::string name;
  std::string subject;  // Whom it stands for, by name.
  SubjectKind kind{};   // Of the subject.
  std::vector<std::string> roles;  // Of the subject, wherever they hold.
  Time created_at;
  std::optional<Time> expires_at;
  std::optional<Time> revoked_at;
};
BOOST_DESCRIBE_STRUCT(Token, (), (id, name, subject, kind, roles, created_at, expires_at, revoked_at))

// POST /tokens
struct NewToken {
  std::string name;
  std::optional<std::string> role;         // Makes a new subject of kind service, of the token's name, in this role.
  std::optional<std::string> subject;      // Or the name of a subject that is there. One of both.
  std::optional<int64_t> expires_seconds;  // From now; never unless told.
};
BOOST_DESCRIBE_STRUCT(NewToken, (), (name, role, subject, expires_seconds))

struct CreatedToken {
  std::string token;  // "volary_<id>_<secret>": shown this once.
  Token record;
};
BOOST_DESCRIBE_STRUCT(CreatedToken, (), (token, record))

}  // namespace volary
