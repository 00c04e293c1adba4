// cli/billing_commands.cc: `volary billing report`.
#include "cli/command.h"
#include "cli/price_file.h"
#include "cli/session.h"
#include "record/billing.h"

namespace volary {
namespace {

struct ReportOptions {
  std::optional<std::string> from;
  std::optional<std::string> to;
  std::string by = "project";
  bool all_projects = false;
};

std::vector<CommandField> report_fields(ReportOptions& o) {
  return {{.name = "--from", .target = &o.from, .help = "minutes that begin at this time or later; the first of this "
                                                        "month, UTC, unless told", .value = "TIME"},
          {.name = "--to", .target = &o.to, .help = "minutes that begin before this time; now unless told",
           .value = "TIME"},
          {.name = "--by", .target = &o.by, .help = "one line for each project, user or job", .value = "WHAT",
           .choices = {"project", "user", "job"}},
          {.name = "--all-projects", .target = &o.all_projects,
           .help = "of all projects: for those who may see them all"}};
}

// RFC 4180: what has a comma, a quote or a line's end in it stands in quotes.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string cell = "\"";
  for (const char c : text) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
  return cell + "\"";
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line + "\r\n";
}

std::vector<std::string> titles_of(const BillReport& report) {
  std::vector<std::string> titles = {std::string(name_of_value(report.by))};
  if (report.by == BillBy::job)
    for (const char* title : {"name", "user", "project"}) titles.emplace_back(title);
  for (const char* title : {"jobs", "minutes", "cpu_minutes", "gpu_minutes"}) titles.emplace_back(title);
  if (report.total.cost) titles.emplace_back("cost");
  return titles;
}

std::vector<std::string> cells_of(const BillReport& report, const BillLine& line) {
  std::vector<std::string> cells = {line.name};
  if (report.by == BillBy::job)
    for (const std::string& one : {line.job_name, line.user, line.project}) cells.push_back(one);
  for (const uint64_t one : {line.jobs, line.minutes, line.cpu_minutes, line.gpu_minutes})
    cells.push_back(std::to_string(one));
  if (line.cost) cells.push_back(*line.cost);
  return cells;
}

void print_csv(Output& output, const BillReport& report) {
  std::string text = csv_line(titles_of(report));
  for (const BillLine& line : report.lines) text += csv_line(cells_of(report, line));
  output.text(text);
}

void print_table(Output& output, const BillReport& report) {
  std::vector<std::string> titles;
  for (std::string title : titles_of(report)) {
    for (char& c : title) c = c == '_' ? '-' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    titles.push_back(title == "COST" ? "COST " + report.currency : title);
  }
  std::vector<std::vector<std::string>> rows;
  for (const BillLine& line : report.lines) rows.push_back(cells_of(report, line));
  rows.push_back(cells_of(report, report.total));
  output.table(titles, rows);
}

int report(Session& session, const ReportOptions& o) {
  Query query = {{"by", o.by}};
  if (o.from) query.emplace_back("from", to_text(parse_day_or_time(*o.from)));
  if (o.to) query.emplace_back("to", to_text(parse_day_or_time(*o.to)));
  if (o.all_projects) query.emplace_back("allProjects", "true");
  const json::value answer = session.client().get(api_path({"billing", "report"}), query, Patience::endless);
  Output& output = session.output();
  if (output.is_structured()) {
    output.document(answer);
    return 0;
  }
  const auto report = typed<BillReport>(answer);
  if (output.format() == Format::csv) {
    print_csv(output, report);
  } else if (output.format() == Format::name) {
    for (const BillLine& line : report.lines) output.line(line.name);
  } else {
    print_table(output, report);
  }
  return 0;
}

}  // namespace

std::vector<Command> billing_commands() {
  return {make_command<ReportOptions>(
      {.path = {"billing", "report"}, .summary = "say how many minutes jobs ran, and what they cost",
       .example = "volary billing report\n"
                  "volary billing report --from 2026-11-01 --to 2026-12-01 --by user\n"
                  "volary billing report --by job --all-projects -o csv > november.csv",
       .more = "A minute counts when it begins while a job is in a billed state (RUNNING unless the server's price "
               "list says otherwise). A job that never ran costs nothing; one that was deleted still counts. Without "
               "a price list there are minutes only: see 'volary server --prices'.",
       .formats = {"csv"}},
      report_fields, report)};
}

}  // namespace volary
