// cli/token_commands.cc: `volary token create|ls|revoke`, `volary whoami`, `volary audit`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/audit.h"
#include "record/token.h"

namespace volary {
namespace {

struct CreateOptions {
  std::string name;
  std::optional<std::string> role;
  std::optional<std::string> subject;
  std::optional<std::string> expires;
};

std::vector<CommandField> create_fields(CreateOptions& o) {
  return {{.name = "--name", .target = &o.name, .help = "what it is for", .value = "NAME", .need = Need::required},
          {.name = "--role", .target = &o.role, .help = "makes a service of the token's name, in this role",
           .value = "ROLE"},
          {.name = "--subject", .target = &o.subject, .help = "or: for this user or service, which is there already",
           .value = "NAME"},
          {.name = "--expires", .target = &o.expires, .help = "after this time, such as 12h or 30d; never unless told",
           .value = "TIME"}};
}

int create(Session& session, const CreateOptions& o) {
  if (o.role.has_value() == o.subject.has_value())
    throw Error(Errc::invalid,
                "a token is either for a new service (--role) or for who is there (--subject): give one");
  NewToken token{.name = o.name, .role = o.role, .subject = o.subject, .expires_seconds = {}};
  if (o.expires) token.expires_seconds = parse_seconds(*o.expires, "a time");
  const json::value answer = session.client().post(api_path({"tokens"}), to_json(token));
  const auto created = typed<CreatedToken>(answer);
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(session.output().format() == Format::name ? created.record.id : created.token);
  session.note(fmt::format("this is the only time that token {} is shown", created.record.id));
  return 0;
}

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int list(Session& session, const NoOptions&) {
  session.output().list<Token>(
      session.client().list(api_path({"tokens"})),
      {{"ID", [](const Token& t) { return t.id; }},
       {"NAME", [](const Token& t) { return t.name; }},
       {"SUBJECT", [](const Token& t) { return t.subject; }},
       {"KIND", [](const Token& t) { return word_of(name_of_value(t.kind)); }},
       {"ROLES", [](const Token& t) { return or_dash(joined(t.roles, ",")); }},
       {"CREATED", [](const Token& t) { return time_text(t.created_at); }},
       {"EXPIRES", [](const Token& t) { return time_text(t.expires_at.value_or(Time{})); }},
       {"REVOKED", [](const Token& t) { return time_text(t.revoked_at.value_or(Time{})); }}});
  return 0;
}

struct OneOptions {
  std::string id;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which token", .need = Need::required, .words = Words::tokens}};
}

int revoke(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"tokens", o.id}));
  if (!session.output().is_structured()) session.output().line(o.id);
  return 0;
}

int whoami(Session& session, const NoOptions&) {
  const json::value me = session.client().get(api_path({"me"}));
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(me);
    return 0;
  }
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& pair : me.as_object())
    lines.emplace_back(pair.key(),
                       pair.value().is_string() ? std::string(pair.value().get_string()) : print_json(pair.value()));
  if (output.format() != Format::name) output.sheet(lines);
  else if (const json::value* name = me.as_object().if_contains("name"); name && name->is_string())
    output.line(name->get_string());
  return 0;
}

struct AuditOptions {
  std::string limit = "100";
};

std::vector<CommandField> audit_fields(AuditOptions& o) {
  return {{.name = "--limit", .target = &o.limit, .help = "at most so many; 100 unless told", .value = "N"}};
}

int audit(Session& session, const AuditOptions& o) {
  session.output().list<AuditRecord>(
      session.client().list(api_path({"audit"}), {}, parse_count(o.limit, "--limit", 1)),
      {{"NUMBER", [](const AuditRecord& r) { return std::to_string(r.number); }},
       {"AT", [](const AuditRecord& r) { return time_text(r.at); }},
       {"WHO", [](const AuditRecord& r) { return or_dash(r.subject); }},
       {"ACTION", [](const AuditRecord& r) { return r.action; }},
       {"OBJECT", [](const AuditRecord& r) { return or_dash(r.object); }},
       {"OUTCOME", [](const AuditRecord& r) { return r.outcome; }},
       {"REQUEST", [](const AuditRecord& r) { return or_dash(r.request); }, Show::wide},
       {"HASH", [](const AuditRecord& r) { return r.hash.hex(); }, Show::wide}});
  return 0;
}

}  // namespace

std::vector<Command> token_commands() {
  return {
      make_command<CreateOptions>({.path = {"token", "create"}, .summary = "let somebody else ask this server",
                                   .example = "volary token create --name ci --role editor --expires 90d > ci.token",
                                   .more = "Prints the token, once. Who is to use it puts it into VOLARY_TOKEN, "
                                           "or into a "
                                           "file that VOLARY_TOKEN_FILE names."},
                                  create_fields, create),
      make_command<NoOptions>({.path = {"token", "ls"}, .aliases = {"list"},
                               .summary = "list tokens, without their text",
                               .example = "volary token ls"},
                              no_fields, list),
      make_command<OneOptions>({.path = {"token", "revoke"}, .aliases = {"rm", "delete"},
                                .summary = "end a token at once",
                                .example = "volary token revoke 4f9k2m"},
                               one_fields, revoke),
      make_command<AuditOptions>({.path = {"audit"}, .summary = "who changed what, and who was refused",
                                  .example = "volary audit --limit 20"},
                                 audit_fields, audit),
      make_command<NoOptions>({.path = {"whoami"}, .summary = "who this command line is to the server",
                               .example = "volary whoami"},
                              no_fields, whoami),
  };
}

}  // namespace volary
