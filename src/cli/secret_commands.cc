// cli/secret_commands.cc: `volary secret create|ls|rm`.
#include "cli/command.h"
#include "cli/secret_values.h"
#include "cli/session.h"
#include "record/datastore.h"

namespace volary {
namespace {

struct CreateOptions {
  std::string name;
  bool from_env = false;
  std::vector<std::string> variables;
  std::optional<std::string> file;
};

std::vector<CommandField> create_fields(CreateOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "how it will be called", .need = Need::required},
          {.name = "VARIABLE", .target = &o.variables,
           .help = "with --from-env: which variables; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if set, "
                   "AWS_SESSION_TOKEN unless told"},
          {.name = "--from-env", .target = &o.from_env, .help = "take the values from the environment"},
          {.name = "--from-file", .target = &o.file,
           .help = "take them from lines KEY=VALUE; '-' is the standard input",
           .value = "FILE", .words = Words::files}};
}

std::map<std::string, std::string> values_of(Session& session, const CreateOptions& o) {
  if (o.from_env && o.file) throw Error(Errc::invalid, "--from-env and --from-file contradict each other: give one");
  if (!o.from_env && !o.variables.empty())
    throw Error(Errc::invalid, "'{}' is one word too many: values are never given as words, which other users of this "
                               "machine can see; names of variables belong to --from-env", o.variables.front());
  if (o.from_env) return secret_values_of_environment(o.variables, real_surroundings().variable);
  if (o.file && *o.file != "-") return parse_secret_values(read_file(*o.file, secret_bytes_max), *o.file);
  if (!o.file && session.can_ask()) return ask_secret_values(s3_keys());
  return parse_secret_values(read_standard_input(), "the standard input");
}

int create(Session& session, const CreateOptions& o) {
  const NewSecret secret{.name = o.name, .values = values_of(session, o)};
  const json::value answer = session.client().post(api_path({"secrets"}), to_json(secret));
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(o.name);
  return 0;
}

struct NoOptions {};

int list(Session& session, const NoOptions&) {
  session.output().list<Secret>(session.client().list(api_path({"secrets"})),
                                {{"NAME", [](const Secret& s) { return s.name; }},
                                 {"KEYS", [](const Secret& s) { return joined(s.keys, ","); }},
                                 {"CREATED", [](const Secret& s) { return time_text(s.created_at); }},
                                 {"ID", [](const Secret& s) { return s.id; }, Show::wide}});
  return 0;
}

struct OneOptions {
  std::string name;
};

int remove(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"secrets", o.name}));
  if (!session.output().is_structured()) session.output().line(o.name);
  return 0;
}

}  // namespace

std::vector<Command> secret_commands() {
  return {
      make_command<CreateOptions>(
          {.path = {"secret", "create"}, .summary = "keep credentials under a name",
           .example = "volary secret create s3-keys --from-env\n"
                      "volary secret create s3-keys --from-file keys.txt\n"
                      "printf 'access_key=%s\\nsecret_key=%s\\n' \"$ID\" \"$KEY\" | volary secret create s3-keys",
           .more =
               "The keys of S3 credentials are access_key, secret_key and, if there is one, session_token; names of\n"
               "variables are accepted too: AWS_*, HF_TOKEN, ST_* and those of OpenStack, OS_*. On a terminal the\n"
               "values are asked for. They are never shown again."},
          create_fields, create),
      make_command<NoOptions>({.path = {"secret", "ls"}, .aliases = {"list"},
                               .summary = "list secrets: their names, never their values",
                               .example = "volary secret ls"},
                              [](NoOptions&) { return std::vector<CommandField>(); }, list),
      make_command<OneOptions>({.path = {"secret", "rm"}, .aliases = {"delete"}, .summary = "delete a secret",
                                .example = "volary secret rm s3-keys"},
                               [](OneOptions& o) -> std::vector<CommandField> {
                                 return {{.name = "NAME", .target = &o.name, .help = "which secret",
                                          .need = Need::required, .words = Words::secrets}};
                               },
                               remove),
  };
}

}  // namespace volary
