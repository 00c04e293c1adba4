// job/reconciler.cc: one surveying thread, a few working ones, and the step that they repeat.
#include "job/reconciler.h"

#include <algorithm>
#include <chrono>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/random.h"
#include "job/publications.h"
#include "job/rows.h"
#include "job/runs.h"
#include "volume/happenings.h"

namespace volary {
namespace {

// How late the end of a process is noticed, at most: a tenth of the newest job's age, within these.
constexpr int64_t survey_millis_min = 10;
constexpr int64_t survey_millis_max = 50;
constexpr int64_t survey_share = 10;
// Where there is no job: the next one is announced, and this is for what was not.
constexpr std::chrono::seconds idle_survey{1};
constexpr int64_t lease_seconds = 600;

bool takes_room(JobState state) { return state != JobState::QUEUED && !is_terminal(state); }

}  // namespace

Reconciler::Reconciler(Database& database, Runner& runner, Workplace& workplace, Transfers& transfers, Clock& clock,
                       ReconcilerOptions options, Log log)
    : database_(database), runner_(runner), workplace_(workplace), syncs_(database, transfers, clock), clock_(clock),
      options_(options), log_(std::move(log)), owner_(new_id("srv")) {}

void Reconciler::start() {
  const auto ended = database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE job SET lease_owner = '', lease_until = 0 WHERE lease_owner <> ''");
    const Time now = clock_.now();
    for (const auto& id : transaction.all<std::string>(
             "SELECT id FROM job WHERE state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR')"))
      note_happening(transaction, id, {Cause::restart, now, now, "the server was started anew and took it up"});
    return transaction.all<std::string>("SELECT id FROM job WHERE removed_at IS NULL AND "
                                        "(run > 1 OR state IN ('DONE', 'FAILED', 'INTERRUPTED', 'ERROR'))");
  });
  for (const std::string& id : ended)
    if (const auto job = database_.read([&](Transaction& t) { return find_job(t, id); })) tidy_up_again(*job);
  watch_ = database_.watch(jobs_announcement, [this] {
    shared_.lock()->asked = true;
    changed_.notify_one();
  });
  threads_.emplace_back([this] { survey(); });
  for (size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
}

void Reconciler::stop() {
  watch_.reset();
  shared_.lock()->stopping = true;
  changed_.notify_all();
  found_.notify_all();
  threads_.clear();
}

void Reconciler::survey() {
  for (;;) {
    shared_.lock()->asked = false;  // Before looking: what is announced from now on ends the wait.
    std::optional<Time> newest;
    try {
      newest = find_due();
    } catch (const Error& error) {
      log_(fmt::format("jobs: {}", error.what()));
    }
    auto shared = shared_.lock();
    std::chrono::milliseconds interval = idle_survey;
    if (newest) {
      const int64_t age_millis = (clock_.now().micros - newest->micros) / 1000;
      interval = std::chrono::milliseconds(std::clamp(age_millis / survey_share, survey_millis_min, survey_millis_max));
    }
    shared.wait_for(changed_, interval, [&] { return shared->stopping || shared->asked; });
    if (shared->stopping) return;
  }
}

std::optional<Time> Reconciler::find_due() {
  struct Seen {
    std::string id;
    JobState state{};
    Time created_at;
  };
  std::vector<Seen> jobs;
  database_.read([&](Transaction& transaction) {
    transaction.each(
        "SELECT id, state, queued_at FROM job WHERE state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR') "
        "UNION SELECT job.id, job.state, job.queued_at FROM job JOIN data_sync ON data_sync.job = job.id "
        "WHERE job.state = 'ERROR' AND removed_at IS NULL AND direction = 'push' "
        "AND data_sync.state IN ('QUEUED', 'RUNNING') "
        "ORDER BY queued_at, id",
        [&](const Row& row) {
          Seen& seen = jobs.emplace_back();
          db_detail::read(row, 0, seen.id);
          db_detail::read(row, 1, seen.state);
          db_detail::read(row, 2, seen.created_at);
        });
  });
  auto shared = shared_.lock();
  shared->due.clear();
  shared->busy = static_cast<size_t>(
      std::count_if(jobs.begin(), jobs.end(), [](const Seen& job) { return takes_room(job.state); }));
  for (const Seen& job : jobs)
    if (!shared->in_hand.contains(job.id)) shared->due.push_back(job.id);
  for (size_t i = 0; i < shared->due.size(); ++i) found_.notify_one();
  if (jobs.empty()) return std::nullopt;
  return jobs.back().created_at;
}

void Reconciler::work() {
  for (;;) {
    auto shared = shared_.lock();
    shared.wait(found_, [&] { return shared->stopping || !shared->due.empty(); });
    if (shared->stopping) return;
    const std::string id = shared->due.front();
    shared->due.erase(shared->due.begin());
    if (!shared->in_hand.insert(id).second) continue;
    shared.unlock();
    look(id);
    shared_.lock()->in_hand.erase(id);
  }
}

// A step of background work: here its errors end (core/error.h), written for the operator; the job is looked at again
// later.
void Reconciler::look(const std::string& id) {
  try {
    while (step_once(id)) {
    }
  } catch (const Error& error) {
    log_(fmt::format("job {}: {}", id, error.what()));
  }
}

bool Reconciler::step_once(const std::string& id) {
  const auto job = database_.read([&](Transaction& transaction) { return find_job(transaction, id); });
  if (job && job->state == JobState::ERROR) look_at_left(*job);
  if (!job || is_terminal(job->state)) return false;
  RunStatus run;
  if (takes_room(job->state) && job->state != JobState::INITIALIZING) run = runner_.poll(workplace_.places(*job).run);
  JobFacts facts = facts_of(*job);
  if (job->state == JobState::QUEUED) attach_anew(database_, *job, clock_.now(), facts);
  if (job->state == JobState::QUEUED && facts.wait == Wait::none) end_wait(database_, *job, clock_.now(), facts);
  look_at_data(*job, facts);
  const bool may_begin = job->state == JobState::QUEUED && facts.wait == Wait::none;
  const Step step = next_step(facts, run, may_begin ? take_room() : Room::none, clock_.now());
  if (run.phase == RunPhase::starting && !step.next && !run.note.empty() && run.note != job->reason)
    tell(*job, run.note);
  if (step.act == Act::none && !step.next) return false;
  return act_and_move(*job, step);
}

// What the job is at, as its reason; no event of its history.
void Reconciler::tell(const JobRow& job, const std::string& note) {
  database_.write([&](Transaction& transaction) {
    transaction.run("UPDATE job SET reason = $3 WHERE id = $1 AND state = $2", job.id, job.state, note);
    transaction.announce(job.id);
  });
}

void Reconciler::look_at_data(const JobRow& job, JobFacts& facts) {
  switch (job.state) {
    case JobState::INITIALIZING:
      if (!job.stop_requested) syncs_.pull(job, facts);
      break;
    case JobState::RUNNING:
      syncs_.look_at_pushes(job, facts);
      ask_for_publications(job);
      for (const SyncRow& sync : syncs_.wanted_pushes(job)) workplace_.publish(job, sync);
      break;
    case JobState::FINALIZING:
      syncs_.look_at_pushes(job, facts);
      if (facts.ending == JobState::ERROR)
        facts.published = database_.read([&](Transaction& t) { return published_text(t, job); });
      break;
    default: break;
  }
}

// What keeps it from being looked for must not keep the job from ending.
void Reconciler::ask_for_publications(const JobRow& job) {
  if (job.stop_requested) return;
  const auto error = error_of([&] { want_publications(database_, job, workplace_.places(job), clock_.now()); });
  if (error) log_(fmt::format("job {}: {}", job.id, error->what()));
}

// What it left behind, and somebody wants pushed.
void Reconciler::look_at_left(const JobRow& job) {
  JobFacts facts = facts_of(job);
  syncs_.look_at_pushes(job, facts);
  for (const SyncRow& sync : syncs_.wanted_pushes(job)) {
    const RunPhase phase = runner_.poll(workplace_.places(job).run).phase;
    if (phase == RunPhase::running || phase == RunPhase::starting)
      syncs_.refuse(sync, "its process still runs: expected one that has ended");
    else workplace_.publish(job, sync);
  }
}

// What it changed is there, but not yet where it is pushed to.
bool Reconciler::pushes_remain(const JobRow& job) {
  JobFacts facts = facts_of(job);
  syncs_.look_at_pushes(job, facts);
  return facts.wait != Wait::none;
}

// Counts the place at once; the next survey counts anew.
Room Reconciler::take_room() {
  auto shared = shared_.lock();
  if (shared->busy >= options_.running_max) return Room::none;
  ++shared->busy;
  return Room::free;
}

bool Reconciler::act_and_move(const JobRow& job, const Step& wanted) {
  const Time now = clock_.now();
  const int64_t leased = database_.write([&](Transaction& transaction) {
    return transaction.run(
        "UPDATE job SET lease_owner = $2, lease_until = $3 WHERE id = $1 AND state = $4 AND "
        "(lease_owner = '' OR lease_owner = $5 OR lease_until < $6) AND run = $7",
        job.id, owner_, now.plus_seconds(lease_seconds), job.state, owner_, now, job.run);
  });
  if (leased == 0) return false;
  fault::point(fmt::format("job.{}", name_of_value(job.state)));
  Step step = wanted;
  try {
    switch (step.act) {
      case Act::none: break;
      case Act::prepare: workplace_.prepare(job); break;
      case Act::start: runner_.start(workplace_.places(job).run, workplace_.prepare(job)); break;
      case Act::stop: runner_.stop(workplace_.places(job).run); break;
      case Act::finalise: workplace_.finalise(job); break;
    }
  } catch (const Error& error) {
    step = after_failure(facts_of(job), wanted.act, error);
    log_(fmt::format("job {}: {}", job.id, error.what()));
    if (!step.next)
      database_.write([&](Transaction& transaction) { note_failure(transaction, job.id, error.what(), clock_.now()); });
  }
  fault::point(fmt::format("job.acted.{}", name_of_value(job.state)));
  if (!step.next || (step.act == Act::finalise && pushes_remain(job))) return false;
  std::optional<JobRow> moved = database_.write([&](Transaction& transaction) -> std::optional<JobRow> {
    if (!move_job(transaction, job, step, clock_.now())) return std::nullopt;
    return find_job(transaction, job.id);
  });
  if (moved && is_terminal(*step.next)) {
    JobRow ended = job;  // The row may be of the next run by now.
    ended.state = *step.next;
    tidy_up(ended);
  }
  return moved.has_value();
}

// What an ended job had begun, and what it needs no more. The next start does what could not be done.
void Reconciler::tidy_up(const JobRow& job) {
  fault::point("job.tidying");
  for (const auto& error : {error_of([&] { syncs_.abandon(job); }), error_of([&] { workplace_.clean(job); })})
    if (error) log_(fmt::format("job {}: {}", job.id, error->what()));
}

// What a server that died may have left to do: of a job that runs again, for the runs before.
void Reconciler::tidy_up_again(const JobRow& job) {
  if (is_terminal(job.state)) return tidy_up(job);
  JobRow ended = job;
  --ended.run;
  if (const auto error = error_of([&] { workplace_.remove_secrets(ended); }))
    log_(fmt::format("job {}: {}", job.id, error->what()));
}

}  // namespace volary
