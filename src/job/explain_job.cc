// job/explain_job.cc: the part of job/explain.h about jobs.
#include "core/error.h"
#include "core/quantity.h"
#include "job/explain.h"
#include "job/explain_lines.h"
#include "job/rows.h"
#include "job/standing.h"
#include "record/transfer.h"

namespace volary {
namespace {

constexpr int64_t turn_micros_min = 1'000'000;  // Shorter waits for its turn are only the server's own pace.

struct Span {
  Time begin;
  Time end;
};

int64_t length_of_union(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  int64_t sum = 0;
  Time covered;
  for (const Span& span : spans) {
    const Time begin = std::max(span.begin, covered);
    if (begin < span.end) sum += span.end.micros - begin.micros;
    covered = std::max(covered, span.end);
  }
  return sum;
}

// What stands in the tables about one job.
struct Evidence {
  Job job;
  std::vector<Happening> happenings;
  Time now;

  // Of the event at `index`, until the next one.
  Span span(size_t index) const {
    const Time begin = job.history[index].date;
    if (index + 1 < job.history.size()) return {begin, std::max(begin, job.history[index + 1].date)};
    return {begin, is_terminal(job.state) ? begin : std::max(begin, now)};
  }
  std::vector<Span> spans(std::initializer_list<JobState> states) const {
    std::vector<Span> found;
    for (size_t i = 0; i < job.history.size(); ++i)
      if (std::find(states.begin(), states.end(), job.history[i].state) != states.end()) found.push_back(span(i));
    return found;
  }
  std::vector<Span> waits(Cause cause) const {
    std::vector<Span> found;
    for (const Happening& one : happenings)
      if (one.cause == cause) found.push_back({one.since, one.until.value_or(now)});
    return found;
  }
};

std::vector<Span> both(std::vector<Span> one, const std::vector<Span>& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

uint64_t millis(int64_t micros) { return static_cast<uint64_t>(std::max<int64_t>(micros, 0) / 1000); }

// Nobody wanted it to run between the end of a run and the wish for the next one.
int64_t rest_between_runs(const Job& job) {
  int64_t sum = 0;
  for (size_t i = 1; i < job.runs.size(); ++i)
    if (const auto ended = job.runs[i - 1].ended_at)
      sum += std::max<int64_t>(0, job.runs[i].queued_at.micros - ended->micros);
  return sum;
}

// A pause that somebody broke off ended with its time in the queue.
void cut_pauses(Evidence& e) {
  for (Happening& one : e.happenings)
    for (const Span& queued : e.spans({JobState::QUEUED}))
      if (one.cause == Cause::pause && one.until && queued.begin <= one.since && one.since < queued.end)
        one.until = std::min(*one.until, std::max(queued.end, one.since));
}

SpentTime spent(const Evidence& e) {
  using enum JobState;
  const auto queued = e.spans({QUEUED});
  const auto staging = e.waits(Cause::staging);
  const auto waits = both(staging, e.waits(Cause::writer));
  const auto paused = both(waits, e.waits(Cause::pause));
  SpentTime time;
  const Time end = is_terminal(e.job.state) ? e.job.history.back().date : e.now;
  time.total = millis(end.micros - e.job.created_at.micros - rest_between_runs(e.job));
  time.room = millis(length_of_union(both(queued, paused)) - length_of_union(paused));
  time.writers = millis(length_of_union(waits) - length_of_union(staging));
  time.data = millis(length_of_union(staging) + length_of_union(e.spans({INITIALIZING})));
  time.starting = millis(length_of_union(e.spans({PENDING})));
  time.running = millis(length_of_union(e.spans({RUNNING, INTERRUPTING, TIMEOUT})));
  time.finishing = millis(length_of_union(e.spans({FINALIZING})));
  return time;
}

// Its states, with how long each took.
void add_states(const Evidence& e, std::vector<ExplainedLine>& lines) {
  for (size_t i = 0; i < e.job.history.size(); ++i) {
    const JobEvent& event = e.job.history[i];
    const Span span = e.span(i);
    ExplainedLine line = moment(event.date, Cause::state,
                                fmt::format("{}: {}", name_of_value(event.state), one_line(event.reason)));
    line.lasts = i + 1 == e.job.history.size() && !is_terminal(event.state);
    if (!line.lasts && !is_terminal(event.state) && span.begin < span.end) line.until = span.end;
    lines.push_back(line);
  }
}

struct ReadyVolume {
  std::string volume;
  uint64_t version = 0;
  std::string path;
  AttachAccess access{};
  uint64_t files = 0;
  uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(ReadyVolume, (), (volume, version, path, access, files, bytes))

std::vector<ReadyVolume> ready_volumes(Transaction& transaction, const std::string& job) {
  return transaction.all<ReadyVolume>(
      "SELECT volume.name, job_attachment.version, job_attachment.path, job_attachment.access, "
      "COALESCE(version.files, 0), COALESCE(version.bytes, 0) FROM job_attachment "
      "JOIN volume ON volume.id = job_attachment.volume LEFT JOIN version ON version.volume = job_attachment.volume "
      "AND version.number = job_attachment.version WHERE job_attachment.job = $1 ORDER BY job_attachment.number",
      job);
}

void add_volumes(const Evidence& e, const std::vector<ReadyVolume>& volumes, std::vector<ExplainedLine>& lines) {
  const auto ready = e.spans({JobState::PENDING});
  if (ready.empty()) return;
  for (const ReadyVolume& one : volumes) {
    const std::string version = one.version ? fmt::format("{}@{}", one.volume, one.version) : one.volume + ", empty,";
    ExplainedLine line = moment(ready.back().begin, Cause::phase,
                                fmt::format("{} was ready at {} ({})", version, one.path, name_of_value(one.access)));
    line.files = one.files;
    line.bytes = one.bytes;
    lines.push_back(line);
  }
}

// What a transfer brought, for a wait that it ended.
struct Brought {
  TransferCounts counts;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
};
BOOST_DESCRIBE_STRUCT(Brought, (), (counts, started_at, ended_at))

void add_transferred(Transaction& transaction, const std::string& transfer, Time now, ExplainedLine& line) {
  const auto found = transaction.find<Brought>("SELECT counts, started_at, ended_at FROM transfer WHERE id = $1",
                                               transfer);
  if (!found || !found->started_at) return;
  line.files = found->counts.completed;
  line.bytes = found->counts.transferred_bytes;
  line.bytes_per_second =
      rate_of(found->counts.transferred_bytes, found->ended_at.value_or(now).micros - found->started_at->micros);
}

std::string now_text(const Evidence& e) {
  return fmt::format("{} for {}: {}", name_of_value(e.job.state),
                     duration_text(e.now.micros - e.job.history.back().date.micros), one_line(e.job.reason));
}

// A wait for its turn that was only the server's own pace.
bool is_short_turn(const Happening& one) {
  return one.cause == Cause::room && one.until && one.until->micros - one.since.micros < turn_micros_min;
}

std::string lost_text(const SpentTime& time) {
  std::string text;
  const auto add = [&](uint64_t part, std::string_view on) {
    if (part < 100) return;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", duration_text(static_cast<int64_t>(part) * 1000), on);
  };
  add(time.data, "until its data was there");
  add(time.writers, "for others to stop writing its volumes");
  add(time.room, "for its turn");
  return text.empty() ? " It lost no time waiting." : " It waited " + text + ".";
}

std::string summary_of(const Evidence& e, const SpentTime& time, const std::string& now) {
  const Job& job = e.job;
  const std::string runs = job.run > 1 ? fmt::format(" in {} runs", job.run) : "";
  if (!is_terminal(job.state))
    return fmt::format("{}{}.{}", now, job.run > 1 ? fmt::format(", in run {}", job.run) : "", lost_text(time));
  return fmt::format("{} after {}, of which it ran {}{}: {}.", name_of_value(job.state),
                     duration_text(static_cast<int64_t>(time.total) * 1000),
                     duration_text(static_cast<int64_t>(time.running) * 1000), runs, one_line(job.reason)) +
         lost_text(time);
}

}  // namespace

Explanation Explain::job(const Caller& caller, const std::string& id) {
  Evidence e;
  e.job = jobs_.get(caller, id);
  e.now = clock_.now();
  Explanation answer;
  answer.subject = "job " + e.job.id;
  answer.state = std::string(name_of_value(e.job.state));
  const Share capacity = node_.capacity();
  add_states(e, answer.lines);
  const TransfersUnderWay under_way = transfers_.under_way();
  database_.read([&](Transaction& transaction) {
    e.happenings = happenings_of(transaction, e.job.id);
    cut_pauses(e);
    for (const Happening& one : e.happenings) {
      if (is_short_turn(one)) continue;
      ExplainedLine line = line_of(one, e.now);
      if (one.cause == Cause::staging) add_transferred(transaction, one.other, e.now, line);
      if (one.cause == Cause::staging || one.cause == Cause::writer) line.what = "waited: " + line.what;
      answer.lines.push_back(line);
    }
    add_volumes(e, ready_volumes(transaction, e.job.id), answer.lines);
    if (const auto row = find_job(transaction, e.job.id)) add_syncs(transaction, *row, under_way, e.now, answer.lines);
    if (const auto row = find_job(transaction, e.job.id); row && row->in_queue)
      if (const std::string who = holders_text(transaction, capacity, *row); !who.empty())
        answer.lines.push_back(moment(e.now, Cause::now, who));
  });
  sort_lines(answer.lines);
  const std::string now = is_terminal(e.job.state) ? "" : now_text(e);
  answer.millis = spent(e);
  answer.summary = summary_of(e, *answer.millis, now);
  return answer;
}

}  // namespace volary
