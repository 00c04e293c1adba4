// job/reconciler.cc: one surveying thread, a few working ones, and the step that they repeat.
#include "job/reconciler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/random.h"
#include "engine/showing.h"
#include "job/publications.h"
#include "job/rows.h"
#include "job/runs.h"
#include "volume/happenings.h"

namespace volary {
namespace {

// How late the end of a process is noticed, at most: a tenth of the time since a job was submitted or moved, within
// these.
constexpr int64_t survey_millis_min = 10;
constexpr int64_t survey_millis_max = 50;
constexpr int64_t survey_share = 10;
// Where there is no job: the next one is announced, and this is for what was not.
constexpr std::chrono::seconds idle_survey{1};
// A quota or the machine may have changed without a word.
constexpr std::chrono::seconds queue_survey{1};
constexpr size_t turns_noted_max = 500;  // In one pass.
constexpr int64_t lease_seconds = 600;

bool has_run(JobState state) {
  return state != JobState::QUEUED && state != JobState::INITIALIZING && !is_terminal(state);
}

bool pulls_remain(Transaction& transaction, const std::string& job_id) {
  return transaction
      .find<std::string>("SELECT id FROM data_sync WHERE job = $1 AND direction = 'pull' AND "
                         "state IN ('QUEUED', 'RUNNING') LIMIT 1", job_id)
      .has_value();
}

std::vector<uint64_t> without(std::vector<uint64_t> all, const std::vector<uint64_t>& taken) {
  std::erase_if(all, [&](uint64_t one) { return std::find(taken.begin(), taken.end(), one) != taken.end(); });
  return all;
}

}  // namespace

Reconciler::Reconciler(Database& database, Node& node, Runner& runner, Workplace& workplace, Transfers& transfers,
                       Clock& clock, ReconcilerOptions options, Log log)
    : database_(database), node_(node), runner_(runner), workplace_(workplace),
      syncs_(database, transfers, clock), clock_(clock), options_(options), log_(std::move(log)),
      owner_(new_id("srv")) {}

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
  for (const std::string& id : ended) tidy_up_again(id);
  watch_ = database_.watch(jobs_announcement, [this] {
    auto shared = shared_.lock();
    shared->asked = shared->is_queue_due = true;
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
  const auto now = std::chrono::steady_clock::now();
  const auto [admitted, looks_at_queue] = [&] {  // Before the rows are read: who is done since then is in them.
    auto shared = shared_.lock();
    const bool is_due = std::exchange(shared->is_queue_due, false) || now - queue_seen_at_ >= queue_survey;
    return std::pair(shared->admitted, is_due);
  }();
  std::vector<WorkingJob> working;
  std::vector<std::string> left;  // In ERROR, with changes that somebody wants pushed.
  std::vector<QueuedJob> queue;
  Quotas quotas;
  database_.read([&](Transaction& transaction) {
    working = at_work(transaction);
    left = transaction.all<std::string>(
        "SELECT DISTINCT job.id FROM data_sync JOIN job ON job.id = data_sync.job WHERE job.state = 'ERROR' AND "
        "removed_at IS NULL AND direction = 'push' AND data_sync.state IN ('QUEUED', 'RUNNING')");
    if (!looks_at_queue) return;
    queue = queue_of(transaction);
    quotas = quotas_of(transaction);
  });
  if (looks_at_queue) queue_seen_at_ = now;
  const Admissions begin = looks_at_queue ? admit(working, queue, quotas, admitted) : Admissions();
  auto shared = shared_.lock();
  shared->admitted.insert(shared->admitted.end(), begin.begin(), begin.end());
  if (looks_at_queue) shared->is_anyone_waiting = queue.size() > begin.size();
  shared->due.clear();
  const auto add = [&](const std::string& id) {
    if (!shared->in_hand.contains(id)) shared->due.push_back(id);
  };
  for (const WorkingJob& job : working) add(job.id);
  for (const std::string& id : left) add(id);
  for (const Admission& one : shared->admitted) add(one.id);
  for (size_t i = 0; i < shared->due.size(); ++i) found_.notify_one();
  if (working.empty() && shared->due.empty() && shared->admitted.empty()) return std::nullopt;
  return std::max(working.empty() ? Time() : working.back().queued_at, shared->moved_at);
}

// Those of the queue that may begin now, each with GPUs of its own.
Reconciler::Admissions Reconciler::admit(const std::vector<WorkingJob>& working, const std::vector<QueuedJob>& queue,
                                         const Quotas& quotas, const Admissions& admitted) {
  if (queue.empty()) return {};
  std::vector<Claim> holders;
  std::vector<uint64_t> gpus = node_.gpus();
  std::set<std::string_view> counted;
  for (const WorkingJob& one : working) {
    if (one.holds == Share{}) continue;
    counted.insert(one.id);
    holders.push_back({one.project, one.holds});
    gpus = without(std::move(gpus), one.gpus);
  }
  for (const Admission& one : admitted) {
    if (!counted.insert(one.id).second) continue;
    holders.push_back(one.claim);
    gpus = without(std::move(gpus), one.gpus);
  }
  if (fault::planted("queue.forgets_holders")) holders.clear();
  std::vector<QueuedJob> waiting;
  std::vector<Claim> claims;
  for (const QueuedJob& one : queue) {
    if (counted.contains(one.id)) continue;  // Admitted already.
    waiting.push_back(one);
    claims.push_back({one.project, one.share});
  }
  const std::vector<Turn> turns = take_turns(node_.capacity(), quotas, holders, claims);
  Admissions begin;
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i] != Turn::begins || gpus.size() < waiting[i].share.gpu) continue;
    const auto rest = gpus.begin() + static_cast<std::ptrdiff_t>(waiting[i].share.gpu);
    begin.push_back({waiting[i].id, waiting[i].run, claims[i], {gpus.begin(), rest}});
    gpus.erase(gpus.begin(), rest);
  }
  note_turns(waiting, turns);
  return begin;
}

// Where it is another reason than before.
void Reconciler::note_turns(const std::vector<QueuedJob>& queue, const std::vector<Turn>& turns) {
  std::vector<size_t> changed;
  for (size_t i = 0; i < queue.size() && changed.size() < turns_noted_max; ++i)
    if (turns[i] != Turn::begins && queue[i].turn != name_of_value(turns[i])) changed.push_back(i);
  if (changed.empty()) return;
  database_.write([&](Transaction& transaction) {
    for (const size_t i : changed) note_turn(transaction, queue[i], turns[i], clock_.now());
  });
  if (changed.size() == turns_noted_max) shared_.lock()->is_queue_due = true;
}

// What it gave back is given to others at once, if somebody waits.
void Reconciler::note_move(JobState to) {
  auto shared = shared_.lock();
  shared->moved_at = clock_.now();
  if (!is_terminal(to) && to != JobState::FINALIZING) return;
  shared->is_queue_due = true;
  if (!shared->is_anyone_waiting) return;
  shared->asked = true;
  changed_.notify_one();
}

std::optional<Reconciler::Admission> Reconciler::find_admission(const JobRow& job) {
  auto shared = shared_.lock();
  for (const Admission& one : shared->admitted)
    if (one.id == job.id && one.run == job.run) return one;
  return std::nullopt;
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
    auto done = shared_.lock();
    done->in_hand.erase(id);
    const auto is_it = [&](const Admission& one) { return one.id == id; };
    if (std::erase_if(done->admitted, is_it) > 0) done->is_queue_due = true;
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
  auto job = database_.read([&](Transaction& transaction) { return find_job(transaction, id); });
  if (job && job->state == JobState::ERROR) look_at_left(*job);
  if (!job || is_terminal(job->state)) return false;
  RunStatus run;
  if (has_run(job->state)) run = runner_.poll(workplace_.places(*job).run);
  JobFacts facts = facts_of(*job);
  Room room = Room::none;
  if (job->state == JobState::QUEUED && !job->in_queue && !job->stop_requested) {
    bring_to_queue(*job, facts);
  } else if (const auto admission = job->in_queue ? find_admission(*job) : std::nullopt) {
    room = Room::free;
    job->gpus = admission->gpus;
  }
  look_at_data(*job, facts);
  const Step step = next_step(facts, run, room, clock_.now());
  if (run.phase == RunPhase::starting && !step.next && !run.note.empty() && run.note != job->reason)
    tell(*job, run.note);
  if (step.act == Act::none && !step.next) return false;
  return act_and_move(*job, step);
}

// As soon as it waits for nothing but its turn.
void Reconciler::bring_to_queue(const JobRow& job, JobFacts& facts) {
  attach_anew(database_, job, clock_.now(), facts);
  if (facts.wait == Wait::none) end_wait(database_, job, clock_.now(), facts);
  if (facts.wait == Wait::none)
    database_.write([&](Transaction& transaction) { queue_if_ready(transaction, job.id); });
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
      for (const SyncRow& sync : syncs_.arrived_pulls(job)) {
        if (!bring_in_pulled(job, sync)) show_pulled(job, sync);
      }
      for (const SyncRow& sync : syncs_.wanted_pushes(job)) workplace_.publish(job, sync);
      break;
    case JobState::FINALIZING:
      for (const SyncRow& sync : syncs_.pulls_to_show(job))  // Answered as it ended.
        if (const auto answer = answer_to(RunDirectory(workplace_.places(job).run), sync.id))
          note_shown(job, sync, *answer);
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

// Whether a job that runs has nothing to do but to run on, and this server too.
bool Reconciler::goes_on(const JobRow& job) {
  if (shared_.lock()->stopping) return false;
  const auto now_job = database_.read([&](Transaction& transaction) { return find_job(transaction, job.id); });
  return now_job && now_job->run == job.run &&
         !next_step(facts_of(*now_job), runner_.poll(workplace_.places(job).run), Room::none, clock_.now()).next;
}

// What was pulled into something that the process writes to; false for anything else. Done again if it could not be
// done to its end.
bool Reconciler::bring_in_pulled(const JobRow& job, const SyncRow& sync) {
  std::optional<Arrival> arrival;
  const auto error = error_of([&] {
    arrival = syncs_.arrival_of(job, sync);
    if (!arrival) return;
    const BroughtIn brought = workplace_.bring_in(job, sync, *arrival, [&] { return goes_on(job); });
    fault::point("job.brought");
    if (!brought.is_whole) return;
    std::string stayed;
    if (brought.stayed > 0)
      stayed = fmt::format("{} stayed as the job had changed {}: '{}'{}", brought.stayed,
                           brought.stayed == 1 ? "it" : "them", brought.first_stayed,
                           brought.stayed == 1 ? "" : ", …");
    if (brought.files == 0 && brought.stayed == 0) stayed = "nothing is new there";
    syncs_.note_brought_in(job, sync, stayed);
  });
  if (!error) return arrival.has_value();
  const std::string what = error->trail().empty() ? "" : error->trail().front() + ": ";  // "bringing 'a.txt': "
  if (goes_on(job)) syncs_.note_shown(sync, {what + error->message(), true});
  return true;
}

// Asked again and again until the run's supervisor has answered.
void Reconciler::show_pulled(const JobRow& job, const SyncRow& sync) {
  const Path run = workplace_.places(job).run;
  std::optional<ShowAnswer> answer;
  const auto error = error_of([&] {
    answer = runner_.show(run, sync.id, [&] { return workplace_.prepare_pulled(job, sync); });
  });
  fault::point("job.showing");
  if (error) answer = ShowAnswer{error->message(), false};
  if (answer) note_shown(job, sync, *answer);
}

void Reconciler::note_shown(const JobRow& job, const SyncRow& sync, const ShowAnswer& answer) {
  syncs_.note_shown(sync, answer);
  forget_showing(RunDirectory(workplace_.places(job).run), sync.id);
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
  if (moved) note_move(*step.next);
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
void Reconciler::tidy_up_again(const std::string& id) {
  const auto error = error_of([&] {
    bool pulls = false;
    auto job = database_.read([&](Transaction& transaction) {
      pulls = pulls_remain(transaction, id);
      return find_job(transaction, id);
    });
    if (!job) return;
    const bool has_ended = is_terminal(job->state);
    if (!has_ended) --job->run;
    if (!pulls && !workplace_.has_left(*job)) return;
    if (has_ended) tidy_up(*job);
    else workplace_.remove_secrets(*job);
  });
  if (error) log_(fmt::format("job {}: {}", id, error->what()));
}

}  // namespace volary
