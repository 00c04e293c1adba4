// cli/event_commands.cc: `volary events`, `volary webhook add|ls|get|ping|rm`.
#include "cli/command.h"
#include "cli/last_events.h"
#include "cli/reference.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/event.h"

namespace volary {
namespace {

// "alice's job train is RUNNING", in words.
std::string words_of(const ProjectEvent& event) {
  const EventBody& body = event.body;
  if (body.job)
    return fmt::format("job {} is {}: {}{}", body.job->name, name_of_value(body.job->state), body.job->reason,
                       body.job->exit_code ? fmt::format(" (exit code {})", *body.job->exit_code) : "");
  if (body.transfer)
    return fmt::format("{} of volume {} is {}{}", word_of(name_of_value(body.transfer->kind)), body.transfer->volume,
                       name_of_value(body.transfer->state),
                       body.transfer->error.empty() ? "" : ": " + body.transfer->error);
  if (body.version)
    return fmt::format("{}@{} has {} files, {}, by {}", body.version->volume, body.version->version,
                       body.version->files, bytes_text(body.version->bytes), body.version->author);
  if (body.volume) return fmt::format("volume {}, by {}", body.volume->volume, body.volume->user);
  return "";
}

const std::vector<Column<ProjectEvent>>& event_columns() {
  static const std::vector<Column<ProjectEvent>> columns = {
      {"NUMBER", [](const ProjectEvent& e) { return std::to_string(e.number); }},
      {"DATE", [](const ProjectEvent& e) { return time_text(e.date); }},
      {"TYPE", [](const ProjectEvent& e) { return e.type; }},
      {"SUBJECT", [](const ProjectEvent& e) { return e.subject; }},
      {"WHAT", words_of}};
  return columns;
}

struct EventsOptions {
  bool follow = false;
  std::optional<std::string> after;
  std::vector<std::string> types;
  std::optional<std::string> limit;
  std::optional<std::string> tail;
};

std::vector<CommandField> events_fields(EventsOptions& o) {
  return {{.name = "-f,--follow", .target = &o.follow, .help = "go on with what happens, until Ctrl-C"},
          {.name = "--after", .target = &o.after, .help = "only events with a greater number", .value = "NUMBER"},
          {.name = "--type", .target = &o.types, .help = "only such events: job.done, job.*; may be repeated",
           .value = "TYPE"},
          {.name = "--tail", .target = &o.tail, .help = "the newest N; 100 unless told", .value = "N"},
          {.name = "--limit", .target = &o.limit, .help = "at most so many, from the oldest or --after on",
           .value = "N"}};
}

// One line an event, so that it can be read as it comes.
void print_event(Session& session, const json::value& answer) {
  Output& output = session.output();
  if (output.is_structured()) return output.text(print_json(answer) + "\n");
  const auto event = typed<ProjectEvent>(answer);
  if (output.format() == Format::name) return output.line(std::to_string(event.number));
  output.line(fmt::format("{}  {}  {}  {}", time_text(event.date), event.type, event.subject, words_of(event)));
}

int events(Session& session, const EventsOptions& o) {
  if (o.tail && (o.after || o.limit))
    throw Error(Errc::invalid, "--tail counts from the newest event, {} from an older one: expected one of both",
                o.after ? "--after" : "--limit");
  if (o.follow && o.limit)
    throw Error(Errc::invalid, "--limit ends what --follow goes on with: expected one of both; --tail N begins with "
                "the newest N");
  const std::string path = api_path({"events"});
  Query query;
  for (const std::string& type : o.types) query.emplace_back("type", type);
  if (o.after) query.emplace_back("after", std::to_string(parse_count(*o.after, "--after", 0)));
  if (!o.follow && (o.after || o.limit)) {
    const uint64_t limit = parse_count(o.limit.value_or("100"), "--limit", 1);
    session.output().list<ProjectEvent>(session.client().list(path, query, limit), event_columns());
    return 0;
  }
  json::array newest;
  const uint64_t count = parse_count(o.tail.value_or("100"), "--tail", 1);
  if (o.tail || !o.follow) newest = last_events(session.client(), o.types, count);
  if (!o.follow) {
    session.output().list<ProjectEvent>(newest, event_columns());
    return 0;
  }
  for (const json::value& event : newest) print_event(session, event);
  if (o.tail) query.emplace_back("after", std::to_string(number_of_last(newest)));
  session.client().follow(
      api_path({"events", "stream"}),
      [&](const json::value& event) {
        print_event(session, event);
        return Ended::no;
      },
      [] {}, query);
  return 0;
}

// --- webhooks

const std::vector<Column<Webhook>>& webhook_columns() {
  static const std::vector<Column<Webhook>> columns = {
      {"NAME", [](const Webhook& w) { return w.name; }},
      {"URL", [](const Webhook& w) { return w.url; }},
      {"TYPES", [](const Webhook& w) { return w.types.empty() ? "*" : joined(w.types, ","); }},
      {"STATE", [](const Webhook& w) { return !w.active ? "ended" : w.failures ? "failing" : "active"; }},
      {"DELIVERED", [](const Webhook& w) { return std::to_string(w.delivered); }},
      {"DROPPED", [](const Webhook& w) { return std::to_string(w.dropped); }},
      {"LAST", [](const Webhook& w) { return time_text(w.last_delivery_at.value_or(Time{})); }},
      {"RETRY", [](const Webhook& w) { return time_text(w.retry_at.value_or(Time{})); }},
      {"ERROR", [](const Webhook& w) { return or_dash(w.last_error); }},
      {"SECRET", [](const Webhook& w) { return or_dash(w.secret); }, Show::wide},
      {"ID", [](const Webhook& w) { return w.id; }, Show::wide}};
  return columns;
}

struct AddOptions {
  std::string name;
  std::string url;
  std::vector<std::string> types;
  std::optional<std::string> secret;
};

std::vector<CommandField> add_fields(AddOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "what to call it", .need = Need::required},
          {.name = "URL", .target = &o.url, .help = "where events are posted to", .need = Need::required},
          {.name = "--type", .target = &o.types, .help = "only such events: job.done, transfer.*; may be repeated",
           .value = "TYPE"},
          {.name = "--secret", .target = &o.secret, .help = "sign with its value 'key'; a key is made unless told",
           .value = "NAME", .words = Words::secrets}};
}

int add(Session& session, const AddOptions& o) {
  const NewWebhook wanted{o.name, o.url, o.types, o.secret};
  const json::value answer = session.client().post(api_path({"webhooks"}), to_json(wanted));
  const auto created = typed<CreatedWebhook>(answer);
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(created.key.empty() ? created.webhook.name : created.key);
  if (!created.key.empty())
    session.note(fmt::format("this is the only time that the key of webhook '{}' is shown: its receiver verifies "
                             "signatures with it", created.webhook.name));
  return 0;
}

struct NoOptions {};

std::vector<CommandField> no_fields(NoOptions&) { return {}; }

int list(Session& session, const NoOptions&) {
  session.output().list<Webhook>(session.client().list(api_path({"webhooks"})), webhook_columns());
  return 0;
}

struct OneOptions {
  std::string name;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "NAME", .target = &o.name, .help = "which webhook", .need = Need::required}};
}

int get(Session& session, const OneOptions& o) {
  session.output().record<Webhook>(session.client().get(api_path({"webhooks", o.name})), webhook_columns());
  return 0;
}

int ping(Session& session, const OneOptions& o) {
  const json::value answer = session.client().post(api_path({"webhooks", o.name, "ping"}), json::object());
  const auto told = typed<WebhookAnswer>(answer);
  if (session.output().is_structured()) session.output().document(answer);
  else if (told.error.empty()) session.output().line(fmt::format("taken, with {}", told.status));
  if (!told.error.empty()) throw Error(Errc::unavailable, "webhook '{}' was not taken: {}", o.name, told.error);
  return 0;
}

int remove(Session& session, const OneOptions& o) {
  session.client().remove(api_path({"webhooks", o.name}));
  if (!session.output().is_structured()) session.output().line(o.name);
  return 0;
}

}  // namespace

std::vector<Command> event_commands() {
  return {
      make_command<EventsOptions>({.path = {"events"}, .summary = "what happens to jobs, transfers and volumes",
                                   .example = "volary events --follow --type 'job.*'\n"
                                              "volary events --after 4711 -o json"},
                                  events_fields, events),
      make_command<AddOptions>({.path = {"webhook", "add"}, .aliases = {"create"},
                                .summary = "have a receiver elsewhere told of events",
                                .example = "volary webhook add ci https://ci.example.com/hook --type 'job.*'",
                                .more = "Each event is one POST of a CloudEvents document, signed as the Standard "
                                        "Webhooks specification says, in order, and again until it is taken. Prints "
                                        "the key of the signatures, once."},
                               add_fields, add),
      make_command<NoOptions>({.path = {"webhook", "ls"}, .aliases = {"list"},
                               .summary = "list webhooks, and how they fare", .example = "volary webhook ls"},
                              no_fields, list),
      make_command<OneOptions>({.path = {"webhook", "get"}, .summary = "show one webhook",
                                .example = "volary webhook get ci -o json"},
                               one_fields, get),
      make_command<OneOptions>({.path = {"webhook", "ping"}, .summary = "send it an event now, to try it",
                                .example = "volary webhook ping ci",
                                .more = "What waits for a receiver that failed, or said that it is gone, is delivered "
                                        "at once when the ping is taken."},
                               one_fields, ping),
      make_command<OneOptions>({.path = {"webhook", "rm"}, .aliases = {"delete"},
                                .summary = "tell a receiver nothing more", .example = "volary webhook rm ci"},
                               one_fields, remove),
  };
}

}  // namespace volary
