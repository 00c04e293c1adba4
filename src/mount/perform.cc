// mount/perform.cc: a mount namespace of one's own, and plans carried out in it.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"
#include "core/fault.h"
#include "mount/kernel_mount.h"
#include "mount/mount.h"
#include "mount/steps.h"

namespace volary {
namespace {

void write_to_proc(const Path& path, const std::string& text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) throw error_from_errno(errno, "open", path.native());
  write_all(fd.get(), text, path);
}

void enter_user_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) < 0) throw error_from_errno(errno, "make a user namespace for", "this process");
  // A process that changed its user or hides its memory does not own its files in /proc: it must, for a moment.
  const bool was_dumpable = ::prctl(PR_GET_DUMPABLE) == 1;
  ::prctl(PR_SET_DUMPABLE, 1);
  write_to_proc("/proc/self/setgroups", "deny");
  write_to_proc("/proc/self/uid_map", fmt::format("0 {} 1", uid));
  write_to_proc("/proc/self/gid_map", fmt::format("0 {} 1", gid));
  if (!was_dumpable) ::prctl(PR_SET_DUMPABLE, 0);
}

Path below(const Path& staging, const std::string& path) { return staging / path; }  // An absolute one stays itself.

void perform_step(const MountStep& step, const Path& staging) {
  fault::point("mount.perform.step");
  const Path target = below(staging, step.target);
  if (Path(step.target).is_relative()) make_directories(target);
  if (is_image_step(step)) {
    mount_image_of(step, target);
  } else if (step.kind == "bind") {
    bind_directory(below(staging, step.source), target, Access::read_write);
  } else if (step.kind == "bind_ro") {
    bind_directory(below(staging, step.source), target, Access::read_only);
  } else if (step.kind == "overlay") {
    OverlayLayers layers = layers_of_options(step.options);
    layers.lower = staging / layers.lower;
    mount_overlay(layers, target);
  } else {
    throw Error(Errc::invalid, "'{}' is no kind of mount: expected erofs, packed, overlay, bind or bind_ro", step.kind);
  }
}

void perform_steps(const MountPlan& plan, const Path& staging) {
  during("making the mounts of '" + plan.root + "'", [&] {
    for (const MountStep& step : plan.steps) perform_step(step, staging);
  });
}

}  // namespace

void enter_mount_namespace(bool user_namespace) {
  if (user_namespace) enter_user_namespace();
  if (::unshare(CLONE_NEWNS) < 0) throw error_from_errno(errno, "make a mount namespace for", "this process");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
    throw error_from_errno(errno, "make private", "/");
}

void perform(const std::vector<MountPlan>& plans, const Path& staging) {
  mount_tmpfs(staging);
  for (const MountPlan& plan : plans) {
    perform_steps(plan, staging);
    if (!plan.writable) share_mount(staging / plan.root);
  }
}

// The kernel gives what is mounted on a shared mount to all that share it.
void show_over(const MountPlan& plan, const Path& staging, const std::string& place) {
  perform_steps(plan, staging);
  bind_directory(staging / plan.root, staging / place, Access::read_only);
}

}  // namespace volary
