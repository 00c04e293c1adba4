// cli/job_list_command.cc: `volary job ls`: once, or again for each job that moves.
//
// Watching stands on the project's events: from the newest one before the list was read, so nothing is missed between.
#include <algorithm>
#include <map>
#include <utility>

#include "cli/job_columns.h"
#include "cli/last_events.h"
#include "cli/reference.h"
#include "core/tree_path.h"
#include "record/event.h"

namespace volary {
namespace {

struct ListOptions {
  bool all = false;
  bool watch = false;
  std::vector<std::string> states;
  std::vector<std::string> labels;
  std::optional<std::string> user;
  std::optional<std::string> limit;
};

std::vector<std::string> all_states() {
  std::vector<std::string> names;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<JobState>>(
      [&](auto state) { names.emplace_back(name_of_value(state.value)); });
  return names;
}

std::vector<CommandField> list_fields(ListOptions& o) {
  return {{.name = "-a,--all", .target = &o.all, .help = "those that have ended too"},
          {.name = "--state", .target = &o.states, .help = "only in this state; may be repeated", .value = "STATE",
           .choices = all_states()},
          {.name = "-l,--label", .target = &o.labels, .help = "only with this label; may be repeated: with all of them",
           .value = "KEY=VALUE"},
          {.name = "-u,--user", .target = &o.user, .help = "only those that this user has submitted", .value = "USER"},
          {.name = "--limit", .target = &o.limit, .help = "at most so many", .value = "N"},
          {.name = "-w,--watch", .target = &o.watch, .help = "then print each that moves, until Ctrl-C"}};
}

bool is_listed(const Job& job, const ListOptions& o) {
  const bool is_in = o.states.empty() || std::find(o.states.begin(), o.states.end(), name_of_value(job.state)) !=
                                             o.states.end();
  return is_in && (!o.user || job.user == *o.user) &&
         std::all_of(o.labels.begin(), o.labels.end(), [&](const std::string& text) {
           const auto [key, value] = parse_assignment(text, "--label");
           const auto found = job.labels.find(key);
           return found != job.labels.end() && found->second == value;
         });
}

// Lines of one table that is never whole: its columns are as wide as they were at first, or wider.
class GrowingTable {
 public:
  explicit GrowingTable(Output& output) : output_(output) {}

  void print(const json::array& jobs) {
    for (const json::value& job : jobs) widen(cells_of(job));
    if (is_table()) print_row(titles());
    for (const json::value& job : jobs) print_one(job);
  }
  void print_one(const json::value& job) {
    const auto record = typed<Job>(job);
    if (std::exchange(printed_[record.id], record.state) == record.state) return;
    if (output_.is_structured()) return output_.text(print_json(job) + "\n");  // One line a job.
    if (!is_table()) return output_.line(record.id);
    const auto cells = cells_of(job);
    widen(cells);
    print_row(cells);
  }

 private:
  bool is_table() const { return output_.format() == Format::table || output_.format() == Format::wide; }
  bool shown(const Column<Job>& column) const {
    return column.show == Show::always || output_.format() == Format::wide;
  }
  std::vector<std::string> titles() const {
    std::vector<std::string> titles;
    for (const auto& column : job_columns())
      if (shown(column)) titles.push_back(column.title);
    return titles;
  }
  std::vector<std::string> cells_of(const json::value& job) const {
    const auto record = typed<Job>(job);
    std::vector<std::string> cells;
    for (const auto& column : job_columns())
      if (shown(column)) cells.push_back(printable(column.text(record)));
    return cells;
  }
  void widen(const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], columns_of(cells[i]));
  }
  void print_row(const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      line += output_.painted(cells[i]);
      if (i + 1 < cells.size()) line += std::string(widths_[i] - columns_of(cells[i]) + 2, ' ');
    }
    output_.line(line);
  }

  std::vector<size_t> first_widths() const {
    std::vector<size_t> widths;
    for (const std::string& title : titles()) widths.push_back(columns_of(title));
    return widths;
  }

  Output& output_;
  std::vector<size_t> widths_ = first_widths();
  std::map<std::string, std::optional<JobState>> printed_;  // By id.
};

json::array jobs_of(Client& client, const ListOptions& o) {
  Query query;
  if (o.all) query.emplace_back("all", "true");
  for (const std::string& state : o.states) query.emplace_back("state", state);
  for (const std::string& label : o.labels) {
    parse_assignment(label, "--label");
    query.emplace_back("label", label);
  }
  if (o.user) query.emplace_back("user", *o.user);
  return client.list(api_path({"jobs"}), query, o.limit ? parse_count(*o.limit, "--limit", 1) : UINT64_MAX);
}

int list(Session& session, const ListOptions& o) {
  Client& client = session.client();
  if (!o.watch) {
    session.output().list<Job>(jobs_of(client, o), job_columns());
    return 0;
  }
  if (o.limit) throw Error(Errc::invalid, "--limit ends what --watch goes on with: expected one of both");
  const uint64_t after = number_of_last(last_events(client, {"job.*"}, 1));
  GrowingTable table(session.output());
  table.print(jobs_of(client, o));
  const auto show = [&](const json::value& event) {
    const auto job = client.find(api_path({"jobs", typed<ProjectEvent>(event).subject}));
    if (job && is_listed(typed<Job>(*job), o)) table.print_one(*job);
    return Ended::no;
  };
  client.follow(api_path({"events", "stream"}), show, [] {}, {{"type", "job.*"}, {"after", std::to_string(after)}});
  return 0;
}

}  // namespace

Command job_list_command() {
  return make_command<ListOptions>(
      {.path = {"job", "ls"}, .aliases = {"list"}, .summary = "list jobs, newest first",
       .example = "volary job ls -a --label team=vision --state FAILED\nvolary job ls --watch",
       .more = "--watch prints the list, then a line for each job whose state changes; with -o json, one document a "
               "line."},
      list_fields, list);
}

}  // namespace volary
