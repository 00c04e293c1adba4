// store/shelf.cc: creating, finding and moving the files of store/shelf.h.
#include "store/shelf.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>

#include "core/error.h"
#include "core/fault.h"
#include "store/layout.h"

namespace volary {
namespace {

// A file reused within this time of its last use keeps its time: its inode is not written for each reuse.
constexpr int64_t reuse_is_fresh = 3600 * int64_t{1'000'000};  // µs

// A file that is being written under its own name. Unless it gets complete it goes, if it is still the one there.
class Unfinished {
 public:
  Unfinished(int directory, const std::string& name, const Fd& fd, std::shared_mutex& moving)
      : directory_(directory), name_(name), fd_(fd), moving_(moving) {}
  ~Unfinished() {
    if (is_complete_) return;
    const std::lock_guard alone(moving_);
    struct stat own {};
    struct stat there {};
    if (::fstat(fd_.get(), &own) < 0 || ::fstatat(directory_, name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) < 0) return;
    if (own.st_ino == there.st_ino) ::unlinkat(directory_, name_.c_str(), 0);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void complete() { is_complete_ = true; }

 private:
  int directory_;
  const std::string& name_;
  const Fd& fd_;
  std::shared_mutex& moving_;
  bool is_complete_ = false;
};

// As write_all(), which would need a path for each file.
int write_bytes(int fd, std::string_view bytes) {
  if (const int number = fault::errno_at("file.write")) return number;
  while (!bytes.empty()) {
    const ssize_t size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno != EINTR) return errno;
    if (size > 0) bytes.remove_prefix(static_cast<size_t>(size));
  }
  return 0;
}

}  // namespace

Shelf::Shelf(const Path& directory, const Path& tmp, const Path& quarantine, const Clock& clock)
    : directory_(directory), tmp_(tmp), quarantine_(quarantine), clock_(clock), fd_(open_directory(directory)) {}

std::optional<Time> Shelf::put(const Digest& digest, std::string_view bytes) {
  const std::string name = digest.path();
  const bool looks_first = often_present_.load(std::memory_order_relaxed);
  if (!looks_first && create(name, bytes)) return std::nullopt;
  const auto found = reuse(digest, bytes.size());
  if (looks_first != found.has_value()) often_present_ = found.has_value();
  if (found) return found;
  if (create(name, bytes)) return std::nullopt;
  // Torn, damaged, or just being written by somebody else: replaced whole.
  TempFile draft(tmp_, object_mode);
  draft.write(bytes);
  return put(digest, bytes.size(), draft);
}

std::optional<Time> Shelf::put(const Digest& digest, uint64_t size, TempFile& draft) {
  const std::string name = digest.path();
  if (modes_are_masked_) change_mode(draft.path(), object_mode);
  if (::futimens(draft.fd(), nullptr) < 0) throw error_from_errno(errno, "set the time of", draft.path().native());
  make_directory(path_of(name.substr(0, 2)));
  const std::shared_lock guard(moving_);
  if (const auto found = find(name, size)) return found;
  fault::point("store.renaming");
  draft.move_to(path_of(name));
  fault::point("store.renamed");
  return std::nullopt;
}

std::optional<Time> Shelf::reuse(const Digest& digest, uint64_t size) {
  const std::shared_lock guard(moving_);
  return find(digest.path(), size);
}

std::optional<Time> Shelf::find(const std::string& name, uint64_t size) {
  struct stat status {};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw error_from_errno(errno, "stat", path_of(name).native());
  }
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) != size) return std::nullopt;
  const Time used = used_at(status);
  if (used.micros < clock_.now().micros - reuse_is_fresh) {
    if (::utimensat(fd_.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) < 0)
      throw error_from_errno(errno, "set the time of", path_of(name).native());
    fault::point("store.reused");
  }
  return used;
}

// Whether there was no file of this name.
bool Shelf::create(const std::string& name, std::string_view bytes) {
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  if (const int number = fault::errno_at("file.create"))
    throw error_from_errno(number, "create", path_of(name).native());
  Fd fd(::openat(fd_.get(), name.c_str(), flags, object_mode));
  if (!fd && errno == ENOENT) {
    make_directory(path_of(name.substr(0, 2)));
    fd = Fd(::openat(fd_.get(), name.c_str(), flags, object_mode));
  }
  if (!fd && errno == EEXIST) return false;
  if (!fd) throw error_from_errno(errno, "create", path_of(name).native());
  Unfinished unfinished(fd_.get(), name, fd, moving_);
  fault::point("store.created");
  int number = modes_are_masked_ && ::fchmod(fd.get(), object_mode) < 0 ? errno : 0;
  if (number == 0) number = write_bytes(fd.get(), bytes);
  if (number != 0) throw error_from_errno(number, "write to", path_of(name).native());
  fault::point("store.written");
  unfinished.complete();
  return true;
}

void Shelf::each(const std::function<void(const StoredObject&)>& visit) const {
  for (const DirectoryEntry& fan : list_directory(directory_)) {
    if (fan.type != DT_DIR || fan.name.size() != 2) continue;
    const Fd fd = open_directory(directory_ / fan.name, Follow::no);
    for (const DirectoryEntry& entry : list_directory(fd.get(), directory_ / fan.name)) {
      const auto digest = Digest::try_parse(fan.name + entry.name);
      struct stat status {};
      if (entry.type != DT_REG || !digest || digest->path() != fan.name + '/' + entry.name) continue;
      if (::fstatat(fd.get(), entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT) continue;  // Taken away since the listing.
        throw error_from_errno(errno, "stat", (directory_ / fan.name / entry.name).native());
      }
      visit({*digest, static_cast<uint64_t>(status.st_size), used_at(status)});
    }
  }
}

bool Shelf::quarantine(const Digest& digest, Time unused_since) {
  const Path from = directory_ / digest.path();
  const Path to = quarantine_ / digest.path();
  const std::lock_guard alone(moving_);
  const auto status = stat_of(from);
  // A commit may have reused it later than its time says, by as much as reuse_is_fresh.
  if (!status || used_at(*status).micros + reuse_is_fresh >= unused_since.micros) return false;
  make_directories(to.parent_path(), 0700);
  fault::point("store.quarantining");
  rename_file(from, to);
  fault::point("store.quarantined");
  return true;
}

bool Shelf::bring_back(const Digest& digest) {
  const Path from = quarantine_ / digest.path();
  const Path to = directory_ / digest.path();
  const std::lock_guard alone(moving_);
  if (!is_present(from)) return false;
  if (is_present(to)) return true;  // A commit wrote it anew.
  if (::utimensat(AT_FDCWD, from.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) < 0)
    throw error_from_errno(errno, "set the time of", from.native());
  make_directory(to.parent_path());
  fault::point("store.bringing_back");
  rename_file(from, to);
  sync_directory(to.parent_path());
  fault::point("store.brought_back");
  return true;
}

}  // namespace volary
