// engine/program_test.cc: the test program is also the program of the runs: "engine_test supervise DIRECTORY".
//
// The product's supervisor (job/supervisor.cc) performs mount plans first; here there are none, so an empty staging
// area is enough.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/fault.h"
#include "engine/inside.h"
#include "engine/supervision.h"

namespace volary {
namespace {

void write_text(const char* path, const std::string& text) {
  const Fd fd(::open(path, O_WRONLY | O_CLOEXEC));
  write_all(fd.get(), text, path);
}

void enter_namespaces() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0) throw error_from_errno(errno, "enter", "namespaces");
  if (uid != 0) {
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", fmt::format("0 {} 1", uid));
    write_text("/proc/self/gid_map", fmt::format("0 {} 1", gid));
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
    throw error_from_errno(errno, "make private", "/");
}

int supervise(const Path& directory) {
  if (directory == "-") return run_inside();
  auto run = Supervision::begin(directory);
  if (!run) return 0;
  try {
    const SandboxUser user = sandbox_user();
    const Path staging = run->staging();
    enter_namespaces();
    if (::mount("tmpfs", staging.c_str(), "tmpfs", 0, nullptr) < 0)
      throw error_from_errno(errno, "mount on", staging.native());
    fault::point("supervisor.mounted");
    run->execute(staging, user.uid == ::geteuid() || user.uid == job_uid ? user : SandboxUser{0, 0},
                 OwnFiles::by_mode, {});
  } catch (const Error& error) {
    run->fail(error.message());
  }
  return 0;
}

// A starter that may die on the way.
int start(const Path& directory, const Path& spec) {
  make_local_runner("/proc/self/exe")
      ->start(directory, from_json<RunSpec>(parse_json(read_file(spec), "spec"), "spec"));
  return 0;
}

}  // namespace
}  // namespace volary

int main(int count, char** words) {
  if (count == 3 && std::string_view(words[1]) == "supervise") return volary::supervise(words[2]);
  if (count == 4 && std::string_view(words[1]) == "start") return volary::start(words[2], words[3]);
  ::testing::InitGoogleTest(&count, words);
  return RUN_ALL_TESTS();
}
