// job/list_jobs.cc: a project's jobs, newest first, piece by piece: the database finds states and users, labels are
// looked for in each job's own words.
#include <algorithm>

#include "core/error.h"
#include "core/tree_path.h"
#include "job/jobs.h"
#include "job/rows.h"

namespace volary {
namespace {

constexpr uint64_t jobs_looked_at = 1000;

std::string condition_of(const JobFilter& filter) {
  if (filter.states.empty())
    return filter.ended_too ? "" : "AND state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR') ";
  std::string words;
  for (const JobState state : filter.states)
    words += fmt::format("{}'{}'", words.empty() ? "" : ", ", name_of_value(state));
  return fmt::format("AND state IN ({}) ", words);
}

bool has_labels(const JobRow& row, const std::map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = row.spec.labels.find(label.first);
    return found != row.spec.labels.end() && found->second == label.second;
  });
}

// When that job was submitted; the end of time for none.
Time time_before(Transaction& transaction, const Caller& caller, const std::string& after) {
  if (after.empty()) return Time{INT64_MAX};
  const auto found = transaction.find<Time>("SELECT created_at FROM job WHERE project = $1 AND id = $2",
                                            caller.project, after);
  if (!found)
    throw Error(Errc::invalid, "'{}' is no cursor of this list: expected the id of a job of this project",
                printable(after));
  return *found;
}

}  // namespace

JobsFound Jobs::list(const Caller& caller, const JobFilter& filter) {
  return database_.read([&](Transaction& transaction) {
    const auto ids = transaction.all<std::string>(
        "SELECT id FROM job WHERE project = $1 AND removed_at IS NULL AND (created_at, id) < ($2, $3) "
        "AND ($4 = '' OR subject = $4) " + condition_of(filter) + "ORDER BY created_at DESC, id DESC LIMIT $5",
        caller.project, time_before(transaction, caller, filter.after), filter.after, filter.user, jobs_looked_at);
    JobsFound found{.jobs = {}, .passed = filter.after, .is_all = ids.size() < jobs_looked_at};
    for (const std::string& id : ids) {
      if (found.jobs.size() == filter.limit) {
        found.is_all = false;
        break;
      }
      found.passed = id;
      const auto row = find_job(transaction, id);
      if (row && has_labels(*row, filter.labels)) found.jobs.push_back(view_of(transaction, *row));
    }
    return found;
  });
}

}  // namespace volary
