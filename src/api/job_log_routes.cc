// api/job_log_routes.cc: what jobs print, and commands beside them.
#include <algorithm>
#include <cctype>
#include <sstream>

#include "api/routes.h"
#include "net/tunnel.h"

namespace volary {
namespace {

constexpr uint64_t log_bytes_max = 1 << 20;  // Of one piece of what is sent.

// A log as it grows, or what there was of it when it was asked for. Ends when all of it was sent and, if it grows, the
// run has ended.
class LogStream final : public Stream {
 public:
  LogStream(Jobs& jobs, Caller caller, std::string id, uint64_t run, LogText first, std::optional<uint64_t> end)
      : jobs_(jobs), caller_(std::move(caller)), id_(std::move(id)), run_(run), next_(std::move(first)), end_(end) {}

  std::optional<std::string> poll() override {
    if (next_.text.empty()) {
      if (end_ && next_.offset >= *end_) return std::nullopt;
      // Asked before reading: nothing comes after it.
      const bool is_over = end_ || jobs_.has_run_ended(caller_, id_, run_);
      const uint64_t wanted = next_.offset;
      next_ = jobs_.log(caller_, id_, wanted, log_bytes_max, run_);
      if (next_.text.empty() && is_over) return std::nullopt;
      if (next_.offset != wanted)
        throw Error(Errc::unavailable, "the log's byte {} was dropped before it was sent", wanted);
    }
    std::string bytes = std::move(next_.text);
    next_ = {next_.offset + bytes.size(), ""};
    return bytes;
  }

 private:
  Jobs& jobs_;
  Caller caller_;
  std::string id_;
  uint64_t run_;
  LogText next_;
  std::optional<uint64_t> end_;
};

LogWish log_wish_of(const Call& call) {
  LogWish wish;
  if (const auto since = call.query("since")) wish.since = parse_time(*since);
  wish.lines = call.number("tail");
  if (wish.lines == 0) throw Error(Errc::invalid, "no lines of the log were asked for: expected 'tail' of at least 1");
  return wish;
}

Response log_of(Services& services, const Call& call) {
  const Job job = services.jobs.get(call.caller(), call.path("job"));
  const LogWish wish = log_wish_of(call);
  const uint64_t run = call.number("run").value_or(job.run);
  uint64_t offset = call.number("offset").value_or(0);
  if (wish.since || wish.lines) offset = std::max(offset, services.jobs.log_start(call.caller(), job.id, wish, run));
  LogText first = services.jobs.log(call.caller(), job.id, offset, log_bytes_max, run);
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.emplace_back("volary-log-offset", std::to_string(first.offset));
  std::optional<uint64_t> end;
  if (!call.flag("follow")) end = services.jobs.log_end(call.caller(), job.id, run);
  response.stream = std::make_unique<LogStream>(services.jobs, call.caller(), job.id, run, std::move(first), end);
  return response;
}

// Whether it is one of the words between commas; case does not count.
bool has_word(const std::string& list, const std::string& word) {
  std::istringstream in(list);
  for (std::string one; std::getline(in, one, ',');) {
    const size_t begin = std::min(one.find_first_not_of(" \t"), one.size());
    one = one.substr(begin, one.find_last_not_of(" \t") + 1 - begin);
    std::transform(one.begin(), one.end(), one.begin(), [](unsigned char c) { return std::tolower(c); });
    if (one == word) return true;
  }
  return false;
}

// It can do all that the job can, with whatever the job was given: so it is for whoever submitted the job, and for
// those who could have any token made.
Response exec_in(Services& services, const Call& call, const NewExec& wanted) {
  const Job job = services.jobs.get(call.caller(), call.path("job"));
  if (job.user != call.caller().name) services.access.require(call.caller(), Permission::token_write);
  if (call.header("upgrade") != tunnel_protocol || !has_word(call.header("connection").value_or(""), "upgrade"))
    throw Error(Errc::invalid, "a command needs a connection of its own: expected HTTP/1.1 and the headers "
                "'Connection: Upgrade' and 'Upgrade: {}'", tunnel_protocol);
  Response response;
  response.status = 101;
  response.protocol = tunnel_protocol;
  response.take_over = services.jobs.exec(call.caller(), job.id, wanted);
  return response;
}

}  // namespace

void add_job_log_routes(std::vector<Route>& routes, Services& services) {
  routes.push_back({Method::get, "/api/v1/jobs/{job}/log", Permission::job_read,
                    {.name = "read_job_log",
                     .summary = "What the job has written to standard output and error, line by line with the time",
                     .description = "The header Volary-Log-Offset says where the first byte of the answer stands, so "
                                    "that a reader can go on from there, plus what it got. Of a log that is full the "
                                    "oldest lines are dropped; where they were asked for, the first line says how "
                                    "many bytes are missing.",
                     .query = {{.name = "offset", .description = "Bytes to skip", .kind = ParameterKind::number},
                               {.name = "since", .description = "Only lines from then on: RFC 3339"},
                               {.name = "tail", .description = "Only so many of the last lines",
                                .kind = ParameterKind::number},
                               {.name = "run", .description = "Of this run, and not of the newest",
                                .kind = ParameterKind::number},
                               {.name = "follow", .description = "Go on until the run has ended",
                                .kind = ParameterKind::flag}},
                     .answer_type = "text/plain"},
                    [&services](const Call& call) { return log_of(services, call); }});
  routes.push_back({Method::post, "/api/v1/jobs/{job}/exec", Permission::job_stop,
                    {.name = "exec_in_job",
                     .summary = "Runs a command beside a job's process, as its user and within its limits",
                     .description = "The request asks for an upgrade of the connection to volary-exec. After the "
                                    "answer 101 both sides send frames: one byte that says what it is, four that say "
                                    "how long, and so many bytes. To the command: 'i' input, 'c' its end, 'w' 'ROWS "
                                    "COLUMNS' of its terminal, 's' the number of a signal. From it: 'o' output, 'e' "
                                    "errors, and at the end 'x' 'CODE REASON'. For whoever submitted the job, and for "
                                    "admins.",
                     .status = 101,
                     .answer_type = "application/octet-stream"},
                    [&services](const Call& call, const NewExec& wanted) {
                      return exec_in(services, call, wanted);
                    }});
}

}  // namespace volary
