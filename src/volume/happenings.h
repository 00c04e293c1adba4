// volume/happenings.h: what kept a job or a transfer, written down where it happened, so that it can be explained
// later, also after a restart.
//
// A row says what was the case, from when to when; `until` is missing while it lasts. States of jobs are not among it:
// they have their own table (job_event). Every function works inside the caller's transaction. What is written down of
// one subject is bounded: beyond happenings_max it keeps what it has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "db/database.h"
#include "record/explanation.h"

namespace volary {

struct Happening {
  Cause cause{};
  Time since;
  std::optional<Time> until;
  std::string what;  // A clause that says it: "volume 'x' is being written by job job-1 since …".
  std::string other = {};  // The id of what it is about, a transfer; or `requests_troubled`.
  std::optional<uint64_t> files = {};
  std::optional<uint64_t> bytes = {};
};
BOOST_DESCRIBE_STRUCT(Happening, (), (cause, since, until, what, other, files, bytes))

constexpr int64_t happenings_max = 1000;
// Of a transfer's failures: those of its requests that were not its end.
constexpr const char* requests_troubled = "requests";

void note_happening(Transaction& transaction, const std::string& subject, const Happening& happening);
// Ends what lasts of this cause, if anything does.
void end_happening(Transaction& transaction, const std::string& subject, Cause cause, Time now);
// Ends all that lasts.
void end_happenings(Transaction& transaction, const std::string& subject, Time now);

// What is in the way of a writer, if it is not what was written down last: true if there is something to write.
bool is_news(Transaction& transaction, const std::string& subject, const std::string& in_the_way);
void note_in_the_way(Transaction& transaction, const std::string& subject, const std::string& in_the_way, Time now);

// A failure that is tried again: one row for each run of the same words.
void note_failure(Transaction& transaction, const std::string& subject, const std::string& what, Time now);

std::vector<Happening> happenings_of(Transaction& transaction, const std::string& subject);
void forget_happenings(Transaction& transaction, const std::string& subject);

}  // namespace volary
