// volume/snapshot_sources.cc: the rules of volume/snapshot_sources.h.
#include "volume/snapshot_sources.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/place.h"
#include "core/tree_path.h"

namespace volary {
namespace {

Path without_links(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) throw error_from_errno(errno, "find the directory", printable(path));
  const Path found(real.get());
  const auto status = stat_of(found, Follow::no);
  if (!status || !S_ISDIR(status->st_mode))
    throw Error(Errc::invalid, "'{}' is no directory: expected one to take a snapshot of", printable(path));
  return found;
}

}  // namespace

SnapshotSources::SnapshotSources(const std::vector<std::string>& allowed, const Path& own)
    : own_(without_links(own.native())) {
  for (const std::string& one : allowed) allowed_.push_back(without_links(one));
}

Path SnapshotSources::resolve(const std::string& path, std::optional<uint32_t> peer_uid) const {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos)
    throw Error(Errc::invalid, "'{}' is no absolute path: expected one such as /data/corpora", printable(path));
  const bool is_own_user = peer_uid && *peer_uid == ::geteuid();
  // Who may name no path learns nothing about which there are.
  if (!is_own_user && allowed_.empty())
    throw Error(Errc::denied,
                "no directory of the server may be read for snapshots: its administrator allows one, and all below it, "
                "by 'volary server --snapshot-from DIR'");
  const Path found = is_own_user ? without_links(path) : Path(path).lexically_normal();
  const auto may = [&](const Path& candidate) {
    return is_own_user || std::any_of(allowed_.begin(), allowed_.end(),
                                      [&](const Path& one) { return is_within(candidate, one); });
  };
  if (!may(found) || !may(without_links(path)))
    throw Error(Errc::denied,
                "'{}' may not be read for snapshots: its administrator allows a directory, and all below it, by "
                "'volary server --snapshot-from DIR'",
                printable(path));
  const Path real = without_links(path);
  if (is_within(real, own_) || is_within(own_, real))
    throw Error(Errc::invalid, "'{}' holds or lies in what the server keeps in '{}': expected another directory",
                real.native(), own_.native());
  return real;
}

Fd open_resolved(const Path& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  Fd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!fd && errno == ELOOP)
    throw Error(Errc::conflict, "'{}' has become a symbolic link, or lies behind one: expected the directory it was",
                path.native());
  if (!fd) throw error_from_errno(errno, "open the directory", path.native());
  return fd;
}

}  // namespace volary
