// cli/explain_commands.cc: `volary explain job|transfer|volume`.
#include "cli/command.h"
#include "cli/session.h"
#include "core/quantity.h"
#include "record/explanation.h"

namespace volary {
namespace {

struct ExplainOptions {
  std::string id;
};

std::vector<CommandField> job_fields(ExplainOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which job, by id or name", .need = Need::required,
           .words = Words::jobs}};
}
std::vector<CommandField> transfer_fields(ExplainOptions& o) {
  return {{.name = "ID", .target = &o.id, .help = "which transfer", .need = Need::required, .words = Words::transfers}};
}
std::vector<CommandField> volume_fields(ExplainOptions& o) {
  return {{.name = "NAME", .target = &o.id, .help = "which volume", .need = Need::required, .words = Words::volumes}};
}

// "12s", "0.3s"; "…" of what still lasts.
std::string lasted(const ExplainedLine& line) {
  if (line.lasts) return "…";
  if (!line.until) return "-";
  const int64_t millis = (line.until->micros - line.at.micros) / 1000;
  return millis < 10'000 ? fmt::format("{}.{}s", millis / 1000, millis % 1000 / 100) : seconds_text(millis / 1000);
}

std::string sentence_of(const ExplainedLine& line) {
  std::string moved;
  const auto add = [&](const std::string& word) { moved += (moved.empty() ? "" : ", ") + word; };
  if (line.files) add(fmt::format("{} file{}", *line.files, *line.files == 1 ? "" : "s"));
  if (line.bytes) add(bytes_text(*line.bytes));
  if (line.bytes_per_second) add(bytes_text(*line.bytes_per_second) + "/s");
  return moved.empty() ? line.what : fmt::format("{} [{}]", line.what, moved);
}

int show(Session& session, const std::string& group, const ExplainOptions& o) {
  const json::value answer = session.client().get(api_path({group, o.id, "explanation"}));
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(answer);
    return 0;
  }
  const auto explanation = typed<Explanation>(answer);
  std::vector<std::vector<std::string>> rows;
  for (const ExplainedLine& line : explanation.lines)
    rows.push_back({time_text(line.at), lasted(line), sentence_of(line)});
  output.table({"SINCE", "FOR", "WHAT"}, rows);
  output.text("\n");
  output.line(explanation.summary);
  return 0;
}

int explain_job(Session& session, const ExplainOptions& o) { return show(session, "jobs", o); }
int explain_transfer(Session& session, const ExplainOptions& o) { return show(session, "transfers", o); }
int explain_volume(Session& session, const ExplainOptions& o) { return show(session, "volumes", o); }

}  // namespace

std::vector<Command> explain_commands() {
  return {
      make_command<ExplainOptions>(
          {.path = {"explain", "job"}, .summary = "say why a job is where it is, and where its time went",
           .example = "volary explain job train-digits\nvolary explain job job-8k3v0qh1n2m4p5r6 -o json",
           .more = "One dated line for each state, each wait (its turn, a volume's writer by name, data that was being "
                   "brought), what became of its output, failures that were tried again, and restarts of the server."},
          job_fields, explain_job),
      make_command<ExplainOptions>(
          {.path = {"explain", "transfer"}, .summary = "say why a transfer is where it is, and how fast it went",
           .example = "volary explain transfer xfer-8k3v0qh1n2m4p5r6"},
          transfer_fields, explain_transfer),
      make_command<ExplainOptions>(
          {.path = {"explain", "volume"}, .summary = "say where a volume's versions came from, who holds it, what its "
                                                     "quota has left",
           .example = "volary explain volume digits"},
          volume_fields, explain_volume)};
}

}  // namespace volary
