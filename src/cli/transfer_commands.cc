// cli/transfer_commands.cc: `volary transfer ls|get|failures|watch|cancel|resume|retry`.
#include "cli/command.h"
#include "cli/reference.h"
#include "cli/watch.h"
#include "core/quantity.h"
#include "record/volume.h"

namespace volary {
namespace {

// Bytes a second since it began, of what travelled; 0 before that.
double speed_of(const Transfer& transfer) {
  if (!transfer.started_at) return 0;
  const Time until = transfer.ended_at.value_or(system_clock().now());
  const double seconds = static_cast<double>(until.micros - transfer.started_at->micros) / 1e6;
  return seconds > 0 ? static_cast<double>(transfer.counts.transferred_bytes) / seconds : 0;
}

std::string rate_of(const Transfer& transfer) {
  const double speed = speed_of(transfer);
  return speed < 1 ? "-" : bytes_text(static_cast<uint64_t>(speed)) + "/s";
}

std::string time_left_of(const Transfer& transfer) {
  const double speed = speed_of(transfer);
  const TransferCounts& counts = transfer.counts;
  if (is_terminal(transfer.state) || speed < 1 || counts.bytes_total <= counts.bytes_done) return "-";
  return seconds_text(static_cast<int64_t>(static_cast<double>(counts.bytes_total - counts.bytes_done) / speed) + 1);
}

const std::vector<Column<Transfer>>& transfer_columns() {
  static const std::vector<Column<Transfer>> columns = {
      {"ID", [](const Transfer& t) { return t.id; }},
      {"KIND", [](const Transfer& t) { return word_of(name_of_value(t.kind)); }},
      {"FROM", source_of},
      {"TO", target_of},
      {"STATE", [](const Transfer& t) { return word_of(name_of_value(t.state)); }},
      {"FILES", [](const Transfer& t) {
         return fmt::format("{}/{}", t.counts.completed + t.counts.skipped + t.counts.failed, t.counts.total);
       }},
      {"BYTES",
       [](const Transfer& t) { return bytes_text(t.counts.bytes_done) + "/" + bytes_text(t.counts.bytes_total); }},
      {"CREATED", [](const Transfer& t) { return time_text(t.created_at); }},
      {"WAITS FOR", [](const Transfer& t) { return or_dash(t.waits_for); }, Show::wide},
      {"STRATEGY", [](const Transfer& t) { return word_of(name_of_value(t.strategy)); }, Show::wide},
      {"SKIPPED", [](const Transfer& t) { return std::to_string(t.counts.skipped); }, Show::wide},
      {"DELETED", [](const Transfer& t) { return std::to_string(t.counts.deleted); }, Show::wide},
      {"VERSION", [](const Transfer& t) { return t.version ? std::to_string(t.version) : "-"; }, Show::wide},
      {"ENDED", [](const Transfer& t) { return time_text(t.ended_at.value_or(Time{})); }, Show::wide},
      {"BY", [](const Transfer& t) { return or_dash(t.created_by); }, Show::wide},
      {"PROCESSED", [](const Transfer& t) { return std::to_string(t.counts.processed); }, Show::wide},
      {"FAILED", [](const Transfer& t) { return std::to_string(t.counts.failed); }, Show::wide},
      {"TRANSFERRED", [](const Transfer& t) { return bytes_text(t.counts.transferred_bytes); }, Show::wide},
      {"RATE", rate_of, Show::wide},
      {"TIME LEFT", time_left_of, Show::wide},
      {"INCLUDE", [](const Transfer& t) { return or_dash(joined(t.include, " ")); }, Show::wide},
      {"EXCLUDE", [](const Transfer& t) { return or_dash(joined(t.exclude, " ")); }, Show::wide},
      {"TRASH", [](const Transfer& t) { return or_dash(t.trash); }, Show::wide},
      {"RETRY OF", [](const Transfer& t) { return or_dash(t.retry_of); }, Show::wide},
      {"REVISION", [](const Transfer& t) { return or_dash(t.revision); }, Show::wide},
      {"VERIFIED", [](const Transfer& t) { return or_dash(t.verified); }, Show::wide},
      {"ERROR", [](const Transfer& t) { return trail_text(t.error); }, Show::wide}};
  return columns;
}

// --- ls

struct ListOptions {
  std::optional<std::string> volume;
  std::vector<std::string> states;
  std::optional<std::string> limit;
};

int list(Session& session, const ListOptions& o) {
  Query query;
  if (o.volume) query.emplace_back("volume", *o.volume);
  for (const std::string& state : o.states) query.emplace_back("state", state);
  const uint64_t limit = o.limit ? parse_count(*o.limit, "--limit", 1) : UINT64_MAX;
  session.output().list<Transfer>(session.client().list(api_path({"transfers"}), query, limit), transfer_columns());
  return 0;
}

// --- get, failures, watch, cancel, resume, retry

struct OneOptions {
  std::string id;
};

std::vector<CommandField> one_fields(OneOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which transfer", .need = Need::required, .words = Words::transfers}};
}

int get(Session& session, const OneOptions& o) {
  const json::value answer = session.client().get(api_path({"transfers", o.id}));
  session.output().record<Transfer>(answer, transfer_columns());
  if (session.output().format() == Format::table || session.output().format() == Format::wide)
    show_failures(session, typed<Transfer>(answer));
  return 0;
}

const std::vector<Column<TransferFailure>>& failure_columns() {
  static const std::vector<Column<TransferFailure>> columns = {
      {"PATH", [](const TransferFailure& f) { return f.path; }},
      {"OUTCOME", [](const TransferFailure& f) { return std::string(name_of_value(f.outcome)); }},
      {"REASON", [](const TransferFailure& f) { return f.reason.substr(0, f.reason.find('\n')); }}};
  return columns;
}

int failures(Session& session, const OneOptions& o) {
  session.output().list<TransferFailure>(session.client().list(api_path({"transfers", o.id, "failures"})),
                                         failure_columns());
  return 0;
}

int watch(Session& session, const OneOptions& o) {
  session.client().get(api_path({"transfers", o.id}));  // A wrong id is an error at once.
  return end_of_transfer(session, watch_transfer(session, o.id));
}

int cancel(Session& session, const OneOptions& o) {
  const json::value answer = session.client().post(api_path({"transfers", o.id, "cancel"}), json::object());
  if (session.output().is_structured()) session.output().document(answer);
  else session.output().line(o.id);
  return 0;
}

struct RetryOptions {
  std::string id;
  bool detach = false;
};

std::vector<CommandField> retry_fields(RetryOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which transfer", .need = Need::required, .words = Words::transfers},
          {.name = "--detach", .target = &o.detach, .help = "print the transfer's id and do not wait for it"}};
}

int again(Session& session, const RetryOptions& o, const std::string& verb) {
  const json::value accepted = session.client().post(api_path({"transfers", o.id, verb}), json::object());
  return begun(session, accepted, o.detach ? Detach::yes : Detach::no);
}

int resume(Session& session, const RetryOptions& o) { return again(session, o, "resume"); }
int retry(Session& session, const RetryOptions& o) { return again(session, o, "retry"); }

}  // namespace

std::vector<Command> transfer_commands() {
  const auto list_fields = [](ListOptions& o) -> std::vector<CommandField> {
    return {{.name = "--volume", .target = &o.volume, .help = "only of this volume", .value = "NAME",
             .words = Words::volumes},
            {.name = "--state", .target = &o.states, .help = "only those in this state; may be given several times",
             .value = "STATE", .choices = {"queued", "planning", "running", "done", "failed", "cancelled"}},
            {.name = "--limit", .target = &o.limit, .help = "only so many, the newest", .value = "N"}};
  };
  return {
      make_command<ListOptions>({.path = {"transfer", "ls"}, .aliases = {"list"},
                                 .summary = "list transfers, newest first",
                                 .example = "volary transfer ls --volume wiki\n"
                                            "volary transfer ls --state failed --limit 10"},
                                list_fields, list),
      make_command<OneOptions>({.path = {"transfer", "get"}, .aliases = {"describe"}, .summary = "show one transfer",
                                .example = "volary transfer get xfer-8k3v0qh1n2m4p5r6 -o yaml"},
                               one_fields, get),
      make_command<OneOptions>({.path = {"transfer", "failures"},
                                .summary = "list the files that a transfer did not copy, with the reasons",
                                .example = "volary transfer failures xfer-8k3v0qh1n2m4p5r6",
                                .more = "The first 1000. What the transfer itself ended with is in 'transfer get'."},
                               one_fields, failures),
      make_command<OneOptions>({.path = {"transfer", "watch"}, .summary = "show a transfer's progress to its end",
                                .example = "volary transfer watch xfer-8k3v0qh1n2m4p5r6"},
                               one_fields, watch),
      make_command<OneOptions>({.path = {"transfer", "cancel"}, .summary = "end a transfer",
                                .example = "volary transfer cancel xfer-8k3v0qh1n2m4p5r6",
                                .more = "Nothing of an import is visible then; 'transfer resume' takes it up again."},
                               one_fields, cancel),
      make_command<RetryOptions>({.path = {"transfer", "resume"},
                                  .summary = "take up a transfer again that failed or was cancelled",
                                  .example = "volary transfer resume xfer-8k3v0qh1n2m4p5r6",
                                  .more = "It goes on under its own id. What it had moved already is not moved again, "
                                          "for 7 days."},
                                 retry_fields, resume),
      make_command<RetryOptions>({.path = {"transfer", "retry"},
                                  .summary = "do what a transfer that failed or was cancelled did not, with a new one",
                                  .example = "volary transfer retry xfer-8k3v0qh1n2m4p5r6",
                                  .more = "Both sides are looked at again; only what has not arrived is moved."},
                                 retry_fields, retry),
  };
}

}  // namespace volary
