// job/standing.cc: the statements and words of job/standing.h.
#include "job/standing.h"

#include "core/quantity.h"
#include "volume/happenings.h"

namespace volary {
namespace {

constexpr uint64_t named_max = 10;  // Jobs in one sentence.

Share read_share(const Row& row, int column) {
  Share share{.jobs = 1};
  db_detail::read(row, column, share.cpu);
  db_detail::read(row, column + 1, share.memory_bytes);
  db_detail::read(row, column + 2, share.gpu);
  return share;
}

struct ProjectQuota {
  std::string project;
  std::optional<uint64_t> cpu;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> gpu;
  std::optional<uint64_t> jobs;
};
BOOST_DESCRIBE_STRUCT(ProjectQuota, (), (project, cpu, memory_bytes, gpu, jobs))

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

// One kind of what a machine has, in words.
struct Kind {
  uint64_t Share::*amount;
  std::string (*text)(uint64_t);
  bool is_counted = true;  // "1 is free", "2 are free".
};
constexpr Kind kinds[] = {
    {&Share::gpu, [](uint64_t n) { return counted(n, "GPU", "GPUs"); }},
    {&Share::cpu, [](uint64_t n) { return counted(n, "core", "cores"); }},
    {&Share::memory_bytes, [](uint64_t n) { return bytes_text(n) + " of memory"; }, false},
    {&Share::jobs, [](uint64_t n) { return counted(n, "place", "places"); }},
};

std::string number_text(const Kind& kind, uint64_t amount) {
  return kind.is_counted ? std::to_string(amount) : bytes_text(amount);
}

// "4 GPUs: 1 of 4 is free, 8 cores: 2 of 16 are free" of what is lacking.
std::string lacking_text(const Share& wanted, const Share& all, const Share& free) {
  std::string text;
  for (const Kind& kind : kinds) {
    const uint64_t asked = wanted.*kind.amount, left = free.*kind.amount;
    if (asked == 0 || asked <= left) continue;
    text += fmt::format("{}{}: {} of {} {} free", text.empty() ? "" : ", ", kind.text(asked), number_text(kind, left),
                        number_text(kind, all.*kind.amount), left == 1 ? "is" : "are");
  }
  return text;
}

// "8 GPUs, of 4" of what is more than there is.
std::string excess_text(const Share& wanted, const Share& all) {
  std::string text;
  for (const Kind& kind : kinds)
    if (wanted.*kind.amount > all.*kind.amount)
      text += fmt::format("{}{}, of {}", text.empty() ? "" : "; ", kind.text(wanted.*kind.amount),
                          number_text(kind, all.*kind.amount));
  return text;
}

std::string ordinal(uint64_t n) {
  const uint64_t teens = n % 100;
  const std::string_view end = teens >= 11 && teens <= 13 ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd"
                             : n % 10 == 3 ? "rd" : "th";
  return fmt::format("{}{}", n, end);
}

uint64_t place_of(Transaction& transaction, const JobRow& row) {
  return 1 + *transaction.find<uint64_t>(
                 "SELECT COUNT(*) FROM job WHERE in_queue = 1 AND (priority > $1 OR (priority = $1 AND "
                 "(queued_at < $2 OR (queued_at = $2 AND id < $3))))",
                 row.priority, row.queued_at, row.id);
}

}  // namespace

std::vector<QueuedJob> queue_of(Transaction& transaction) {
  std::vector<QueuedJob> jobs;
  transaction.each(
      "SELECT id, project, run, cpu, memory_bytes, gpu, turn FROM job WHERE in_queue = 1 "
      "ORDER BY priority DESC, queued_at, id",
      [&](const Row& row) {
        QueuedJob& one = jobs.emplace_back();
        db_detail::read(row, 0, one.id);
        db_detail::read(row, 1, one.project);
        db_detail::read(row, 2, one.run);
        one.share = read_share(row, 3);
        db_detail::read(row, 6, one.turn);
      });
  return jobs;
}

std::vector<WorkingJob> at_work(Transaction& transaction) {
  std::vector<WorkingJob> jobs;
  transaction.each(
      "SELECT id, state, project, queued_at, cpu, memory_bytes, gpu, gpus FROM job WHERE in_queue = 0 AND "
      "state NOT IN ('DONE', 'INTERRUPTED', 'FAILED', 'ERROR') ORDER BY queued_at, id",
      [&](const Row& row) {
        WorkingJob& one = jobs.emplace_back();
        db_detail::read(row, 0, one.id);
        db_detail::read(row, 1, one.state);
        db_detail::read(row, 2, one.project);
        db_detail::read(row, 3, one.queued_at);
        one.holds = held_in(one.state, read_share(row, 4));
        if (one.holds.gpu > 0) db_detail::read(row, 7, one.gpus);
      });
  return jobs;
}

Quotas quotas_of(Transaction& transaction) {
  Quotas quotas;
  for (const ProjectQuota& one : transaction.all<ProjectQuota>(
           "SELECT id, quota_cpu, quota_memory_bytes, quota_gpu, quota_jobs FROM project WHERE "
           "COALESCE(quota_cpu, quota_memory_bytes, quota_gpu, quota_jobs) IS NOT NULL"))
    quotas[one.project] = {one.cpu, one.memory_bytes, one.gpu, one.jobs};
  return quotas;
}

Share share_of(const JobRow& row) { return {row.cpu, row.memory_bytes, row.gpu, 1}; }

Share held_in(JobState state, const Share& share) {
  if (state == JobState::QUEUED || is_terminal(state)) return {};
  if (state == JobState::FINALIZING) return {.jobs = share.jobs};
  return share;
}

void queue_if_ready(Transaction& transaction, const std::string& job_id) {
  transaction.run(
      "UPDATE job SET in_queue = 1 WHERE id = $1 AND state = 'QUEUED' AND stop_requested = 0 AND "
      "NOT EXISTS (SELECT 1 FROM lease_wait WHERE holder_kind = 'job' AND holder = job.id) AND "
      "NOT EXISTS (SELECT 1 FROM job_attachment WHERE job_attachment.job = job.id AND staging <> '')",
      job_id);
  transaction.announce(jobs_announcement);
}

void note_turn(Transaction& transaction, const QueuedJob& job, Turn turn, Time now) {
  const int64_t noted = transaction.run("UPDATE job SET turn = $3 WHERE id = $1 AND run = $2 AND in_queue = 1", job.id,
                                        job.run, turn);
  if (noted == 0) return;
  const std::string what = share_text(job.share);
  const auto text = [&]() -> std::string {
    switch (turn) {
      case Turn::begins: return "";
      case Turn::room: return "waited for room on the machine: it asks for " + what;
      case Turn::quota: return "waited for its project's other jobs, which hold its quota: it asks for " + what;
      case Turn::too_large: return fmt::format("could not begin: it asks for {}, more than the machine gives", what);
      case Turn::above_quota: return fmt::format("could not begin: it asks for {}, above its project's quota", what);
    }
    return "";
  };
  end_happening(transaction, job.id, Cause::room, now);
  note_happening(transaction, job.id, {Cause::room, now, std::nullopt, text()});
  transaction.announce(job.id);
}

std::string share_text(const Share& share) {
  std::string text;
  for (const Kind& kind : kinds)
    if (kind.amount != &Share::jobs && share.*kind.amount > 0)
      text += (text.empty() ? "" : ", ") + kind.text(share.*kind.amount);
  return text.empty() ? counted(share.jobs, "place", "places") : text;
}

std::string turn_text(const JobRow& row) {
  const std::string what = share_text(share_of(row));
  if (row.turn.empty()) return row.reason;
  switch (value_named<Turn>(row.turn, "turn")) {
    case Turn::begins: return row.reason;
    case Turn::room: return fmt::format("waits for room on the machine for {}", what);
    case Turn::quota: return fmt::format("waits for its project's quota for {}", what);
    case Turn::too_large: return fmt::format("cannot begin: {} are more than this machine gives to jobs", what);
    case Turn::above_quota: return fmt::format("cannot begin: {} are more than its project may hold", what);
  }
  return row.reason;
}

namespace {

// What a job of the queue waits for, as it is now.
struct Standing {
  Turn turn{};
  Share all;                     // Of the machine; where its project's quota stops it, of that.
  Share free;
  std::vector<WorkingJob> jobs;  // That hold the rest.
};

Standing standing_of(Transaction& transaction, const Share& capacity, const JobRow& row) {
  Standing now{value_named<Turn>(row.turn, "turn"), capacity, {}, at_work(transaction)};
  if (now.turn == Turn::quota || now.turn == Turn::above_quota) {
    now.all = limit_of(quotas_of(transaction), row.project);
    std::erase_if(now.jobs, [&](const WorkingJob& one) { return one.project != row.project; });
  }
  Share held;
  for (const WorkingJob& one : now.jobs) add(held, one.holds);
  now.free = less(now.all, held);
  return now;
}

}  // namespace

std::string standing_text(Transaction& transaction, const Share& capacity, const JobRow& row) {
  if (row.turn.empty()) return row.reason;
  const Standing now = standing_of(transaction, capacity, row);
  const Share wanted = share_of(row);
  if (now.turn == Turn::too_large)
    return fmt::format("cannot begin: it asks for {} that this machine gives to jobs", excess_text(wanted, now.all));
  if (now.turn == Turn::above_quota)
    return fmt::format("cannot begin: it asks for {} that its project may hold", excess_text(wanted, now.all));
  const std::string lacks = lacking_text(wanted, now.all, now.free);
  return fmt::format("waits for {}{}; {} in the queue",
                     lacks.empty() ? "those ahead of it, which are given what is free" : lacks,
                     now.turn == Turn::quota ? " of its project's quota" : "", ordinal(place_of(transaction, row)));
}

std::string holders_text(Transaction& transaction, const Share& capacity, const JobRow& row) {
  if (row.turn.empty()) return "";
  const Standing now = standing_of(transaction, capacity, row);
  const Share wanted = share_of(row);
  std::string text;
  uint64_t named = 0, others = 0;
  Share of_others;
  for (const WorkingJob& one : now.jobs) {
    Share holds;  // Of what is lacking.
    for (const Kind& kind : kinds)
      if (wanted.*kind.amount > now.free.*kind.amount) holds.*kind.amount = one.holds.*kind.amount;
    if (holds == Share{}) continue;
    if (one.project == row.project && named < named_max) {
      text += fmt::format("{}job {} holds {}", named++ ? ", " : "", one.id, share_text(holds));
    } else {
      ++others;
      add(of_others, holds);
    }
  }
  if (others == 0) return text;
  return text + fmt::format("{}{} hold{} {}", named ? ", " : "", counted(others, "other job", "other jobs"),
                            others == 1 ? "s" : "", share_text(of_others));
}

}  // namespace volary
