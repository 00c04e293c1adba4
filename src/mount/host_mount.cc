// mount/host_mount.cc: mount/host_mount.h by openat2, /proc/self/mountinfo and statx.
#include "mount/host_mount.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "core/error.h"
#include "core/fault.h"
#include "mount/steps.h"

namespace volary {
namespace {

constexpr uint64_t mountinfo_bytes_max = 256 << 20;

Fd open_without_links(const Path& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno == ELOOP)
      throw Error(Errc::invalid, "'{}' leads through a symbolic link: expected a path without one", path.native());
    if (errno != EINTR && errno != EAGAIN) throw error_from_errno(errno, "open", path.native());
  }
}

// "\040" is a space: the kernel writes spaces, tabs, line ends and backslashes of names so.
std::string unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// id parent device root path options fields* - type source …
std::optional<HostMount> parse_line(const std::string& line) {
  std::istringstream words(line);
  HostMount mount;
  std::string word, root, path, type, source;
  if (!(words >> mount.id >> word >> word >> root >> path)) return std::nullopt;
  while (words >> word && word != "-") {}
  if (!(words >> type >> source)) return std::nullopt;
  mount.root = unescape(root);
  mount.path = unescape(path);
  mount.source = unescape(source);
  return mount;
}

// Of what `name` leads to.
std::optional<uint64_t> mount_id_at(int directory, const std::string& name, int flags) {
  struct statx found {};
  if (::statx(directory, name.c_str(), flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &found) < 0)
    return std::nullopt;
  return found.stx_mnt_id;
}

// Whether the process has its root, its working directory, its program or an open file in the mount.
bool uses(const std::string& process, uint64_t mount) {
  const std::string proc = "/proc/" + process + "/";
  for (const char* link : {"cwd", "root", "exe"})
    if (mount_id_at(AT_FDCWD, proc + link, 0) == mount) return true;
  std::error_code gone;  // It may end at any moment, or not be ours to look at.
  for (std::filesystem::directory_iterator at(proc + "fd", gone), end; !gone && at != end; at.increment(gone))
    if (mount_id_at(AT_FDCWD, at->path().native(), 0) == mount) return true;
  return false;
}

bool is_number(std::string_view text) { return text.find_first_not_of("0123456789") == text.npos; }

// A mount that is only needed while another one is made of it.
class PassingMount {
 public:
  explicit PassingMount(Path path) : path_(std::move(path)) { make_directories(path_); }
  PassingMount(const PassingMount&) = delete;
  PassingMount& operator=(const PassingMount&) = delete;
  ~PassingMount() { ::umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

}  // namespace

HostPlace open_place(const Path& path) {
  const Path plain = path.has_filename() ? path : path.parent_path();
  if (!plain.is_absolute() || plain.native() != plain.lexically_normal().native() || !plain.has_filename())
    throw Error(Errc::invalid, "'{}' is no place for a mount: expected an absolute path without '.' and '..'",
                printable(path.native()));
  return {.path = plain, .parent = open_without_links(plain.parent_path()), .name = plain.filename().native()};
}

Fd open_empty_directory(const HostPlace& place) {
  Fd directory(::openat(place.parent.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && (errno == ENOTDIR || errno == ELOOP))
    throw Error(Errc::invalid, "'{}' is no directory: expected an empty one", place.path.native());
  if (!directory) throw error_from_errno(errno, "open", place.path.native());
  if (!list_directory(directory.get(), place.path).empty())
    throw Error(Errc::invalid, "'{}' is not empty: expected an empty directory", place.path.native());
  return directory;
}

std::vector<HostMount> host_mounts() {
  std::istringstream text(read_file("/proc/self/mountinfo", mountinfo_bytes_max));
  std::vector<HostMount> mounts;
  for (std::string line; std::getline(text, line);)
    if (auto mount = parse_line(line)) mounts.push_back(*std::move(mount));
  return mounts;
}

void mount_on_host(const MountPlan& plan, const Fd& directory, const Path& staging, const std::string& source) {
  const Path target = "/proc/self/fd/" + std::to_string(directory.get());
  const MountStep& last = plan.steps.back();
  const bool is_bind = last.kind == "bind_ro";
  OverlayLayers layers = is_bind ? OverlayLayers{} : layers_of_options(last.options);
  layers.source = source;
  const auto make_last = [&] {
    if (is_bind) bind_directory(staging / last.source, target, Access::read_only);
    else mount_overlay(layers, target);
  };
  if (plan.steps.size() == 1) return make_last();
  const MountStep& first = plan.steps.front();
  const PassingMount image(staging / first.target);
  mount_image_of(first, image.path());
  fault::point("mount.host.image");
  layers.lower = image.path();
  make_last();
}

Unmounting unmount_from_host(const HostMount& mount) {
  const HostPlace place = open_place(mount.path);
  if (mount_id_at(place.parent.get(), place.name, AT_SYMLINK_NOFOLLOW) != mount.id)
    throw Error(Errc::conflict, "something else is mounted over '{}': expected it to be unmounted first",
                mount.path.native());
  const std::string name = fmt::format("/proc/self/fd/{}/{}", place.parent.get(), place.name);
  if (::umount2(name.c_str(), UMOUNT_NOFOLLOW) == 0) return Unmounting::done;
  if (errno == EBUSY) return Unmounting::busy;
  throw error_from_errno(errno, "unmount", mount.path.native());
}

void detach_all_below(const Path& directory) {
  std::vector<HostMount> mounts = host_mounts();
  std::reverse(mounts.begin(), mounts.end());  // What was mounted later may lie in what was mounted before.
  const std::string prefix = directory.native() + "/";
  for (const HostMount& mount : mounts)
    if (mount.path.native().starts_with(prefix) &&
        ::umount2(mount.path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
      throw error_from_errno(errno, "unmount", mount.path.native());
}

std::vector<std::string> users_of(const HostMount& mount, size_t count) {
  std::vector<std::string> users;
  for (const DirectoryEntry& entry : list_directory("/proc")) {
    if (users.size() >= count) break;
    if (!is_number(entry.name) || !uses(entry.name, mount.id)) continue;
    std::string name = try_read_file("/proc/" + entry.name + "/comm").value_or("?");
    while (name.ends_with('\n')) name.pop_back();
    users.push_back(fmt::format("{} ({})", printable(name), entry.name));
  }
  return users;
}

}  // namespace volary
