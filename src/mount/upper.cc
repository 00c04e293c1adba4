// mount/upper.cc: mount/upper.h.
#include "mount/upper.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/error.h"
#include "core/fault.h"

namespace volary {
namespace {

constexpr size_t attribute_bytes_max = 8192;  // A redirect is a path.

// A job may leave files that it closed to itself. We are their owner then, or root, who needs nothing.
void make_readable(int directory, const std::string& name, const struct stat& status) {
  const mode_t needed = S_ISDIR(status.st_mode) ? S_IRUSR | S_IXUSR : S_IRUSR;
  if (::geteuid() == 0 || (status.st_mode & needed) == needed) return;
  if (::fchmodat(directory, name.c_str(), (status.st_mode & 07777) | needed, 0) < 0)
    throw error_from_errno(errno, "make readable", printable(name));
}

}  // namespace

Upper::Upper(const Path& directory, OverlayXattrs xattrs)
    : directory_(directory),
      prefix_(xattrs == OverlayXattrs::user ? "user.overlay." : "trusted.overlay."),
      xattrs_(xattrs),
      fd_(volary::open_directory(directory, Follow::no)) {}

Fd Upper::open(const TreePath& path, int flags) const {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  if (fault::planted("harvest.follows_links")) {
    how.flags &= ~uint64_t{O_NOFOLLOW};
    how.resolve = 0;
  }
  const char* name = path.is_root() ? "." : path.text().c_str();
  for (;;) {
    const long fd = ::syscall(SYS_openat2, fd_.get(), name, &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EINTR && errno != EAGAIN) throw error_from_errno(errno, "open", name_of(path).native());
  }
}

Fd Upper::open_directory(const TreePath& path) const { return open(path, O_DIRECTORY); }

Fd Upper::open_file(const TreePath& path) const {
  // Without O_NONBLOCK, a pipe would hang us.
  Fd fd = open(path, O_NONBLOCK | O_NOCTTY);
  if (!S_ISREG(stat_of(fd.get(), name_of(path)).st_mode))
    throw Error(Errc::invalid, "'{}' was a regular file and is none now", name_of(path).native());
  return fd;
}

std::optional<std::string> Upper::attribute(int directory, const std::string& name, std::string_view mark) const {
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory, name);
  std::array<char, attribute_bytes_max> value;
  const ssize_t size = ::lgetxattr(path.c_str(), (prefix_ + std::string(mark)).c_str(), value.data(), value.size());
  if (size >= 0) return std::string(value.data(), static_cast<size_t>(size));
  if (errno == ENODATA || errno == ENOTSUP) return std::nullopt;
  throw error_from_errno(errno, "read the attribute " + prefix_ + std::string(mark) + " of", printable(name));
}

Marks Upper::marks_of(int directory, const std::string& name, const struct stat& status) const {
  Marks marks;
  if (S_ISCHR(status.st_mode)) {
    marks.whiteout = status.st_rdev == 0;
    return marks;
  }
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) return marks;
  make_readable(directory, name, status);
  if (S_ISDIR(status.st_mode)) marks.opaque = attribute(directory, name, "opaque") == "y";
  else if (status.st_size == 0) marks.whiteout = attribute(directory, name, "whiteout").has_value();
  if (xattrs_ == OverlayXattrs::user) return marks;  // Such mounts follow no redirects and make no metacopies.
  if (S_ISREG(status.st_mode)) marks.metacopy = attribute(directory, name, "metacopy").has_value();
  if (S_ISDIR(status.st_mode) || marks.metacopy) marks.redirect = attribute(directory, name, "redirect");
  return marks;
}

}  // namespace volary
