// engine/containment.cc: the supervisor's loop around a container.
#include "engine/containment.h"

#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/fault.h"
#include "core/quantity.h"
#include "engine/container_body.h"
#include "engine/log_frames.h"
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

constexpr int64_t not_executable_exit_code = 126;
constexpr int64_t not_found_exit_code = 127;

int millis_until(steady_clock::time_point then) {
  const auto left = std::chrono::ceil<milliseconds>(then - steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, look_millis_max));
}

// Docker's init is tini, podman's is catatonit.
bool is_word_of_init(const std::string& line) {
  return line.starts_with("[FATAL tini") || line.find("(catatonit:") != std::string::npos;
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

Containment::Containment(const RunDirectory& run, const RunSpec& spec, const Fd& control, ReservedFile& started)
    : run_(run), spec_(spec), container_(*spec.container), control_(control), started_(started),
      name_(container_name(spec.name)), staging_(run.file("mnt")), engine_(container_.engine),
      is_started_noted_(run.read_started().has_value()) {}

std::optional<RunOutcome> Containment::run(const std::function<void(const Path& staging)>& make_mounts) {
  if (const auto reason = try_read_file(run_.file("lost"))) return give_up(*reason);
  if (const auto text = try_read_file(run_.file("ending.json")))
    return conclude(from_json<RunOutcome>(parse_json(*text, "ending.json"), "outcome"));
  const auto created = try_read_file(run_.file("created"));
  if (!created) engine_.process();  // Whether it answers at all, said better than by a request.
  auto state = created ? find_patiently() : engine_.find(name_);
  if (created && *created != boot_id()) return give_up("the machine restarted while it ran");
  if (created && !state) return give_up("the engine's container is gone: somebody removed it");
  if (!state) {
    if (auto outcome = begin(make_mounts)) return outcome;
    state = find_patiently();
  }
  if (!created) write_file_durably(run_.file("created"), boot_id(), 0600);
  fault::point("container.created");
  if (state && !state->started_at && !state->is_running) {
    if (run_.is_stop_asked()) return conclude(without_start(stopped_unstarted));
    try {  // The command cannot be executed, say: the engine's words become the outcome.
      engine_.start(name_);
    } catch (const Error& error) {
      state = find_patiently();
      if (state && !state->is_running && !state->started_at) {
        const bool is_not_found = error.message().find("not found") != std::string::npos ||
                                  error.message().find("no such file") != std::string::npos;
        return conclude(without_start("the container could not be started: " + error.message(),
                                      is_not_found ? not_found_exit_code : not_executable_exit_code));
      }
    }
    fault::point("container.started");
  }
  attend();
  const auto ended = find_patiently();
  if (!ended) return give_up("the engine's container vanished while it ran: somebody removed it");
  read_rest_of_log();
  return conclude(outcome_of(*ended));
}

// What comes before there is a container. An outcome, if there will be none.
std::optional<RunOutcome> Containment::begin(const std::function<void(const Path& staging)>& make_mounts) {
  const RunOutcome stopped = without_start(stopped_unstarted);
  if (run_.is_stop_asked()) return conclude(stopped);
  detach_mounts();  // Another supervisor may have got so far.
  try {             // Whatever goes wrong becomes the run's outcome, without leaving anything behind.
    if (container_.gpus > 0) device_requests_ = engine_.gpu_requests(container_.gpus);
    get_image();
    if (run_.is_stop_asked()) return conclude(stopped);
    note("makes its mounts");
    show_mounts(make_mounts);
    fault::point("container.mounted");
    engine_.create(name_, container_body(spec_, {run_.path(), staging_, sets_home_, device_requests_}));
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
  remove_file(run_.file("credentials"));
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
  for (;;) {
    if (!following && steady_clock::now() >= follow_again)
      following.emplace([this](const std::stop_token& stop) { follow_log(stop); });
    try {  // An engine that does not answer for a while takes nothing from a container that runs.
      look_for_stop();
      const auto state = engine_.find(name_);
      if (state) note_started(*state);
      if (state && state->pid > 0 && spec_.memory_bytes && !memory_) memory_.emplace(state->pid);
      if (!state || !state->is_running) break;
    } catch (const Error& error) {
      ::dprintf(STDERR_FILENO, "%s\n", error.what());
    }
    const auto age = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began).count();
    int millis = static_cast<int>(std::clamp<int64_t>(age / 10, look_millis_min, look_millis_max));
    if (!following) millis = look_millis_min;  // The log has ended, so the process has, or is about to.
    if (kill_at_) millis = std::min(millis, millis_until(*kill_at_));
    if (!wait_for_change(following ? &*following : nullptr, millis)) {
      following.reset();
      follow_again = steady_clock::now() + milliseconds(retry_millis);
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
  if (kill_at_ && steady_clock::now() >= *kill_at_) {
    engine_.kill(name_, "SIGKILL");
    kill_at_.reset();
  }
  if (is_stopping_ || !run_.is_stop_asked()) return;
  engine_.kill(name_, "SIGTERM");
  is_stopping_ = true;
  kill_at_ = steady_clock::now() + std::chrono::seconds(spec_.grace_seconds);
}

void Containment::note(const std::string& text) {
  const auto now = steady_clock::now();
  if (now - noted_at_ < note_every) return;
  noted_at_ = now;
  TempFile file(run_.path(), 0600);
  file.write(text);
  file.move_to(run_.file("note"));
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

// --- the log: always read from its start; what is in the file already is left away

void Containment::follow_log(const std::stop_token& stop) {
  LogWriter log(run_.file("log"));
  log.leave_away(static_cast<uint64_t>(stat_of(run_.file("log"))->st_size));
  LogFrames frames(log);
  engine_.read_logs(name_, EngineClient::Logs::to_the_end, frames, stop);
}

void Containment::read_rest_of_log() {
  for (const auto until = steady_clock::now() + removal_patience;;) {
    try {  // The log is worth waiting for, but not for ever.
      LogWriter log(run_.file("log"));
      log.leave_away(static_cast<uint64_t>(stat_of(run_.file("log"))->st_size));
      LogFrames frames(log);
      engine_.read_logs(name_, EngineClient::Logs::so_far, frames, {});
      log.finish(frames.last_time());
      last_line_ = log.last_line();
      return;
    } catch (const Error& error) {
      ::dprintf(STDERR_FILENO, "cannot read the container's log: %s\n", error.what());
      if (steady_clock::now() >= until) return;
    }
    ::poll(nullptr, 0, retry_millis);
  }
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
  else if (state.exit_code != 0 && is_word_of_init(last_line_))
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
  const Path ending = run_.file("ending.json");
  if (!is_present(ending)) {
    if (outcome.started_at) sync_writable(spec_, staging_);
    write_file_durably(ending, print_json(to_json(outcome)), 0600);
  }
  fault::point("container.ended");
  for (const auto until = steady_clock::now() + removal_patience;;) {
    try {  // What an engine keeps that is not there any more is removed when the server starts.
      engine_.remove(name_);
      break;
    } catch (const Error& error) {
      ::dprintf(STDERR_FILENO, "cannot remove the container: %s\n", error.what());
      if (steady_clock::now() >= until) break;
    }
    ::poll(nullptr, 0, retry_millis);
  }
  fault::point("container.removed");
  detach_mounts();
  remove_file(run_.file("credentials"));
  return outcome;
}

std::optional<RunOutcome> Containment::give_up(const std::string& reason) {
  write_file_durably(run_.file("lost"), reason, 0600);
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
    try {  // The container is the engine's: only it can say.
      return engine_.find(name_);
    } catch (const Error& error) {
      if (error.code() != Errc::unavailable) throw;
      ::dprintf(STDERR_FILENO, "%s\n", error.what());
    }
    ::poll(nullptr, 0, retry_millis);
  }
}

}  // namespace volary
