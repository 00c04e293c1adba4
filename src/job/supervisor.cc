// job/supervisor.cc: mounts first (mount/), then the process (engine/).
#include "job/supervisor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/fault.h"
#include "engine/exec.h"
#include "engine/inside.h"
#include "engine/supervision.h"
#include "mount/mount.h"

namespace volary {
namespace {

// Without being root, mounting needs a user namespace, for the sandbox's bind mounts alone already.
bool needs_user_namespace(const std::vector<MountPlan>& plans) {
  const bool asked = std::any_of(plans.begin(), plans.end(), [](const MountPlan& plan) { return plan.user_namespace; });
  if (asked && ::geteuid() == 0)
    throw Error(Errc::unavailable,
                "root without the right to mount cannot run jobs, which must not be root: run this program as an "
                "ordinary user");
  return asked || ::geteuid() != 0;
}

// Over a link farm, files have the mode of the store's objects, 0444, and belong to the job: it may write to them all
// the same.
OwnFiles own_files_of(const std::vector<MountPlan>& plans) {
  const bool over_farm = std::any_of(plans.begin(), plans.end(),
                                     [](const MountPlan& plan) { return plan.writable && plan.user_namespace; });
  return over_farm ? OwnFiles::always_writable : OwnFiles::by_mode;
}

void show(const json::value& mount, const Path& staging, const std::string& place) {
  show_over(from_json<MountPlan>(mount, "mount"), staging, place);
}

void mount_and_execute(Supervision& run) {
  const auto plans = from_json<std::vector<MountPlan>>(run.spec().mounts, "mounts");
  const SandboxUser user = sandbox_user();
  const bool user_namespace = needs_user_namespace(plans);
  const Path staging = run.staging();
  enter_mount_namespace(user_namespace);
  perform(plans, staging);
  fault::point("supervisor.mounted");
  run.execute(staging, user_namespace ? SandboxUser{0, 0} : user, own_files_of(plans), show);
}

// No namespace of its own: the engine, another process, is to see the mounts.
void contain(Supervision& run) {
  const auto plans = from_json<std::vector<MountPlan>>(run.spec().mounts, "mounts");
  if (needs_user_namespace(plans))
    throw Error(Errc::unavailable,
                "containers cannot be given volumes here, since that needs mounts on the host: run the server as root");
  run.contain([&](const Path& staging) { perform(plans, staging); }, show);
}

}  // namespace

int run_supervisor(const Path& directory) {
  if (directory == "-") return run_inside();
  if (directory == exec_word) return run_exec();
  auto run = Supervision::begin(directory);
  if (!run) return 0;
  try {  // A step of background work: whatever goes wrong becomes the run's outcome.
    if (run->spec().container) contain(*run);
    else if (run->is_stop_asked()) run->fail(stopped_unstarted);
    else mount_and_execute(*run);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    run->fail(error.message());
  }
  return 0;
}

}  // namespace volary
