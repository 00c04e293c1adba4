// job/reconciler.h: brings every job to its end: looks at it, decides by job/states.h, acts, writes. Who begins is
// decided by job/queue.h, of all that wait at once.
//
// It keeps nothing about a job in memory between two looks. A look that leads to nothing writes nothing. Before it
// acts it leases the row for this process; rows of a process that died are free again at the next start (one server a
// data directory, by its lock).
//
// A job that may begin is admitted: it counts as one that holds its share from that moment on, until who was handed it
// is done; by then its row says so, or it stands in the queue as before. Admissions are in memory only: after a crash
// the rows are all there is, and they never say less than what is held.
#pragma once

#include <condition_variable>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/synced.h"
#include "db/database.h"
#include "engine/runner.h"
#include "job/node.h"
#include "job/queue.h"
#include "job/standing.h"
#include "job/workplace.h"

namespace volary {

struct ReconcilerOptions {
  size_t threads = 8;  // Jobs looked at, prepared or finalised at once.
};

class Reconciler {
 public:
  using Log = std::function<void(std::string_view line)>;  // For the operator: what failed and is tried again.

  Reconciler(Database& database, Node& node, Runner& runner, Workplace& workplace, Transfers& transfers, Clock& clock,
             ReconcilerOptions options, Log log);
  ~Reconciler() { stop(); }

  // Frees the rows of a process that died, cleans up after ended jobs, starts the threads.
  void start();
  // Lets acts under way end; running jobs run on.
  void stop();

 private:
  struct Admission {
    std::string id;
    uint64_t run = 0;
    Claim claim;
    std::vector<uint64_t> gpus;
  };
  using Admissions = std::vector<Admission>;  // In the order of the queue.
  struct Shared {
    std::vector<std::string> due;   // Ids to look at, in order.
    std::set<std::string> in_hand;  // Ids that a thread holds.
    Admissions admitted;
    bool asked = false;             // A job was submitted or asked to stop since the survey began.
    bool is_queue_due = true;       // What decides who begins may have changed since it was looked at.
    bool is_anyone_waiting = false;  // In the queue, when it was looked at last.
    Time moved_at;                  // When a job was moved last.
    bool stopping = false;
  };

  std::optional<Time> find_due();   // When the newest was submitted, or one moved last; nothing if there is none.
  Admissions admit(const std::vector<WorkingJob>& working, const std::vector<QueuedJob>& queue, const Quotas& quotas,
                   const Admissions& admitted);
  void note_turns(const std::vector<QueuedJob>& queue, const std::vector<Turn>& turns);
  std::optional<Admission> find_admission(const JobRow& job);
  void note_move(JobState to);
  void survey();                    // Finds the jobs under way, again and again.
  void work();                      // Looks at due ones.
  void look(const std::string& id);
  void bring_to_queue(const JobRow& job, JobFacts& facts);
  bool step_once(const std::string& id);  // Whether the job moved and should be looked at again at once.
  void tell(const JobRow& job, const std::string& note);
  void look_at_data(const JobRow& job, JobFacts& facts);
  void ask_for_publications(const JobRow& job);
  bool goes_on(const JobRow& job);
  bool bring_in_pulled(const JobRow& job, const SyncRow& sync);
  void show_pulled(const JobRow& job, const SyncRow& sync);
  void note_shown(const JobRow& job, const SyncRow& sync, const ShowAnswer& answer);
  void look_at_left(const JobRow& job);
  bool pushes_remain(const JobRow& job);
  void tidy_up(const JobRow& job);
  void tidy_up_again(const std::string& id);
  bool act_and_move(const JobRow& job, const Step& step);

  Database& database_;
  Node& node_;
  Runner& runner_;
  Workplace& workplace_;
  DataSyncs syncs_;
  Clock& clock_;
  ReconcilerOptions options_;
  Log log_;
  std::string owner_;
  Synced<Shared> shared_;
  std::condition_variable changed_;  // What the survey waits for …
  std::condition_variable found_;    // … and those who look at what it finds.
  std::chrono::steady_clock::time_point queue_seen_at_;  // By the survey alone.
  Watch watch_;
  std::vector<std::jthread> threads_;
};

}  // namespace volary
