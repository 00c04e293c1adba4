// event/events.cc: the statements of event/events.h.
#include "event/events.h"

#include <algorithm>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr int64_t day_micros = 86'400'000'000;
constexpr std::string_view kinds[] = {"job", "transfer", "version", "volume", "webhook"};

}  // namespace

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
  for (const std::string& pattern : patterns) {
    const std::string kind = pattern.substr(0, pattern.find('.'));
    const bool is_known = pattern == "*" || (pattern.size() > kind.size() + 1 &&
                                             std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds));
    const size_t star = pattern.find('*');
    if (!is_known || (star != pattern.npos && star + 1 != pattern.size()))
      throw Error(Errc::invalid, "'{}' matches no event: expected one such as job.done, job.*, transfer.failed, "
                  "version.published, volume.* or *", printable(pattern));
  }
}

std::vector<ProjectEvent> events_of(Transaction& transaction, const std::string& project, const EventQuery& query) {
  std::vector<ProjectEvent> events;
  uint64_t after = query.after;
  for (bool is_end = false; !is_end && events.size() < query.limit;) {
    const auto some = transaction.all<ProjectEvent>(
        "SELECT number, type, subject, date, body FROM event WHERE project = $1 AND number > $2 ORDER BY number "
        "LIMIT $3",
        project, after, query.limit);
    is_end = some.size() < query.limit;
    for (const ProjectEvent& one : some) {
      after = one.number;
      if (events.size() < query.limit && is_wanted(query.types, one.type)) events.push_back(one);
    }
  }
  return events;
}

std::vector<ProjectEvent> EventLog::list(const Caller& caller, const EventQuery& query) {
  check_patterns(query.types);
  return database_.read([&](Transaction& transaction) { return events_of(transaction, caller.project, query); });
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
