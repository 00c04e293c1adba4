// engine/containment.h: one container, from its image to its removal.
//
// The container runs on when its supervisor dies, so everything here can be taken up by the next one: the container is
// found again by its name, which is the run's; its log is read from the start and continued; how it ended is written to
// ending.json before it is removed. It is made once and started once: what is lost stays lost.
//
//   (nothing) ─ image there, mounts made ─► created ─► started ─► ended ─► ending.json ─► removed ─► outcome
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "engine/deadline.h"
#include "engine/engine_client.h"
#include "engine/errand.h"
#include "engine/log_frames.h"
#include "engine/memory_watch.h"
#include "engine/run_directory.h"
#include "engine/showing.h"

namespace volary {

// The container's name, and how others find it.
std::string container_name(const std::string& run);
constexpr const char* run_label = "io.volary.run";    // The run's directory.
constexpr const char* jobs_label = "io.volary.jobs";  // The directory that this lies below, of one server.

class Containment {
 public:
  Containment(const RunDirectory& run, const RunSpec& spec, const Fd& control, ReservedFile& started,
              ReservedFile& ending, ShowOver show_over);
  // Nothing of the run is left when this returns or throws. No outcome: it is lost, and the run's directory says why.
  std::optional<RunOutcome> run(const std::function<void(const Path& staging)>& make_mounts);

 private:
  std::optional<RunOutcome> see_to_end(const std::function<void(const Path& staging)>& make_mounts);
  std::optional<RunOutcome> begin(const std::function<void(const Path& staging)>& make_mounts);
  void get_image();
  void show_mounts(const std::function<void(const Path& staging)>& make_mounts);
  void create();
  std::optional<RunOutcome> start(ContainerState& state);
  void attend();
  bool wait_for_change(const Errand* following, int millis);
  void look_for_stop();
  void note(const std::string& text);
  void note_started(const ContainerState& state);
  void read_rest_of_log();
  void read_log_so_far(LogFrames::Loss loss);
  void follow_log(const std::stop_token& stop);
  RunOutcome outcome_of(const ContainerState& state) const;
  void tell_of_command(RunOutcome& outcome) const;
  RunOutcome conclude(RunOutcome outcome);
  std::optional<RunOutcome> give_up(const std::string& reason);
  enum class Patience { limited, endless };
  void remove_container(Patience patience);
  void detach_mounts();
  void say(const std::string& text);
  // Asks again until the engine says where it is, or that there is none.
  std::optional<ContainerState> find_patiently();

  const RunDirectory& run_;
  const RunSpec& spec_;
  const ContainerSpec& container_;
  const Fd& control_;
  ReservedFile& started_;
  ReservedFile& ending_;
  const std::string name_;
  const Path staging_;
  EngineClient engine_;
  Showing showing_;
  bool sets_home_ = false;
  json::array device_requests_;
  bool is_stopping_ = false;
  bool is_started_noted_ = false;
  bool may_exist_ = false;  // The container.
  std::string said_;
  std::string last_line_;
  std::optional<MemoryWatch> memory_;
  std::chrono::steady_clock::time_point noted_at_{};
  Deadline kill_at_;
};

}  // namespace volary
