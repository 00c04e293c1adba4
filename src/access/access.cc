// access/access.cc: believing a token, and the one question: may this caller do that.
#include "access/access.h"

#include <algorithm>

#include <sodium.h>

#include "access/grants.h"
#include "core/digest.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct TokenText {
  std::string_view id;  // Without "tok-".
  std::string_view secret;
};

std::optional<TokenText> split(std::string_view token) {
  constexpr std::string_view prefix = "volary_";
  constexpr size_t token_bytes_max = 256;
  if (!token.starts_with(prefix) || token.size() > token_bytes_max) return std::nullopt;
  token.remove_prefix(prefix.size());
  const size_t bar = token.find('_');
  if (bar == token.npos || bar == 0 || bar + 1 == token.size()) return std::nullopt;
  return TokenText{token.substr(0, bar), token.substr(bar + 1)};
}

struct Known {
  Digest secret_hash;
  std::optional<Time> expires_at;
  std::optional<Time> revoked_at;
  std::string subject_id;
  std::string subject;
  std::string tenant;
  std::optional<Time> disabled_at;
  std::string project;
};
BOOST_DESCRIBE_STRUCT(Known, (), (secret_hash, expires_at, revoked_at, subject_id, subject, tenant, disabled_at,
                                  project))

// A subject without any grant stands in the default project, where it may do nothing.
constexpr std::string_view select_known =
    "SELECT t.secret_hash, t.expires_at, t.revoked_at, s.id, s.name, s.tenant, s.disabled_at, p.id "
    "FROM token t JOIN subject s ON s.id = t.subject JOIN project p ON p.tenant = s.tenant "
    "WHERE t.id = $1 ORDER BY EXISTS (SELECT 1 FROM role_grant g WHERE g.subject = s.id AND "
    "((g.scope_kind = 'tenant' AND g.scope = p.tenant) OR (g.scope_kind = 'project' AND g.scope = p.id))) DESC, "
    "p.name = 'default' DESC, p.name LIMIT 1";

// In a time that does not depend on where they differ.
bool is_same(const Digest& a, const Digest& b) {
  return sodium_memcmp(a.bytes().data(), b.bytes().data(), Digest::size) == 0;
}

}  // namespace

struct Access::Verdict {
  std::optional<Caller> caller;
  std::string reason = {};  // Why not.
};

Access::Verdict Access::judge(std::string_view bearer_token) {
  if (bearer_token.empty()) return {{}, "expected the header 'Authorization: Bearer TOKEN'"};
  const auto text = split(bearer_token);
  if (!text) return {{}, "expected the form volary_ID_SECRET"};
  const auto known = database_.read([&](Transaction& transaction) {
    return transaction.find<Known>(select_known, "tok-" + std::string(text->id));
  });
  // What is told of a token depends on knowing its secret, and an unknown id takes as long as a wrong secret.
  const bool believed = is_same(Digest::of(text->secret), known ? known->secret_hash : Digest());
  if (!known || !believed) return {{}, "this one is not known"};
  if (known->revoked_at) return {{}, "this one was revoked at " + to_text(*known->revoked_at)};
  if (known->expires_at && *known->expires_at <= clock_.now())
    return {{}, "this one expired at " + to_text(*known->expires_at)};
  if (known->disabled_at) return {{}, "its subject was disabled at " + to_text(*known->disabled_at)};
  return {Caller{known->subject_id, known->subject, known->tenant, known->project}};
}

Caller Access::authenticate(std::string_view bearer_token) {
  Verdict verdict = judge(bearer_token);
  if (!verdict.caller) throw Error(Errc::denied, "no valid token: {}", verdict.reason);
  return std::move(*verdict.caller);
}

std::optional<Caller> Access::find_caller(std::string_view bearer_token) { return judge(bearer_token).caller; }

Caller Access::in_project(const Caller& caller, const std::string& project) {
  const auto id = database_.read([&](Transaction& transaction) {
    auto found = transaction.find<std::string>(
        "SELECT id FROM project WHERE tenant = $1 AND (name = $2 OR id = $2) ORDER BY name = $2 DESC", caller.tenant,
        project);
    if (found && !holds_grant(transaction, caller, *found)) found.reset();
    return found;
  });
  if (!id) throw Error(Errc::not_found, "there is no project '{}' that '{}' may use", printable(project), caller.name);
  Caller placed = caller;
  placed.project = *id;
  return placed;
}

std::vector<std::string> Access::projects_of(const Caller& caller) {
  return database_.read([&](Transaction& transaction) {
    auto ids = transaction.all<std::string>("SELECT id FROM project WHERE tenant = $1 ORDER BY name", caller.tenant);
    std::erase_if(ids, [&](const std::string& id) { return !holds_grant(transaction, caller, id); });
    return ids;
  });
}

void Access::require(const Caller& caller, Permission permission) {
  if (permission == Permission::public_) return;
  if (caller.subject_id.empty()) throw Error(Errc::denied, "no valid token: nobody is known to ask");
  if (permission == Permission::everyone) return;
  const auto held = database_.read([&](Transaction& transaction) { return roles_of(transaction, caller); });
  require_one_of(caller, permission, held, "here");
}

void Access::require_everywhere(const Caller& caller, Permission permission) {
  const auto held = database_.read([&](Transaction& transaction) { return roles_everywhere(transaction, caller); });
  require_one_of(caller, permission, held, "on all projects");
}

void Access::require_one_of(const Caller& caller, Permission permission, const std::vector<std::string>& held,
                            std::string_view where) {
  if (is_permitted(held, permission)) return;
  std::string names;
  for (const std::string& role : held) names += (names.empty() ? "" : ", ") + role;
  throw Error(Errc::denied, "'{}' lacks the permission {}: its roles {} are {}, expected one of {}", caller.name,
              name_of_value(permission), where, names.empty() ? "none" : names, roles_that_permit(permission));
}

}  // namespace volary
