// access/tokens.cc: making, listing and revoking tokens, and making the subjects they stand for.
#include <algorithm>

#include "access/access.h"
#include "access/grants.h"
#include "core/digest.h"
#include "core/name.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr size_t secret_bytes = 24;
constexpr int64_t expires_seconds_max = 10 * 366 * 86'400LL;

struct TokenRow {
  std::string id;
  std::string name;
  std::string subject_id;
  std::string subject;
  SubjectKind kind{};
  Time created_at;
  std::optional<Time> expires_at;
  std::optional<Time> revoked_at;
};
BOOST_DESCRIBE_STRUCT(TokenRow, (), (id, name, subject_id, subject, kind, created_at, expires_at, revoked_at))

constexpr std::string_view select_token =
    "SELECT t.id, t.name, s.id, s.name, s.kind, t.created_at, t.expires_at, t.revoked_at "
    "FROM token t JOIN subject s ON s.id = t.subject ";

std::vector<std::string> granted_roles(Transaction& transaction, const std::string& subject_id) {
  return transaction.all<std::string>("SELECT DISTINCT role FROM role_grant WHERE subject = $1 ORDER BY role",
                                      subject_id);
}

Token shown(Transaction& transaction, const TokenRow& row) {
  return {row.id,         row.name,       row.subject,   row.kind, granted_roles(transaction, row.subject_id),
          row.created_at, row.expires_at, row.revoked_at};
}

// Nobody gives what he does not have.
void check_may_give(Transaction& transaction, const Caller& caller, const std::vector<std::string>& given) {
  const auto held = roles_of(transaction, caller);
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<Permission>>([&](auto one) {
    if (one.value == Permission::everyone || one.value == Permission::public_) return;
    if (is_permitted(given, one.value) && !is_permitted(held, one.value))
      throw Error(Errc::denied, "'{}' lacks the permission {}: nobody gives a role of more than he may himself",
                  caller.name, one.name);
  });
}

void check_wanted(const NewToken& wanted) {
  Name::parse(wanted.name, "token");
  if (wanted.role.has_value() == wanted.subject.has_value())
    throw Error(Errc::invalid, "token '{}' has {} role and subject: expected one of them", wanted.name,
                wanted.role ? "both" : "neither");
  if (wanted.role) get_role(*wanted.role);
  if (wanted.expires_seconds && (*wanted.expires_seconds <= 0 || *wanted.expires_seconds > expires_seconds_max))
    throw Error(Errc::invalid, "token '{}' would expire after {} seconds: expected 1 to {}", wanted.name,
                *wanted.expires_seconds, expires_seconds_max);
}

// The id of a subject that is there already, to get one more token.
std::string known_subject(Transaction& transaction, const Caller& caller, const std::string& name) {
  const auto id = transaction.find<std::string>(
      "SELECT id FROM subject WHERE tenant = $1 AND name = $2 AND disabled_at IS NULL", caller.tenant, name);
  if (!id) throw Error(Errc::not_found, "there is no subject '{}'", printable(name));
  check_may_give(transaction, caller, granted_roles(transaction, *id));
  return *id;
}

}  // namespace

std::optional<std::string> Access::create_admin_token() {
  return database_.write([&](Transaction& transaction) -> std::optional<std::string> {
    const std::string tenant = default_tenant(transaction);
    if (transaction.find<std::string>("SELECT id FROM subject WHERE tenant = $1 AND name = 'admin'", tenant))
      return std::nullopt;
    const Caller first{"", "first start", tenant, ""};
    const std::string subject =
        insert_subject(transaction, first, SubjectKind::user, "admin", "admin", "tenant", tenant);
    return insert_token(transaction, subject, "admin", std::nullopt).token;
  });
}

std::string Access::renew_admin_token() {
  return database_.write([&](Transaction& transaction) {
    const auto subject = transaction.find<std::string>(
        "SELECT id FROM subject WHERE tenant = $1 AND name = 'admin'", default_tenant(transaction));
    if (!subject) throw Error(Errc::not_found, "there is no subject 'admin' yet: it is made at the first start");
    transaction.run("UPDATE token SET revoked_at = $2 WHERE subject = $1 AND name = 'admin' AND revoked_at IS NULL",
                    *subject, clock_.now());
    return insert_token(transaction, *subject, "admin", std::nullopt).token;
  });
}

std::string Access::default_tenant(Transaction& transaction) {
  auto tenant = transaction.find<std::string>("SELECT id FROM tenant WHERE name = 'default'");
  if (!tenant) throw Error(Errc::corrupt, "the database has no tenant 'default'");
  return std::move(*tenant);
}

CreatedToken Access::create_token(const Caller& caller, const NewToken& wanted) {
  check_wanted(wanted);
  return database_.write([&](Transaction& transaction) {
    const Time now = clock_.now();
    if (transaction.find<std::string>("SELECT t.id FROM token t JOIN subject s ON s.id = t.subject WHERE s.tenant = $1 "
                                      "AND t.name = $2 AND t.revoked_at IS NULL "
                                      "AND (t.expires_at IS NULL OR t.expires_at > $3)",
                                      caller.tenant, wanted.name, now))
      throw Error(Errc::exists, "there is a token '{}' already: revoke it, or choose another name", wanted.name);
    std::string subject;
    if (wanted.role) {
      check_may_give(transaction, caller, {*wanted.role});
      subject = insert_subject(transaction, caller, SubjectKind::service, wanted.name, *wanted.role, "project",
                               caller.project);
    } else {
      subject = known_subject(transaction, caller, *wanted.subject);
    }
    std::optional<Time> expires_at;
    if (wanted.expires_seconds) expires_at = now.plus_seconds(*wanted.expires_seconds);
    return insert_token(transaction, subject, wanted.name, expires_at);
  });
}

std::vector<Token> Access::list_tokens(const Caller& caller) {
  return database_.read([&](Transaction& transaction) {
    std::vector<Token> tokens;
    for (const TokenRow& row : transaction.all<TokenRow>(
             std::string(select_token) + "WHERE s.tenant = $1 ORDER BY t.created_at, t.id", caller.tenant))
      tokens.push_back(shown(transaction, row));
    return tokens;
  });
}

Token Access::revoke_token(const Caller& caller, const std::string& id_or_name) {
  return database_.write([&](Transaction& transaction) {
    auto row = transaction.find<TokenRow>(
        std::string(select_token) + "WHERE s.tenant = $1 AND (t.id = $2 OR (t.name = $2 AND t.revoked_at IS NULL)) "
        "ORDER BY t.created_at DESC", caller.tenant, id_or_name);
    if (!row) throw Error(Errc::not_found, "there is no token '{}'", printable(id_or_name));
    check_may_give(transaction, caller, granted_roles(transaction, row->subject_id));
    if (!row->revoked_at) row->revoked_at = clock_.now();
    transaction.run("UPDATE token SET revoked_at = $2 WHERE id = $1", row->id, row->revoked_at);
    return shown(transaction, *row);
  });
}

std::string Access::create_subject(const Caller& caller, SubjectKind kind, const std::string& name,
                                   const std::string& role) {
  get_role(role);
  return database_.write([&](Transaction& transaction) {
    check_may_give(transaction, caller, {role});
    return insert_subject(transaction, caller, kind, name, role, "project", caller.project);
  });
}

std::string Access::insert_subject(Transaction& transaction, const Caller& caller, SubjectKind kind,
                                   const std::string& name, const std::string& role, std::string_view scope_kind,
                                   const std::string& scope) {
  const Name good = Name::parse(name, "subject");
  if (transaction.find<std::string>("SELECT id FROM subject WHERE tenant = $1 AND name = $2", caller.tenant, name))
    throw Error(Errc::exists, "there is a subject '{}' already: give it one more token, or choose another name", name);
  const std::string id = new_id("sub", random_);
  const Time now = clock_.now();
  transaction.run("INSERT INTO subject (id, tenant, kind, name, created_at) VALUES ($1, $2, $3, $4, $5)", id,
                  caller.tenant, kind, good.text(), now);
  transaction.run("INSERT INTO role_grant (id, subject, role, scope_kind, scope, created_at, created_by) "
                  "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                  new_id("grant", random_), id, role, scope_kind, scope, now, caller.name);
  return id;
}

CreatedToken Access::insert_token(Transaction& transaction, const std::string& subject, const std::string& name,
                                  std::optional<Time> expires_at) {
  const std::string id = new_id("tok", random_);
  const std::string secret = random_hex(secret_bytes, random_);
  transaction.run("INSERT INTO token (id, subject, name, secret_hash, created_at, expires_at) "
                  "VALUES ($1, $2, $3, $4, $5, $6)",
                  id, subject, name, Digest::of(secret), clock_.now(), expires_at);
  const auto row = transaction.find<TokenRow>(std::string(select_token) + "WHERE t.id = $1", id);
  return {"volary_" + id.substr(id.find('-') + 1) + "_" + secret, shown(transaction, *row)};
}

}  // namespace volary
