// volume/upkeep_schedule.cc: what is done without being asked: check and sweep daily, and a scrub that takes its time.
//
// When each was last begun is in the database, so a server that is started often does not begin anew each time. A scrub
// runs between the others, at the rate at which it will be through in half of its time; it ends for what is due, and
// goes on afterwards.
#include <algorithm>

#include "core/error.h"
#include "remote/retry.h"
#include "store/stats.h"
#include "volume/upkeep.h"
#include "volume/upkeep_live.h"

namespace volary {
namespace {

constexpr int64_t settling_seconds = 600;       // After a start, others need the disk more.
constexpr int64_t look_seconds_max = 30;        // How long nothing is looked at.
constexpr int64_t epoch_seconds = 3600;         // A copy of the database is an old one after at most that long.
constexpr uint64_t scrub_rate_min = 8 << 20;    // So that a small store does not take a week.

// The note "schedule": when each was last begun.
struct ScheduleNote {
  Time sweep;
  Time check;
  Time scrub;  // The pass.
};
BOOST_DESCRIBE_STRUCT(ScheduleNote, (), (sweep, check, scrub))

bool is_due(Time last, int64_t every_seconds, Time now) {
  if (every_seconds == 0) return false;
  return last > now || last.plus_seconds(every_seconds) <= now;  // From the future: the clock was set back.
}

}  // namespace

void Upkeep::start(const UpkeepSchedule& schedule) {
  schedule_ = schedule;
  advance_epoch(parts_.database, parts_.store);
  const Time now = parts_.clock.now();
  const Steadiness steadiness =
      parts_.database.write([&](Transaction& t) { return note_clock(t, now, parts_.uptime()); });
  if (!steadiness.remark.empty()) log_("store: " + steadiness.remark);
  if (const auto words = restored_words(epochs_of(parts_.database, parts_.store)); !words.empty())
    log_("store: no sweeps: " + words + "; 'volary store check --accept-restored' accepts it");
  is_started_ = true;
  scheduler_ = std::jthread([this](const std::stop_token& stop) { follow_schedule(stop); });
}

// A step of background work: an error ends here, for the operator, and the next round tries again.
void Upkeep::follow_schedule(const std::stop_token& stop) {
  const Time started = parts_.clock.now();
  Time epoch_at = started;
  while (!stop.stop_requested()) {
    const auto failure = error_of([&] {
      const Time now = parts_.clock.now();
      if (is_due(epoch_at, epoch_seconds, now)) {
        epoch_at = now;
        advance_epoch(parts_.database, parts_.store);
        parts_.database.write([&](Transaction& t) { note_clock(t, now, parts_.uptime()); });
      }
      if (const auto due = what_is_due(started)) run_scheduled(*due, stop);
    });
    if (failure && failure->code() != Errc::conflict) log_(fmt::format("store: {}", failure->what()));
    int64_t shortest = look_seconds_max;
    for (const int64_t every : {schedule_.sweep_seconds, schedule_.check_seconds, schedule_.scrub_seconds})
      if (every > 0) shortest = std::min(shortest, every);
    auto waking = waking_.lock();
    waking.wait_for(wake_, std::chrono::seconds(shortest),
                    [&] { return stop.stop_requested(); });
  }
}

// Of several that are due, the one that is overdue by most of its own times; a scrub that was not finished goes on when
// nothing is due.
std::optional<UpkeepRequest> Upkeep::what_is_due(Time started) {
  const Time now = parts_.clock.now();
  return parts_.database.write([&](Transaction& t) -> std::optional<UpkeepRequest> {
    ScheduleNote note = find_note<ScheduleNote>(t, "schedule").value_or(ScheduleNote{});
    Time* chosen = nullptr;
    double most = 0;
    const auto consider = [&](Time& last, int64_t every) {
      if (!is_due(last, every, now) || started.plus_seconds(std::min(settling_seconds, every)) > now) return;
      const double times = last > now ? 1 : static_cast<double>(now.micros - last.micros) / static_cast<double>(every);
      if (times > most) most = times, chosen = &last;
    };
    consider(note.check, schedule_.check_seconds);
    consider(note.sweep, schedule_.sweep_seconds);
    consider(note.scrub, schedule_.scrub_seconds);
    if (chosen) {
      *chosen = now;
      put_note(t, "schedule", note);
    }
    if (chosen == &note.check) return CheckRequest{};
    if (chosen == &note.sweep) return SweepRequest{true, {}, {}, {}};
    const bool unfinished = schedule_.scrub_seconds > 0 && find_note_text(t, "scrub");
    if (chosen || unfinished) return ScrubRequest{scrub_rate_min, true};
    return std::nullopt;
  });
}

void Upkeep::run_scheduled(const UpkeepRequest& request, const std::stop_token& stop) {
  UpkeepRequest wanted = request;
  const bool scrubs = std::holds_alternative<ScrubRequest>(request);
  if (scrubs) {
    const uint64_t bytes = sizes_of(parts_.store).objects.bytes;
    const uint64_t rate = bytes / static_cast<uint64_t>(std::max<int64_t>(schedule_.scrub_seconds / 2, 1));
    std::get<ScrubRequest>(wanted).bytes_per_second = std::max(rate, scrub_rate_min);
  }
  const Time began = parts_.clock.now();
  const auto live = launch("schedule", {}, wanted, Nice::yes);
  const int64_t slice = std::min(schedule_.sweep_seconds ? schedule_.sweep_seconds : INT32_MAX,
                                 schedule_.check_seconds ? schedule_.check_seconds : INT32_MAX);
  auto current = current_.lock();
  const auto ended = [&] { return live->run.lock()->state != UpkeepState::running; };
  while (!current.wait_for(ended_, std::chrono::seconds(1), ended)) {
    const bool others_wait = scrubs && began.plus_seconds(slice) <= parts_.clock.now();
    if (stop.stop_requested() || others_wait) live->work.stop.request_stop();
  }
}

}  // namespace volary
