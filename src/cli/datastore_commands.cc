// cli/datastore_commands.cc: `volary datastore ls|get|check|rm`; `add` is in datastore_add_commands.cc.
#include <algorithm>
#include <iterator>

#include "cli/command.h"
#include "cli/session.h"
#include "core/error_table.h"
#include "record/datastore.h"

namespace volary {
namespace {

std::string where_is(const Datastore& store) {
  switch (store.kind) {
    case DatastoreKind::directory: return store.path;
    case DatastoreKind::http: return store.endpoint;
    case DatastoreKind::git: return store.endpoint + "@" + store.revision;
    case DatastoreKind::swift:
    case DatastoreKind::s3: return store.bucket.empty() ? store.endpoint : store.endpoint + "/" + store.bucket;
    case DatastoreKind::hugging_face:
      return fmt::format("{}/{}{}@{}", store.endpoint,
                         store.repository_type == RepositoryType::model
                             ? ""
                             : word_of(name_of_value(store.repository_type)) + "s/",
                         store.repository, store.revision);
  }
  return "";
}

const std::vector<Column<Datastore>>& datastore_columns() {
  static const std::vector<Column<Datastore>> columns = {
      {"NAME", [](const Datastore& d) { return d.name; }},
      {"KIND", [](const Datastore& d) { return word_of(name_of_value(d.kind)); }},
      {"WHERE", where_is},
      {"REGION", [](const Datastore& d) { return or_dash(d.region); }},
      {"SECRET", [](const Datastore& d) { return or_dash(d.secret); }},
      {"URL STYLE", [](const Datastore& d) {
         return d.kind == DatastoreKind::s3 ? word_of(name_of_value(d.url_style)) : "-";
       }, Show::wide},
      {"PROXY", [](const Datastore& d) { return or_dash(d.proxy); }, Show::wide},
      {"LEADS TO", [](const Datastore& d) { return or_dash(word_of(d.reach)); }, Show::wide},
      {"CREATED", [](const Datastore& d) { return time_text(d.created_at); }, Show::wide},
      {"ID", [](const Datastore& d) { return d.id; }, Show::wide}};
  return columns;
}

struct NoOptions {};

int list(Session& session, const NoOptions&) {
  session.output().list<Datastore>(session.client().list(api_path({"datastores"})), datastore_columns());
  return 0;
}

struct OneOptions {
  std::string name;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "which datastore", .need = Need::required,
           .words = Words::datastores}};
}

int get(Session& session, const OneOptions& o) {
  session.output().record<Datastore>(session.client().get(api_path({"datastores", o.name})), datastore_columns());
  return 0;
}

struct CheckOptions {
  std::string name;
  bool read_only = false;
};

std::vector<CommandField> check_fields(CheckOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "which datastore", .need = Need::required,
           .words = Words::datastores},
          {.name = "--read-only", .target = &o.read_only, .help = "do not try to write"}};
}

// 0 if something can be had from it.
int check(Session& session, const CheckOptions& o) {
  const Query query = o.read_only ? Query{{"readOnly", "true"}} : Query{};
  const json::value answer =
      session.client().post(api_path({"datastores", o.name, "check"}), json::object(), query, Patience::endless);
  const auto result = typed<DatastoreCheck>(answer);
  if (session.output().is_structured()) {
    session.output().document(answer);
  } else {
    json::array rows;
    for (const CheckedAct& act : result.acts) rows.push_back(to_json(act));
    session.output().list<CheckedAct>(
        rows, {{"ACT", [](const CheckedAct& a) { return a.act; }},
               {"WORKS", [](const CheckedAct& a) { return word_of(name_of_value(a.works)); }},
               {"REASON", [](const CheckedAct& a) { return a.reason; }}});
  }
  const auto is_good = [](const CheckedAct& act) { return act.works == CheckAnswer::yes; };
  return std::any_of(result.acts.begin(), result.acts.end(), is_good) ? 0 : row_of(Errc::unavailable).exit_status;
}

int remove(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"datastores", o.name}));
  if (!session.output().is_structured()) session.output().line(o.name);
  return 0;
}

}  // namespace

std::vector<Command> datastore_commands() {
  std::vector<Command> commands = datastore_add_commands();
  std::vector<Command> others = {
      make_command<NoOptions>({.path = {"datastore", "ls"}, .aliases = {"list"}, .summary = "list datastores",
                               .example = "volary datastore ls"},
                              [](NoOptions&) { return std::vector<CommandField>(); }, list),
      make_command<OneOptions>({.path = {"datastore", "get"}, .aliases = {"describe", "show"},
                                .summary = "show one datastore",
                                .example = "volary datastore get corpora -o yaml"},
                               one_fields, get),
      make_command<CheckOptions>({.path = {"datastore", "check"},
                                  .summary = "try to list, read, write and delete there, and say why not",
                                  .example = "volary datastore check corpora\n"
                                             "volary datastore check corpora --read-only -o json",
                                  .more = "Writes 'volary-check-' and random digits where it may, and removes it "
                                          "again."},
                                 check_fields, check),
      make_command<OneOptions>({.path = {"datastore", "rm"}, .aliases = {"delete"},
                                .summary = "forget a datastore; what it holds stays",
                                .example = "volary datastore rm corpora"},
                               one_fields, remove),
  };
  std::move(others.begin(), others.end(), std::back_inserter(commands));
  return commands;
}

}  // namespace volary
