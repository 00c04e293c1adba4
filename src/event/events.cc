// event/events.cc: the statements of event/events.h.
#include "event/events.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr int64_t day_micros = 86'400'000'000;
constexpr uint64_t events_looked_at = 1000;

// All that there are.
const std::vector<std::string>& known_types() {
  static const std::vector<std::string> types = [] {
    std::vector<std::string> all{"version.published", "volume.created", "volume.deleted"};
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<JobState>>(
        [&](auto state) { all.push_back(type_of(state.value)); });
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<TransferState>>(
        [&](auto state) { all.push_back(type_of(state.value)); });
    return all;
  }();
  return types;
}

}  // namespace

std::string type_of(JobState state) {
  std::string word(name_of_value(state));
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  return "job." + word;
}

std::string type_of(TransferState state) { return fmt::format("transfer.{}", name_of_value(state)); }

void note_event(Transaction& transaction, const std::string& project, std::string_view type,
                const std::string& subject, const EventBody& body, Time now) {
  transaction.run(
      "INSERT INTO event (number, project, type, subject, date, body) "
      "SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5 FROM event",
      project, type, subject, now, body);
  transaction.announce(events_announcement);
}

bool is_wanted(const std::vector<std::string>& patterns, std::string_view type) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
           if (!pattern.ends_with('*')) return pattern == type;
           return type.starts_with(pattern.substr(0, pattern.size() - 1));
         });
}

void check_patterns(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns)
    if (std::none_of(known_types().begin(), known_types().end(),
                     [&](const std::string& type) { return is_wanted({pattern}, type); }))
      throw Error(Errc::invalid, "'{}' matches no event: expected one such as job.done, job.*, transfer.failed, "
                  "version.published, volume.* or *", printable(pattern));
}

EventsFound events_of(Transaction& transaction, const std::string& project, const EventQuery& query) {
  const uint64_t looked_at_max = std::max(query.limit, events_looked_at);
  const auto some = transaction.all<ProjectEvent>(
      "SELECT number, type, subject, date, body FROM event WHERE project = $1 AND number > $2 ORDER BY number LIMIT $3",
      project, query.after, looked_at_max);
  EventsFound found{.events = {}, .passed = query.after, .is_all = some.size() < looked_at_max};
  for (const ProjectEvent& one : some) {
    if (found.events.size() == query.limit) {
      found.is_all = false;
      break;
    }
    found.passed = one.number;
    if (is_wanted(query.types, one.type)) found.events.push_back(one);
  }
  return found;
}

EventsFound EventLog::list(const Caller& caller, const EventQuery& query) {
  check_patterns(query.types);
  return database_.read([&](Transaction& transaction) { return events_of(transaction, caller.project, query); });
}

std::vector<ProjectEvent> EventLog::last(const Caller& caller, const std::vector<std::string>& types, uint64_t limit) {
  check_patterns(types);
  std::string words;  // Of known types only: what people write does not get into the statement.
  for (const std::string& type : known_types())
    if (is_wanted(types, type)) words += fmt::format("{}'{}'", words.empty() ? "" : ", ", type);
  auto found = database_.read([&](Transaction& transaction) {
    return transaction.all<ProjectEvent>("SELECT number, type, subject, date, body FROM event WHERE project = $1 "
                                         "AND type IN (" + words + ") ORDER BY number DESC LIMIT $2",
                                         caller.project, limit);
  });
  std::reverse(found.begin(), found.end());
  return found;
}

uint64_t EventLog::newest() {
  return database_.read([&](Transaction& transaction) {
    return transaction.find<uint64_t>("SELECT COALESCE(MAX(number), 0) FROM event").value_or(0);
  });
}

void EventLog::prune() {
  const Time before{clock_.now().micros - event_days * day_micros};
  const auto any = database_.read([&](Transaction& transaction) {
    return transaction.find<uint64_t>("SELECT number FROM event WHERE date < $1 LIMIT 1", before);
  });
  if (!any) return;
  database_.write([&](Transaction& transaction) {
    transaction.run("DELETE FROM event WHERE date < $1 AND number < (SELECT MAX(number) FROM event)", before);
  });
}

}  // namespace volary
