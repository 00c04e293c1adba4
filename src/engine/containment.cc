// engine/containment.cc: the supervisor's loop around a container.
#include "engine/containment.h"

#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/quantity.h"
#include "core/tree_path.h"
#include "engine/container_body.h"
#include "engine/supervision.h"

namespace volary {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds note_every{300};
// How late the end of a process is noticed at most, if its log does not tell: a tenth of its age, within these.
constexpr int look_millis_min = 20;
constexpr int look_millis_max = 1000;
constexpr int retry_millis = 500;
constexpr auto removal_patience = std::chrono::seconds(30);
constexpr auto creation_patience = std::chrono::seconds(120);  // As long as an engine may take to create one.
constexpr milliseconds follow_again_max{60'000};

constexpr int64_t not_executable_exit_code = 126;
constexpr int64_t not_found_exit_code = 127;
constexpr int64_t catatonit_exit_code = 1;

// Docker's init is tini, podman's is catatonit: what they print and end with where they cannot execute the command.
bool is_word_of_init(const std::string& line, int64_t exit_code) {
  const bool is_kind = exit_code == not_executable_exit_code || exit_code == not_found_exit_code;
  if (line.starts_with("[FATAL tini")) return is_kind;
  return line.starts_with("ERROR (catatonit:") && (is_kind || exit_code == catatonit_exit_code);
}

RunOutcome without_start(std::string error, std::optional<int64_t> exit_code = std::nullopt) {
  RunOutcome outcome;
  outcome.exit_code = exit_code;
  outcome.error = std::move(error);
  return outcome;
}

}  // namespace

EngineReport describe_engine(const std::string& configured) {
  const auto address = find_engine(configured);
  if (!address)
    return {false, "", "no engine listens at /var/run/docker.sock or /run/podman/podman.sock: jobs have no images"};
  try {  // Not to answer is an answer here.
    if (::geteuid() != 0) return {false, "", "the server is not root, which containers with volumes need"};
    return {true, EngineClient(*address).describe(), "at " + *address};
  } catch (const Error& error) {
    return {false, "", fmt::format("{} does not answer: {}", *address, error.message())};
  }
}

std::string container_name(const std::string& run) { return "volary-" + run; }

Containment::Containment(const RunDirectory& run, const RunSpec& spec, const Fd& control, ReservedFile& started,
                         ReservedFile& ending, ShowOver show_over)
    : run_(run), spec_(spec), container_(*spec.container), control_(control), started_(started), ending_(ending),
      name_(container_name(spec.name)), staging_(run.file("mnt")), engine_(container_.engine),
      showing_(run, spec, staging_, std::move(show_over)), is_started_noted_(run.read_started().has_value()) {}

// What is thrown becomes the run's outcome, after which its volumes are harvested: no process may write to them then.
std::optional<RunOutcome> Containment::run(const std::function<void(const Path& staging)>& make_mounts) {
  std::optional<RunOutcome> outcome;
  const auto error = error_of([&] { outcome = see_to_end(make_mounts); });
  if (!error) return outcome;
  if (may_exist_) remove_container(Patience::endless);
  detach_mounts();
  throw *error;
}

std::optional<RunOutcome> Containment::see_to_end(const std::function<void(const Path& staging)>& make_mounts) {
  const auto created = try_read_file(run_.file("created"));
  may_exist_ = created.has_value();
  if (const auto reason = try_read_file(run_.file("lost"))) return give_up(*reason);
  if (const auto text = try_read_file(run_.file("ending.json")))
    return conclude(from_json<RunOutcome>(parse_json(*text, "ending.json"), "outcome"));
  if (created && *created != boot_id()) return give_up("the machine restarted while it ran");
  if (!created) {  // Then it was not started, though another supervisor may have got as far as making it.
    engine_.process();  // Whether it answers at all, said better than by a request.
    if (auto outcome = begin(make_mounts)) return outcome;
    write_file_durably(run_.file("created"), boot_id(), 0600);
  }
  remove_file(run_.file("credentials"));  // Not before: the next supervisor would have to fetch the image without.
  fault::point("container.created");
  auto state = find_patiently();
  if (!state) return give_up("the engine's container is gone: somebody removed it");
  if (!state->started_at && !state->is_running) {
    if (auto outcome = start(*state)) return outcome;
  }
  attend();
  const auto ended = find_patiently();
  if (!ended) return give_up("the engine's container vanished while it ran: somebody removed it");
  read_rest_of_log();
  return conclude(outcome_of(*ended));
}

// An outcome, if it cannot be started: the engine's words, where the command cannot be executed, say.
std::optional<RunOutcome> Containment::start(ContainerState& state) {
  if (run_.is_stop_asked()) return conclude(without_start(stopped_unstarted));
  const auto error = error_of([&] { engine_.start(name_); });
  if (error) {
    state = find_patiently().value_or(ContainerState{});
    if (!state.is_running && !state.started_at) {
      const bool is_not_found = error->message().find("not found") != std::string::npos ||
                                error->message().find("no such file") != std::string::npos;
      return conclude(without_start("the container could not be started: " + error->message(),
                                    is_not_found ? not_found_exit_code : not_executable_exit_code));
    }
  }
  fault::point("container.started");
  return std::nullopt;
}

// What comes before there is a container. An outcome, if there will be none.
std::optional<RunOutcome> Containment::begin(const std::function<void(const Path& staging)>& make_mounts) {
  const RunOutcome stopped = without_start(stopped_unstarted);
  if (run_.is_stop_asked()) return conclude(stopped);
  detach_mounts();  // Another supervisor may have got so far.
  try {             // Whatever goes wrong becomes the run's outcome, without leaving anything behind.
    if (container_.gpus > 0) device_requests_ = engine_.gpu_requests(container_.gpu_indices);
    get_image();
    if (run_.is_stop_asked()) return conclude(stopped);
    note("makes its mounts");
    show_mounts(make_mounts);
    fault::point("container.mounted");
    create();
  } catch (const Error& error) {
    if (run_.is_stop_asked()) return conclude(stopped);
    return conclude(without_start(error.message()));
  }
  return std::nullopt;
}

void Containment::get_image() {
  const ImageName image = parse_image_name(container_.image);
  auto found = engine_.find_image(image);
  const std::string credentials = try_read_file(run_.file("credentials")).value_or("");
  if (!found && container_.pull == "never")
    throw Error(Errc::not_found, "the image {} is not on this machine, and is not to be fetched", image.text());
  if (!found || container_.pull == "always" || !credentials.empty()) {
    note(fmt::format("fetches the image {}", image.text()));
    Errand pulling([&](const std::stop_token& stop) {
      engine_.pull(image, credentials, stop, [&](const std::string& text) { note(text); });
    });
    while (wait_for_change(&pulling, look_millis_max)) {
      if (run_.is_stop_asked()) pulling.ask_to_end();
    }
    pulling.finish();
    fault::point("container.pulled");
    found = engine_.find_image(image);
  }
  sets_home_ = found && found->sets_home;
}

// One that exists is ours: a supervisor that was killed had asked for it, and the engine went on, or still does.
void Containment::create() {
  const json::value body = container_body(spec_, {run_.path(), staging_, sets_home_, device_requests_});
  may_exist_ = true;
  for (const auto until = steady_clock::now() + creation_patience;;) {
    const auto error = error_of([&] { engine_.create(name_, body); });
    if (!error || (error->code() == Errc::exists && find_patiently())) return;
    if (error->code() != Errc::exists || steady_clock::now() >= until || run_.is_stop_asked()) throw *error;
    ::poll(nullptr, 0, retry_millis);
  }
}

// A mount that the engine does not see would be an empty directory to the process.
void Containment::show_mounts(const std::function<void(const Path& staging)>& make_mounts) {
  make_directory(staging_, 0755);
  make_mounts(staging_);
  const int engine = engine_.process();
  for (const RunBind& bind : spec_.binds) {
    const Path here = staging_ / bind.source;
    const Path there = Path(fmt::format("/proc/{}/root", engine)).native() + here.native();
    const auto ours = stat_of(here, Follow::yes);
    const auto theirs = engine > 0 ? stat_of(there, Follow::yes) : std::nullopt;
    if (!ours || !theirs || ours->st_dev != theirs->st_dev || ours->st_ino != theirs->st_ino)
      throw Error(Errc::unavailable,
                  "the container engine at {} does not see the mounts of this server, so the volume at {} would be "
                  "empty: expected both in one mount namespace (no PrivateMounts, no engine in a container)",
                  container_.engine, bind.target);
  }
}

// --- while it runs

void Containment::attend() {
  const auto began = steady_clock::now();
  std::optional<Errand> following;
  steady_clock::time_point follow_again{};
  milliseconds follow_wait{retry_millis};
  steady_clock::time_point hasty_until{};
  for (;;) {
    if (!following && steady_clock::now() >= follow_again)
      following.emplace([this](const std::stop_token& stop) { follow_log(stop); });
    try {  // An engine that does not answer for a while takes nothing from a container that runs.
      look_for_stop();
      const auto state = engine_.find(name_);
      if (state) note_started(*state);
      if (state && state->pid > 0 && spec_.memory_bytes && !memory_) memory_.emplace(state->pid);
      if (!state || !state->is_running) break;
      showing_.look([&] { return state->pid; });
    } catch (const Error& error) {
      say(error.what());
    }
    const auto age = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began).count();
    int millis = static_cast<int>(std::clamp<int64_t>(age / 10, look_millis_min, look_millis_max));
    if (steady_clock::now() < hasty_until) millis = look_millis_min;
    if (!wait_for_change(following ? &*following : nullptr, kill_at_.millis(millis))) {
      const auto error = error_of([&] { following->finish(); });
      following.reset();
      if (error) say(fmt::format("cannot follow the container's log: {}", error->what()));
      const auto now = steady_clock::now();
      if (!error) hasty_until = now + milliseconds(retry_millis);  // So the process has ended, or is about to.
      if (now - follow_again > follow_again_max) follow_wait = milliseconds(retry_millis);
      follow_again = now + follow_wait;  // To begin again costs reading all of it.
      follow_wait = std::min(follow_wait * 2, follow_again_max);
    }
  }
}

// Waits for a byte in the control fifo, or the end of the errand, which is said by false.
bool Containment::wait_for_change(const Errand* errand, int millis) {
  std::array<pollfd, 3> waiting = {{{control_.get(), POLLIN, 0},
                                    {errand ? errand->ended().get() : -1, POLLIN, 0},
                                    {memory_ ? memory_->descriptor() : -1, memory_ ? memory_->events() : short{0}, 0}}};
  if (::poll(waiting.data(), waiting.size(), millis) < 0 && errno != EINTR)
    throw error_from_errno(errno, "wait for", "the container");
  if (waiting[2].revents) memory_->look();
  std::array<char, 256> bytes;
  while (waiting[0].revents && ::read(control_.get(), bytes.data(), bytes.size()) > 0) {
  }
  return !waiting[1].revents;
}

void Containment::look_for_stop() {
  if (kill_at_.has_passed()) {
    engine_.kill(name_, "SIGKILL");
    kill_at_.clear();
  }
  if (is_stopping_ || !run_.is_stop_asked()) return;
  engine_.kill(name_, "SIGTERM");
  is_stopping_ = true;
  kill_at_.set(spec_.grace_seconds);
}

// For people to read: where it cannot be written, nothing else suffers.
void Containment::note(const std::string& text) {
  const auto now = steady_clock::now();
  if (now - noted_at_ < note_every) return;
  noted_at_ = now;
  const auto error = error_of([&] {
    TempFile file(run_.path(), 0600);
    file.write(text);
    file.move_to(run_.file("note"));
  });
  if (error) say(error->what());
}

// In supervisor.log, once for the same again.
void Containment::say(const std::string& text) {
  if (text == said_) return;
  said_ = text;
  ::dprintf(STDERR_FILENO, "%s\n", text.c_str());
}

void Containment::note_started(const ContainerState& state) {
  if (is_started_noted_ || !state.started_at) return;
  std::string ports;
  for (const std::string& port : state.ports) ports += (ports.empty() ? "" : ", ") + ("port " + port);
  noted_at_ = {};
  note(ports);
  if (!started_.publish(to_text(*state.started_at)))
    ::dprintf(STDERR_FILENO, "cannot note the start of the process\n");
  is_started_noted_ = true;
  fault::point("container.noted");
}

// --- the log: always read from its start; what is in the file already is left away. Where the engine has dropped that
// start, what is left away may be new: at the end this is seen and made up for, as far as the engine still has it.

void Containment::follow_log(const std::stop_token& stop) {
  LogWriter log(run_.file("log"), spec_.log_bytes.value_or(log_bytes_default));
  log.leave_away(log_end(run_.file("log")));
  LogFrames frames(log);
  engine_.read_logs(name_, EngineClient::Logs::to_the_end, frames, stop);
}

void Containment::read_rest_of_log() {
  for (const auto until = steady_clock::now() + removal_patience;;) {
    const bool is_last = steady_clock::now() >= until;  // The log is worth waiting for, but not for ever.
    const auto error = error_of([&] { read_log_so_far(is_last ? LogFrames::Loss::told : LogFrames::Loss::refused); });
    if (!error) return;
    say(fmt::format("cannot read the container's log: {}", error->what()));
    if (is_last) return;
    ::poll(nullptr, 0, retry_millis);
  }
}

void Containment::read_log_so_far(LogFrames::Loss loss) {
  const Path path = run_.file("log");
  LogWriter log(path, spec_.log_bytes.value_or(log_bytes_default));
  log.leave_away(log_end(path));
  LogFrames frames(log, loss);
  engine_.read_logs(name_, EngineClient::Logs::so_far, frames, {});
  log.finish(frames.last_time());
  last_line_ = printable(log.last_line());
  if (log.left_away() > 0) {  // There is less than we have: it was full, and the engine began it anew.
    const Time last = last_log_time(path).value_or(Time());
    log.stop_leaving_away();
    log.take("[volary: the engine dropped part of the log]\n", last);
    LogFrames newer(log, loss, last);
    engine_.read_logs(name_, EngineClient::Logs::so_far, newer, {});
    log.finish(newer.last_time());
  }
  if (log.has_lost()) throw Error(Errc::unavailable, "its end cannot be written: {}", log.why_lost());
}

// --- the end

RunOutcome Containment::outcome_of(const ContainerState& state) const {
  RunOutcome outcome;
  outcome.exit_code = state.exit_code;
  outcome.started_at = state.started_at;
  const bool is_out_of_memory = state.is_out_of_memory || (memory_ && memory_->has_killed());
  if (is_out_of_memory && state.exit_code != 0)
    outcome.error = spec_.memory_bytes ? fmt::format("killed: the process exceeded its memory limit of {}",
                                                     bytes_text(*spec_.memory_bytes))
                                       : "killed: the machine ran out of memory";
  else if (state.exit_code != 0 && is_word_of_init(last_line_, state.exit_code))
    tell_of_command(outcome);
  else if (!state.error.empty() && state.exit_code != 0)
    outcome.error = state.error;
  return outcome;
}

// The init could not execute it; podman's ends with 1 then.
void Containment::tell_of_command(RunOutcome& outcome) const {
  const bool is_absent = last_line_.find("No such file") != std::string::npos;
  outcome.exit_code = is_absent ? not_found_exit_code : not_executable_exit_code;
  const std::vector<std::string>& words = container_.entrypoint.empty() ? spec_.command : container_.entrypoint;
  outcome.error = fmt::format("the command{} {}: {}", words.empty() ? "" : " '" + words[0] + "'",
                              is_absent ? "was not found in the image" : "cannot be executed", last_line_);
}

RunOutcome Containment::conclude(RunOutcome outcome) {
  if (!is_present(run_.file("ending.json"))) {
    if (outcome.started_at) sync_writable(spec_, staging_);
    outcome.error = reason_text(outcome.error);
    publish_patiently(ending_, print_json(to_json(outcome)), "how the container ended");
  }
  fault::point("container.ended");
  remove_container(Patience::limited);
  fault::point("container.removed");
  detach_mounts();
  remove_file(run_.file("credentials"));
  return outcome;
}

// Limited: its process has ended, and what an engine keeps that is not there any more is removed when the server
// starts. Endless: nobody may say that the run is over while it might go on.
void Containment::remove_container(Patience patience) {
  for (const auto until = steady_clock::now() + removal_patience;;) {
    const auto error = error_of([&] { engine_.remove(name_); });
    if (!error) break;
    say(fmt::format("cannot remove the container: {}", error->what()));
    if (patience == Patience::limited && steady_clock::now() >= until) break;
    ::poll(nullptr, 0, retry_millis);
  }
  may_exist_ = false;
}

// A run that is lost must not be taken for one that failed, whose volumes are harvested: this waits for the disk.
std::optional<RunOutcome> Containment::give_up(const std::string& reason) {
  while (const auto error = error_of([&] { write_file_durably(run_.file("lost"), reason, 0600); })) {
    say(error->what());
    if (!is_present(run_.path())) break;
    ::poll(nullptr, 0, retry_millis);
  }
  conclude(without_start(reason));
  return std::nullopt;
}

void Containment::detach_mounts() {
  while (::umount2(staging_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL && errno != ENOENT) throw error_from_errno(errno, "unmount", staging_.native());
  ::rmdir(staging_.c_str());  // Not there, or something else lies in it: no matter.
}

std::optional<ContainerState> Containment::find_patiently() {
  for (;;) {
    std::optional<ContainerState> state;  // The container is the engine's: only it can say.
    const auto error = error_of([&] { state = engine_.find(name_); });
    if (!error) return state;
    say(error->what());
    ::poll(nullptr, 0, retry_millis);
  }
}

}  // namespace volary
