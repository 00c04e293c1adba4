// view/shell.cc: view/shell.h.
#include "view/shell.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "core/error_table.h"
#include "core/json.h"

namespace volary {
namespace {

constexpr uint64_t plan_bytes_max = 1 << 20;
constexpr uint64_t number_bytes_max = 32;
constexpr int status_not_executable = 126;
constexpr int status_not_found = 127;

Path plan_of(const Path& directory) { return directory / "plan.json"; }
Path holder_file(const Path& directory) { return directory / "holder"; }

// Open and locked until the last process that inherits it has ended: so it is not close-on-exec.
void hold(const Path& directory) {
  const Path path = holder_file(directory);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  if (fd < 0) throw error_from_errno(errno, "open", path.native());
  if (::flock(fd, LOCK_EX | LOCK_NB) < 0) throw error_from_errno(errno, "lock", path.native());
  if (::ftruncate(fd, 0) < 0) throw error_from_errno(errno, "empty", path.native());
  write_all(fd, std::to_string(::getpid()), path);
}

void show(const Path& directory) {
  const auto plan =
      from_json<MountPlan>(parse_json(read_file(plan_of(directory), plan_bytes_max), plan_of(directory).native()),
                           "plan");
  const Path here = std::filesystem::current_path();
  hold(directory);
  enter_mount_namespace(plan.user_namespace);
  perform({plan}, directory / "staging");
  std::error_code elsewhere;  // Where we are may lie below what was mounted, and not be there any more.
  std::filesystem::current_path(here, elsewhere);
}

}  // namespace

void write_shell(const Path& directory, MountPlan plan, const Path& path) {
  plan.steps.push_back(
      {.kind = plan.writable ? "bind" : "bind_ro", .source = plan.root, .target = path.native(), .options = ""});
  make_directory(directory / "staging");
  write_file_durably(holder_file(directory), "", 0600);
  write_file_durably(plan_of(directory), print_json(to_json(plan)), 0600);
}

std::optional<std::string> holder_of_shell(const Path& directory) {
  if (!is_present(directory) || FileLock::try_take(holder_file(directory))) return std::nullopt;
  return try_read_file(holder_file(directory), number_bytes_max).value_or("");
}

int run_shell(const Path& directory, char** command) {
  try {  // This process's main.
    show(directory);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return row_of(error.code()).exit_status;
  }
  ::execvp(command[0], command);
  std::fprintf(stderr, "cannot run '%s': %s\n", command[0], std::strerror(errno));
  return errno == ENOENT ? status_not_found : status_not_executable;
}

}  // namespace volary
