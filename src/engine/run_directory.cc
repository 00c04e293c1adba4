// engine/run_directory.cc: reading a run's files in an order that makes every answer true.
#include "engine/run_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "engine/limits.h"
#include "engine/processes.h"

namespace volary {
namespace {

constexpr size_t reserved_bytes = 12 << 10;

std::string end_of(const std::string& text, const char* before) {
  const size_t at = text.find(before);
  if (at == std::string::npos) return "";
  const size_t begin = at + std::strlen(before);
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id", 1024);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

ReservedFile::ReservedFile(const Path& directory, const std::string& name)
    : directory_(directory), path_(directory / name) {
  const Path reserved = directory / (name + ".reserved");
  remove_file(reserved);
  fd_ = create_file(reserved, 0600);
  write_all(fd_.get(), std::string(reserved_bytes, ' '), reserved);
  sync_file(fd_.get(), reserved);
}

bool ReservedFile::publish(std::string_view bytes) {
  const Path reserved = path_.native() + ".reserved";
  if (::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return false;
  if (::ftruncate(fd_.get(), static_cast<off_t>(bytes.size())) < 0 || ::fsync(fd_.get()) < 0) return false;
  if (::rename(reserved.c_str(), path_.c_str()) < 0 && !(errno == ENOENT && is_present(path_))) return false;
  const Fd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory && ::fsync(directory.get()) == 0;
}

// Between two of these questions the run may go on, so the order matters. `begun` is asked first: if it was there and
// the lock is free afterwards, the supervisor is gone for good, and whether it left an outcome is then final.
RunStatus RunDirectory::status() const {
  const bool begun = has_begun();
  const bool locked = is_locked();
  RunStatus status;
  status.started_at = read_started();
  if (const auto outcome = read_outcome()) {
    status.phase = RunPhase::exited;
    status.exit_code = outcome->exit_code;
    status.error = outcome->error;
    status.started_at = outcome->started_at;
    status.ended_at = outcome->ended_at;
    status.stop_asked = is_stop_asked();
  } else if (locked) {
    status.phase = status.started_at ? RunPhase::running : RunPhase::starting;
    status.note = try_read_file(file("note")).value_or("");
  } else if (!begun) {
    status.phase = RunPhase::absent;
  } else if (is_populated()) {
    // The supervisor was killed and the kernel is still ending what it had started.
    status.phase = status.started_at ? RunPhase::running : RunPhase::starting;
  } else {
    status.phase = RunPhase::lost;
    status.error = "its supervisor vanished: it was killed, or the machine restarted";
    remove_control_groups(file("cgroups"));
  }
  return status;
}

std::optional<Fd> RunDirectory::try_lock() const {
  const Path path = file("lock");
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw error_from_errno(errno, "open the lock file", path.native());
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return fd;
  if (errno == EAGAIN || errno == EACCES) return std::nullopt;
  throw error_from_errno(errno, "lock", path.native());
}

bool RunDirectory::is_locked() const {
  const auto fd = try_open_to_read(file("lock"));
  if (!fd) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd->get(), F_OFD_GETLK, &lock) < 0)
    throw error_from_errno(errno, "ask for the lock on", file("lock").native());
  return lock.l_type != F_UNLCK;
}

RunSpec RunDirectory::read_spec() const {
  return from_json<RunSpec>(parse_json(read_file(file("spec.json")), "spec.json"), "spec");
}

std::optional<RunOutcome> RunDirectory::read_outcome() const {
  const auto text = try_read_file(file("outcome.json"));
  if (!text) return std::nullopt;
  return from_json<RunOutcome>(parse_json(*text, "outcome.json"), "outcome");
}

std::optional<Time> RunDirectory::read_started() const {
  const auto text = try_read_file(file("started"));
  if (!text) return std::nullopt;
  return parse_time(*text);
}

void RunDirectory::record_namespace(int pid) const {
  const Path link = fmt::format("/proc/{}/ns/pid", pid);
  const auto found = stat_of(link, Follow::yes);
  if (!found) throw Error(Errc::internal, "process {} has no '{}'", pid, link.native());
  TempFile out(path_, 0600);
  out.write(fmt::format("{} {}", boot_id(), found->st_ino));
  out.move_to(file("namespace"));
}

bool RunDirectory::is_populated() const {
  const auto text = try_read_file(file("namespace"));
  if (!text) return false;
  const size_t space = text->find(' ');
  if (text->substr(0, space) != boot_id()) return false;
  return is_namespace_populated(std::stoul(text->substr(space + 1)));
}

int RunDirectory::find_inside() const { return find_first(Around::another); }

int RunDirectory::find_guard() const { return find_first(Around::the_recorded); }

// A process that is the first of its pid namespace.
int RunDirectory::find_first(Around pid_namespace) const {
  const auto text = try_read_file(file("namespace"));
  const size_t space = text ? text->find(' ') : std::string::npos;
  if (space == std::string::npos || text->substr(0, space) != boot_id()) return 0;
  for (const int pid : processes_in(std::stoul(text->substr(space + 1)))) {
    const std::string status = try_read_file(fmt::format("/proc/{}/status", pid), 64 << 10).value_or("");
    std::istringstream numbers(end_of(status, "\nNSpid:"));
    std::vector<int> chain;
    for (int number = 0; numbers >> number;) chain.push_back(number);
    const auto own = stat_of(fmt::format("/proc/{}/ns/pid", pid), Follow::yes);
    if (!own || chain.empty() || chain.back() != 1) continue;
    const bool is_recorded = fmt::format("{}", own->st_ino) == text->substr(space + 1);
    if (is_recorded == (pid_namespace == Around::the_recorded)) return pid;
  }
  return 0;
}

}  // namespace volary
