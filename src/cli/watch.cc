// cli/watch.cc: events in, lines and bars out.
#include "cli/watch.h"

#include "cli/interrupt.h"
#include "cli/log_text.h"
#include "core/error_table.h"
#include "core/quantity.h"
#include "core/workers.h"
#include "record/volume.h"

namespace volary {
namespace {

constexpr int exit_interrupted = 130;

Amounts amounts_of(const TransferCounts& counts) {
  return {.files_done = counts.completed + counts.skipped + counts.failed,
          .files_total = counts.total,
          .bytes_done = counts.bytes_done,
          .bytes_total = counts.bytes_total};
}

// "code: message" as the server keeps it.
Error error_of(const Transfer& transfer) {
  const size_t colon = transfer.error.find(": ");
  if (colon == std::string::npos) return {Errc::internal, Error::Text{transfer.error}};
  Error error(errc_named(transfer.error.substr(0, colon)), Error::Text{transfer.error.substr(colon + 2)});
  error.add_to_trail(fmt::format("working on transfer {}", transfer.id));
  return error;
}

std::string events_of(const std::string& noun, const std::string& id) { return api_path({noun, id, "events"}); }

// A server that was stopped on purpose is not started again behind its owner's back; the next command does that.
std::string lost_words(const Client& client, std::string_view noun, const std::string& command) {
  return fmt::format("The server does not answer; waiting for it for a minute. The {} is not lost.\n{}:  {}", noun,
                     client.is_local() ? "To start the server again" : "To come back later", command);
}

std::string place_of(const std::string& directory) { return directory.empty() ? "/" : directory; }

// What a finished transfer made: "wiki@3", or "corpora:wiki".
std::string made_by(Session& session, const Transfer& transfer) {
  if (transfer.kind == TransferKind::export_) return target_of(transfer);
  if (transfer.version) return fmt::format("{}@{}", transfer.volume, transfer.version);
  const auto volume = typed<Volume>(session.client().get(api_path({"volumes", transfer.volume})));
  return fmt::format("{}@{}", volume.name, volume.head);
}

}  // namespace

std::string source_of(const Transfer& t) {
  switch (t.kind) {
    case TransferKind::import: return t.datastore + ":" + t.source_directory;
    case TransferKind::export_: return fmt::format("{}@{}:{}", t.volume, t.version, place_of(t.source_directory));
    case TransferKind::snapshot: return t.source_directory;
  }
  return "";
}

std::string target_of(const Transfer& t) {
  return t.kind == TransferKind::export_ ? t.datastore + ":" + t.destination_directory
                                         : t.volume + ":" + place_of(t.destination_directory);
}

int end_of_transfer(Session& session, const json::value& answer) {
  const auto transfer = typed<Transfer>(answer);
  if (session.output().is_structured()) session.output().document(answer);
  const int code = transfer_result(session, transfer);
  if (code == 0 && !session.output().is_structured())
    session.output().line(session.output().format() == Format::name ? transfer.id : made_by(session, transfer));
  return code;
}

int begun(Session& session, const json::value& accepted, Detach detach) {
  const auto transfer = typed<Transfer>(accepted);
  if (detach == Detach::no) return end_of_transfer(session, watch_transfer(session, transfer.id));
  if (session.output().is_structured()) session.output().document(accepted);
  else session.output().line(transfer.id);
  session.note("to watch it:  volary transfer watch " + transfer.id);
  return 0;
}

json::value watch_transfer(Session& session, const std::string& id) {
  Client& client = session.client();
  json::value last;
  std::string waits_for;
  ProgressBar bar("transfer " + id, session.progress());
  const LastWords words(fmt::format("The transfer goes on.\n"
                                    "To watch it again:  volary transfer watch {}\n"
                                    "To end it:          volary transfer cancel {}", id, id));
  const auto show = [&](const json::value& event) {
    const auto transfer = typed<Transfer>(event);
    last = event;
    if (!transfer.waits_for.empty() && transfer.waits_for != waits_for) {
      bar.clear();
      session.note("waiting: " + transfer.waits_for);
    }
    waits_for = transfer.waits_for;
    bar.show(amounts_of(transfer.counts));
    return is_terminal(transfer.state) ? Ended::yes : Ended::no;
  };
  const auto lost = [&] {
    bar.clear();
    session.note(lost_words(client, "transfer", "volary transfer watch " + id));
  };
  client.follow(events_of("transfers", id), show, lost);
  return last;
}

void show_failures(Session& session, const Transfer& transfer) {
  for (const TransferFailure& failure : transfer.failures)
    session.note(fmt::format("{}: {}: {}", failure.outcome == FileOutcome::skipped ? "left out" : "failed",
                             failure.path, failure.reason.substr(0, failure.reason.find('\n'))));
  if (transfer.failures.size() >= 10)
    session.note(fmt::format("to see all of them:  volary transfer failures {}", transfer.id));
}

int transfer_result(Session& session, const Transfer& transfer) {
  const TransferCounts& counts = transfer.counts;
  show_failures(session, transfer);
  if (transfer.state == TransferState::failed) throw error_of(transfer);
  if (transfer.state == TransferState::cancelled) {
    session.note(fmt::format("transfer {} was cancelled{}", transfer.id,
                             transfer.kind == TransferKind::export_ ? "" : ": nothing of it is visible"));
    session.note("to take it up again:  volary transfer resume " + transfer.id);
    return exit_interrupted;
  }
  std::string line =
      transfer.kind == TransferKind::snapshot
          ? fmt::format("{} read ({}), {} left out", counts.completed, bytes_text(counts.bytes_done), counts.skipped)
          : fmt::format("{} copied ({}), {} skipped, {} deleted", counts.completed, bytes_text(counts.bytes_done),
                        counts.skipped, counts.deleted);
  if (transfer.started_at && transfer.ended_at)
    line += ", in " + seconds_text((transfer.ended_at->micros - transfer.started_at->micros + 500'000) / 1'000'000);
  session.note(line);
  if (!transfer.verified.empty()) session.note("verified: " + transfer.verified);
  for (const std::string& path : transfer.left_out)
    session.note("left out, for it is neither file, directory nor link: " + path);
  if (transfer.kind != TransferKind::export_ && transfer.version == 0)
    session.note("nothing changed: there is no new version");
  return 0;
}

void follow_log(Session& session, const std::string& id, uint64_t run, Query wish, Sink& sink) {
  const std::string path = api_path({"jobs", id});
  if (run == 0) run = typed<Job>(session.client().get(path)).run;
  for (;; ++run, wish.clear()) {
    wish.emplace_back("run", std::to_string(run));
    session.client().read_log(path + "/log", wish, Until::it_ends, sink);
    if (typed<Job>(session.client().get(path)).run <= run) return;
  }
}

json::value watch_job(Session& session, const std::string& id, Logs logs, uint64_t first_run) {
  Client& client = session.client();
  json::value last;
  const LastWords words(fmt::format("The job goes on.\n"
                                    "To wait for it again:  volary job wait {}\n"
                                    "To end it:             volary job stop {}", id, id));
  const auto lost = [&] { session.note(lost_words(client, "job", "volary job wait " + id)); };
  const auto follow_states = [&] {
    size_t seen = 0;
    const auto show = [&](const json::value& event) {
      const auto job = typed<Job>(event);
      last = event;
      if (first_run == 0) first_run = job.run;
      while (seen < job.history.size() && job.history[seen].run < first_run) ++seen;
      for (; seen < job.history.size(); ++seen) {
        const JobEvent& change = job.history[seen];
        const std::string reason = change.reason.empty() ? "" : " (" + change.reason + ")";
        session.note(fmt::format("{} {}: {}{}", time_text(change.date), id, name_of_value(change.state), reason));
      }
      if (job.state == JobState::QUEUED && job.reason != job.history.back().reason) session.note(id + " " + job.reason);
      return is_terminal(job.state) ? Ended::yes : Ended::no;
    };
    client.follow(events_of("jobs", id), show, lost);
  };
  const auto follow_logs = [&, log_run = first_run] {
    LogSink sink(session.output(), Times::hide);
    follow_log(session, id, log_run, {}, sink);
    sink.end();
  };
  if (logs == Logs::none) follow_states();
  else for_each_index(2, 2, [&](size_t which) { which == 0 ? follow_states() : follow_logs(); });
  return last;
}

int exit_code_of(const Job& job) {
  switch (job.state) {
    case JobState::DONE: return 0;
    case JobState::FAILED: return static_cast<int>(job.exit_code.value_or(1) ? job.exit_code.value_or(1) & 255 : 1);
    case JobState::INTERRUPTED: return exit_interrupted;
    default: return row_of(Errc::internal).exit_status;
  }
}

}  // namespace volary
