// engine/limits.cc: control groups of both versions, and affinity.
#include "engine/limits.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "core/quantity.h"
#include "core/random.h"

namespace volary {
namespace {

constexpr uint64_t quota_period_micros = 100'000;
constexpr int remove_attempts_max = 200;  // 10 ms apart: the kernel takes a moment to forget the dead.

// A control group below which groups with one controller can be made.
struct Parent {
  Path path;
  int version = 0;
};

bool has_word(const std::string& list, std::string_view word, char separator) {
  std::istringstream in(list);
  for (std::string one; std::getline(in, one, separator);)
    if (one == word) return true;
  return false;
}

std::string first_line(const Path& path) {
  const std::string text = try_read_file(path, 1 << 20).value_or("");
  return text.substr(0, text.find('\n'));
}

// The group this process is in, of the hierarchy with `controller` ("" is version 2): the third field of
// /proc/self/cgroup.
std::string own_group(std::string_view controller) {
  std::istringstream in(read_file("/proc/self/cgroup", 1 << 20));
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : has_word(controllers, controller, ','))
      return line.substr(second + 1);
  }
  return "/";
}

// A line of /proc/self/mountinfo (proc(5)), as far as it matters here.
struct MountLine {
  std::string root, point, type, options;
};

std::optional<MountLine> parse_mount(const std::string& line) {
  std::istringstream in(line);
  MountLine mount;
  std::string word;
  in >> word >> word >> word >> mount.root >> mount.point;
  while (in >> word && word != "-") {
  }
  if (!(in >> mount.type >> word >> mount.options)) return std::nullopt;
  return mount;
}

Path group_below(const MountLine& mount, const std::string& group) {
  std::string below = group;
  if (mount.root != "/" && below.starts_with(mount.root)) below.erase(0, mount.root.size());
  const Path path = mount.point + (below == "/" ? "" : below);
  return is_present(path) ? path : Path(mount.point);  // A container may see its own group as the root.
}

// In version 2 a group hands a controller to its children only if told so, and only a group without processes can be
// told.
std::optional<Parent> nearest_parent(const MountLine& mount, const std::string& controller) {
  Path path = group_below(mount, own_group(""));
  for (;;) {
    if (has_word(first_line(path / "cgroup.subtree_control"), controller, ' ')) return Parent{path, 2};
    if (path.native().size() <= mount.point.size()) return std::nullopt;
    path = path.parent_path();
  }
}

std::optional<Parent> parent_for(const std::string& controller) {
  std::optional<Parent> found;
  std::istringstream in(read_file("/proc/self/mountinfo"));
  for (std::string line; !found && std::getline(in, line);) {
    const auto mount = parse_mount(line);
    if (!mount) continue;
    if (mount->type == "cgroup2") found = nearest_parent(*mount, controller);
    else if (mount->type == "cgroup" && has_word(mount->options, controller, ','))
      found = Parent{group_below(*mount, own_group(controller)), 1};
  }
  return found;
}

// Sets a value in a control file; the kernel refuses with an errno what it does not like.
void set(const Path& path, const std::string& value) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) throw error_from_errno(errno, "open", path.native());
  write_all(fd.get(), value, path);
}

void set_if_there(const Path& path, const std::string& value) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), value.data(), value.size()) < 0) return;  // An extra; the limit itself was set.
}

Error unlimited(std::string_view what) {
  return Error(Errc::unavailable,
               "{} cannot be limited here: no control group with the controller for it is handed down to this program",
               what);
}

// Refuses what cannot be limited, by making a group and removing it again.
std::optional<std::string> try_memory_group() {
  const auto parent = parent_for("memory");
  if (!parent) return unlimited("memory").message();
  const Path path = parent->path / ("volary-probe-" + random_hex(6));
  if (::mkdir(path.c_str(), 0755) == 0) {
    const bool writable = ::access((path / "cgroup.procs").c_str(), W_OK) == 0;
    ::rmdir(path.c_str());
    if (writable) return std::nullopt;
    errno = EACCES;
  }
  return "memory cannot be limited here: " +
         error_from_errno(errno, "make a control group in", parent->path.native()).message();
}

}  // namespace

std::optional<std::string> why_unenforceable(const RunSpec& spec) {
  if (spec.cpus == 0u) return "cpus is 0: expected at least 1";
  if (spec.memory_bytes) return try_memory_group();
  return std::nullopt;
}

Limits::Limits(const RunSpec& spec, const Path& record) : memory_bytes_(spec.memory_bytes), record_(record) {
  group_name_ = "volary-" + spec.name + "-" + random_hex(4);
  if (spec.memory_bytes) set_memory(*spec.memory_bytes);
  if (!spec.cpus) return;
  set_quota(*spec.cpus);
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) < 0) throw error_from_errno(errno, "read", "the affinity");
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed)) cores_.push_back(core);
  // Runs start at different cores, so that those with one core do not all get the same.
  const size_t first = static_cast<unsigned char>(system_random().bytes(1)[0]) % cores_.size();
  std::rotate(cores_.begin(), cores_.begin() + static_cast<std::ptrdiff_t>(first), cores_.end());
  cores_.resize(std::min<size_t>(cores_.size(), std::max<uint64_t>(*spec.cpus, 1)));
}

namespace {

Path make_group(const Parent& parent, const std::string& name, const Path& record) {
  const Path path = parent.path / name;
  const Fd out = open_to_append(record, 0600);
  write_all(out.get(), path.native() + "\n", record);
  make_directory(path);
  return path;
}

}  // namespace

void Limits::set_memory(uint64_t bytes) {
  const auto parent = parent_for("memory");
  if (!parent) throw unlimited("memory");
  const Path path = make_group(*parent, group_name_, record_);
  const std::string value = std::to_string(bytes);
  if (parent->version == 1) {
    set(path / "memory.limit_in_bytes", value);
    set_if_there(path / "memory.memsw.limit_in_bytes", value);
    memory_events_ = path / "memory.oom_control";
  } else {
    set(path / "memory.max", value);
    set_if_there(path / "memory.swap.max", "0");
    set_if_there(path / "memory.oom.group", "1");
    memory_events_ = path / "memory.events";
  }
  groups_.push_back({path, Fd(::open((path / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC))});
}

// The affinity below is the limit that is promised; the quota makes it hold against processes that widen theirs, where
// it can be had.
void Limits::set_quota(uint64_t cpus) {
  const auto parent = parent_for("cpu");
  if (!parent || ::access(parent->path.c_str(), W_OK) < 0) return;
  const Path path = make_group(*parent, group_name_, record_);
  const std::string quota = std::to_string(cpus * quota_period_micros);
  const std::string period = std::to_string(quota_period_micros);
  if (parent->version == 1) {
    set_if_there(path / "cpu.cfs_period_us", period);
    set_if_there(path / "cpu.cfs_quota_us", quota);
  } else {
    set_if_there(path / "cpu.max", quota + " " + period);
  }
  const bool is_new =
      std::none_of(groups_.begin(), groups_.end(), [&](const Group& group) { return group.path == path; });
  if (is_new) groups_.push_back({path, Fd(::open((path / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC))});
}

void Limits::enter() const {
  for (const Group& group : groups_) write_all(group.members.get(), "0", group.path / "cgroup.procs");
  if (cores_.empty()) return;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (const int core : cores_) CPU_SET(core, &chosen);
  if (::sched_setaffinity(0, sizeof chosen, &chosen) < 0) throw error_from_errno(errno, "set", "the affinity");
}

std::optional<std::string> Limits::exceeded() const {
  if (!memory_events_) return std::nullopt;
  std::istringstream in(try_read_file(*memory_events_, 1 << 16).value_or(""));
  std::string key;
  for (uint64_t count = 0; in >> key >> count;)
    if (key == "oom_kill" && count > 0)
      return fmt::format("killed: the process exceeded its memory limit of {}", bytes_text(*memory_bytes_));
  return std::nullopt;
}

void remove_control_groups(const Path& record) {
  const auto text = try_read_file(record);
  if (!text) return;
  std::istringstream in(*text);
  for (std::string path; std::getline(in, path);)
    for (int attempt = 0; ::rmdir(path.c_str()) < 0 && errno == EBUSY && attempt < remove_attempts_max; ++attempt)
      ::poll(nullptr, 0, 10);
  remove_file(record);
}

}  // namespace volary
