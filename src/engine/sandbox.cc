// engine/sandbox.cc: bubblewrap's options for a run.
#include "engine/sandbox.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>

namespace volary {
namespace {

// Absolute paths in the mount plans, which this folder does not interpret: any text in them, cut where the options of a
// mount are cut.
void collect_paths(const json::value& value, std::vector<Path>& paths) {
  if (value.is_object())
    for (const auto& member : value.get_object()) collect_paths(member.value(), paths);
  else if (value.is_array())
    for (const auto& one : value.get_array()) collect_paths(one, paths);
  else if (value.is_string()) {
    std::string text(value.get_string());
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == ',' || c == ':' || c == '=' || c == '"'; }, '\n');
    std::istringstream in(text);
    for (std::string one; std::getline(in, one);)
      if (one.starts_with('/')) paths.push_back(one);
  }
}

bool lies_below(const Path& path, const Path& directory) {
  std::error_code unreadable;
  const Path real = std::filesystem::weakly_canonical(path, unreadable);
  const auto is_below = [&](const Path& one) { return (one.native() + "/").starts_with(directory.native() + "/"); };
  return is_below(path) || (!unreadable && is_below(real));
}

class Arguments {
 public:
  template <class... Words>
  void add(const Words&... words) {
    (list_.emplace_back(words), ...);
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

void bind_mount(const Path& source, const Path& target) {
  const auto found = stat_of(source, Follow::yes);
  if (!found) throw Error(Errc::not_found, "'{}' is to be shown in the sandbox, but it is not there", source.native());
  if (S_ISDIR(found->st_mode)) make_directory(target);
  else create_file(target);
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0)
    throw error_from_errno(errno, "bind into the sandbox", source.native());
}

void add_system(Arguments& arguments) {
  for (const char* path :
       {"/usr", "/etc", "/opt", "/sys", "/nix", "/gnu", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    const auto found = stat_of(path);
    if (!found) continue;
    if (S_ISLNK(found->st_mode)) arguments.add("--symlink", read_symlink(path), path);
    else if (S_ISDIR(found->st_mode)) arguments.add("--ro-bind", path, path);
  }
  arguments.add("--proc", "/proc", "--dev", "/dev");
  for (const char* path : {"/tmp", "/var/tmp", "/dev/shm"}) arguments.add("--perms", "1777", "--tmpfs", path);
  arguments.add("--tmpfs", "/run");
  // Where systemd-resolved keeps what /etc/resolv.conf points to.
  arguments.add("--ro-bind-try", "/run/systemd/resolve", "/run/systemd/resolve");
}

// Programs ask for the name of their user and fail without an answer.
void add_users(Arguments& arguments, const Path& staging, const std::string& home) {
  const std::array<std::pair<const char*, std::string>, 2> files = {{
      {"passwd", fmt::format("volary:x:{0}:{0}:volary job:{1}:/bin/sh\n", job_uid, home)},
      {"group", fmt::format("volary:x:{}:\n", job_uid)},
  }};
  for (const auto& [name, line] : files) {
    const Path host = Path("/etc") / name;
    const auto found = stat_of(host);
    if (!found || !S_ISREG(found->st_mode)) continue;
    std::string text = read_file(host);
    if (!text.empty() && text.back() != '\n') text += '\n';
    const Path copy = staging / (std::string(".") + name);
    const Fd fd = create_file(copy, 0644);
    write_all(fd.get(), text + line, copy);
    arguments.add("--ro-bind", copy.native(), host.native());
  }
}

// What the process may not be able to reach by itself (the directories above may be closed to its user) is bound into
// the staging area first.
void add_binds(Arguments& arguments, const RunSpec& spec, const Path& staging) {
  std::vector<RunBind> binds = spec.binds;
  std::sort(binds.begin(), binds.end(), [](const RunBind& a, const RunBind& b) { return a.target < b.target; });
  for (size_t i = 0; i < binds.size(); ++i) {
    const RunBind& bind = binds[i];
    if (!bind.target.starts_with('/'))
      throw Error(Errc::invalid, "'{}' cannot be a place in the sandbox: expected an absolute path", bind.target);
    Path source = staging / bind.source;
    if (bind.source.starts_with('/')) {
      source = staging / fmt::format(".bind-{}", i);
      bind_mount(bind.source, source);
    }
    arguments.add(bind.writable ? "--bind" : "--ro-bind", source.native(), bind.target);
  }
}

// An upgrade may have replaced the file that this process was started from: then its content is still there, without a
// name.
void add_program(Arguments& arguments, const Path& staging) {
  const Path program = read_symlink("/proc/self/exe");
  const Path shown = staging / ".program";
  if (is_present(program)) {
    bind_mount(program, shown);
  } else {
    const Fd copy = create_file(shown, 0755);
    FileSource content("/proc/self/exe");
    std::array<char, 65536> block;
    while (const size_t size = content.read(block)) write_all(copy.get(), {block.data(), size}, shown);
  }
  arguments.add("--ro-bind", shown.native(), inside_program);
}

}  // namespace

Path choose_staging(const RunSpec& spec, const Path& directory) {
  std::vector<Path> kept = {directory, get_bubblewrap(), read_symlink("/proc/self/exe")};
  for (const RunBind& bind : spec.binds)
    if (bind.source.starts_with('/')) kept.push_back(bind.source);
  collect_paths(spec.mounts, kept);
  // Directories that Linux systems have, the least used first.
  for (const Path candidate : {"/boot", "/media", "/srv", "/mnt", "/home"}) {
    const auto found = stat_of(candidate);
    const bool used =
        std::any_of(kept.begin(), kept.end(), [&](const Path& one) { return lies_below(one, candidate); });
    if (found && S_ISDIR(found->st_mode) && !used) return candidate;
  }
  throw Error(Errc::unavailable,
              "no directory is free to build the sandbox in: tried /boot, /media, /srv, /mnt and /home");
}

std::vector<std::string> prepare_sandbox(const RunSpec& spec, const Path& staging, OwnFiles own_files) {
  Arguments arguments;
  arguments.add("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts");
  arguments.add("--disable-userns", "--die-with-parent", "--new-session");
  arguments.add("--uid", std::to_string(job_uid), "--gid", std::to_string(job_uid));
  arguments.add("--cap-drop", "ALL");
  if (own_files == OwnFiles::always_writable) arguments.add("--cap-add", "CAP_DAC_OVERRIDE");
  add_system(arguments);
  add_users(arguments, staging, spec.working_directory);
  add_binds(arguments, spec, staging);
  add_program(arguments, staging);
  arguments.add("--remount-ro", "/run", "--remount-ro", "/");
  return arguments.take();
}

std::optional<Path> find_bubblewrap() {
  const char* path = std::getenv("PATH");
  std::istringstream in(std::string(path ? path : "") + ":/usr/local/bin:/usr/bin:/bin");
  for (std::string one; std::getline(in, one, ':');)
    if (one.starts_with('/') && ::access((one + "/bwrap").c_str(), X_OK) == 0) return Path(one) / "bwrap";
  return std::nullopt;
}

Path get_bubblewrap() {
  if (const auto path = find_bubblewrap()) return *path;
  throw Error(Errc::unavailable,
              "bubblewrap is not installed: no program 'bwrap' along PATH; jobs need it for their sandbox");
}

}  // namespace volary
