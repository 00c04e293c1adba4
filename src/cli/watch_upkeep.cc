// cli/watch_upkeep.cc: events of a run in, lines and bars out.
#include "cli/watch_upkeep.h"

#include "cli/interrupt.h"
#include "core/quantity.h"

namespace volary {
namespace {

// "code: message" as the server keeps it.
Error error_in(const UpkeepRun& run) {
  const size_t colon = run.error.find(": ");
  if (colon == std::string::npos) return {Errc::internal, Error::Text{run.error}};
  return {errc_named(run.error.substr(0, colon)), Error::Text{run.error.substr(colon + 2)}};
}

}  // namespace

std::string amount_text(const ObjectAmount& amount) {
  return fmt::format("{} ({})", amount.objects, bytes_text(amount.bytes));
}

UpkeepRun watch_upkeep(Session& session, const std::string& id) {
  Client& client = session.client();
  UpkeepRun run;
  const LastWords words(fmt::format("It goes on.\n"
                                    "To watch it again:  volary store watch {}\n"
                                    "To end it:          volary store stop", id));
  std::string phase;
  {
    std::optional<ProgressBar> bar;
    const auto show = [&](const json::value& event) {
      run = typed<UpkeepRun>(event);
      if (run.state != UpkeepState::running) return Ended::yes;
      if (run.phase != phase || !bar) {
        phase = run.phase;
        bar.reset();
        bar.emplace(phase, session.progress());
      }
      bar->show({.files_done = run.counts.objects_done,
                 .files_total = run.counts.objects_total,
                 .bytes_done = run.counts.bytes_done,
                 .bytes_total = run.counts.bytes_total});
      return Ended::no;
    };
    const auto lost = [&] {
      if (bar) bar->clear();
      session.note("The server does not answer; waiting for it for a minute.");
    };
    client.follow(api_path({"store", "runs", id, "events"}), show, lost);
  }
  if (run.state == UpkeepState::failed) throw error_in(run);
  if (run.state == UpkeepState::stopped)
    session.note(fmt::format("the {} was stopped before its end", name_of_value(run.kind)));
  return run;
}

std::optional<UpkeepRun> run_upkeep(Session& session, const std::string& path, const json::value& asked, Wait wait) {
  const json::value accepted = session.client().post(api_path({"store", path}), asked);
  const auto run = typed<UpkeepRun>(accepted);
  if (wait == Wait::yes) return watch_upkeep(session, run.id);
  if (session.output().is_structured()) session.output().document(accepted);
  else session.output().line(run.id);
  session.note("to watch it:  volary store watch " + run.id);
  return std::nullopt;
}

}  // namespace volary
