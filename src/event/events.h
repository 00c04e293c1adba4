// event/events.h: what happens in a project, noted with what makes it happen.
//
// An event is written in the transaction of the change itself: there is none without its change and no change without
// its event. Numbers rise over the whole server, so "after number n" is all that a reader keeps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "core/clock.h"
#include "db/database.h"
#include "record/event.h"

namespace volary {

// What is announced when there is an event more.
constexpr const char* events_announcement = "events";
constexpr int64_t event_days = 30;  // For so long events are kept, the newest always.

void note_event(Transaction& transaction, const std::string& project, std::string_view type,
                const std::string& subject, const EventBody& body, Time now);

std::string type_of(JobState state);       // "job.running"
std::string type_of(TransferState state);  // "transfer.done"

// "job.done" is wanted by "job.done", "job.*" and "*"; without a pattern all is.
bool is_wanted(const std::vector<std::string>& patterns, std::string_view type);
// Throws `invalid` for a pattern that no event can match.
void check_patterns(const std::vector<std::string>& patterns);

struct EventQuery {
  uint64_t after = 0;                // Only those with a greater number.
  std::vector<std::string> types{};  // Patterns; empty: all.
  uint64_t limit = 100;
};

struct EventsFound {
  std::vector<ProjectEvent> events;
  uint64_t passed = 0;   // Number of the last event that was looked at.
  bool is_all = false;   // There is none behind that.
};

// The events of one project, oldest first. Looks at a bounded number of them: go on behind `passed`.
EventsFound events_of(Transaction& transaction, const std::string& project, const EventQuery& query);

// Any thread may call.
class EventLog {
 public:
  EventLog(Database& database, Clock& clock) : database_(database), clock_(clock) {}

  EventsFound list(const Caller& caller, const EventQuery& query);
  // The newest events of these types, all unless told; at most `limit`, oldest first.
  std::vector<ProjectEvent> last(const Caller& caller, const std::vector<std::string>& types, uint64_t limit);
  // The number of the newest event of all; 0: there is none. What comes from now on has a greater one.
  uint64_t newest();
  [[nodiscard]] Watch watch(std::function<void()> told) {
    return database_.watch(events_announcement, std::move(told));
  }
  // Forgets those older than event_days.
  void prune();

 private:
  Database& database_;
  Clock& clock_;
};

}  // namespace volary
