// cli/landing.cc: every way below the directory goes by descriptors, one name at a time, and never through a link.
#include "cli/landing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "core/error.h"
#include "core/fault.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view part_prefix = ".volary-part-";
constexpr size_t part_digits = 24;

bool is_part(std::string_view name) {
  return name.starts_with(part_prefix) && name.size() == part_prefix.size() + part_digits;
}

// Of this machine.
int64_t started_at_seconds() {
  struct timespec now {};
  struct timespec since_start {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_start);
  return now.tv_sec - since_start.tv_sec;
}

std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> parts;
  for (size_t start = 0; start <= name.size();) {
    const size_t end = std::min(name.find('/', start), name.size());
    parts.emplace_back(name.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

int open_at(int parent, const std::string& name, int flags, mode_t mode = 0) {
  const int follow = fault::planted("landing.follows_links") ? 0 : O_NOFOLLOW;
  return ::openat(parent, name.c_str(), flags | follow | O_CLOEXEC, mode);
}

std::string last_of(const std::string& name) { return name.substr(name.rfind('/') + 1); }

Error directory_at(const Path& path) {
  return {Errc::conflict, "there is a directory where '{}' would be", printable(path.native())};
}

// Opens the file of that name for this process alone, made if absent.
Fd open_locked(int parent, const std::string& part, const Path& shown) {
  while (true) {
    Fd file(open_at(parent, part, O_RDWR | O_CREAT, 0666));
    if (!file) throw error_from_errno(errno, "create a file beside", shown.native());
    const struct stat opened = stat_of(file.get(), shown);
    if (!S_ISREG(opened.st_mode))
      throw Error(Errc::conflict, "there is something else than a file where '{}' arrives", printable(shown.native()));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) < 0) {
      if (errno != EWOULDBLOCK) throw error_from_errno(errno, "lock a file beside", shown.native());
      throw Error(Errc::conflict, "'{}' is being received by another process", printable(shown.native()));
    }
    struct stat named {};
    const bool is_there = ::fstatat(parent, part.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev) return file;
  }  // Its last owner finished between our two steps, and it has its final name by now.
}

}  // namespace

bool is_unfinished(std::string_view name) { return is_part(name) || name.starts_with(unpacking_prefix); }

Arrival::Arrival(Fd parent, Fd file, std::string part_name, std::string name, Path shown)
    : parent_(std::move(parent)), file_(std::move(file)), part_name_(std::move(part_name)), name_(std::move(name)),
      shown_(std::move(shown)) {
  bytes_ = static_cast<uint64_t>(stat_of(file_.get(), shown_).st_size);
}

Arrival::~Arrival() {
  if (file_ && bytes_ == 0) ::unlinkat(parent_.get(), part_name_.c_str(), 0);
}

void Arrival::write(std::string_view bytes) {
  write_all_at(file_.get(), bytes, bytes_, shown_);
  bytes_ += bytes.size();
}

void Arrival::read_back(const std::function<void(std::string_view)>& visit) const {
  std::string block(block_bytes, '\0');
  for (uint64_t at = 0; at < bytes_;) {
    const size_t size = read_some_at(file_.get(), block, at, shown_);
    if (size == 0) throw Error(Errc::corrupt, "'{}' has become shorter", printable(shown_.native()));
    visit(std::string_view(block).substr(0, size));
    at += size;
  }
}

void Arrival::begin_anew() {
  if (::ftruncate(file_.get(), 0) < 0) throw error_from_errno(errno, "empty", shown_.native());
  bytes_ = 0;
}

void Arrival::finish(bool is_executable) {
  if (is_executable) {
    const mode_t mode = stat_of(file_.get(), shown_).st_mode & 0777;
    ::fchmod(file_.get(), mode | ((mode & 0444) >> 2));  // Who may read it may run it.
  }
  if (::renameat(parent_.get(), part_name_.c_str(), parent_.get(), name_.c_str()) == 0) return file_.close();
  if (errno == EISDIR) {
    bytes_ = 0;  // It will never have a place.
    throw directory_at(shown_);
  }
  throw error_from_errno(errno, "rename to", shown_.native());
}

Landing::Landing(const Path& directory) : path_(directory) {
  const auto status = stat_of(directory, Follow::yes);
  if (!status || !S_ISDIR(status->st_mode))
    throw Error(Errc::not_found, "there is no directory '{}'", printable(directory.native()));
  directory_ = open_directory(directory);
}

void Landing::check(std::string_view name) {
  if (name.size() >= PATH_MAX)
    throw Error(Errc::invalid, "'{}' cannot be a file's name here: it has more than {} bytes",
                printable(name.substr(0, 100)) + "…", PATH_MAX - 1);
  for (const std::string& part : parts_of(name)) {
    const bool is_wrong =
        part.empty() || part == "." || part == ".." || part.find('\0') != std::string::npos || is_part(part);
    if (is_wrong)
      throw Error(Errc::invalid, "'{}' cannot be a file's name here: a part of it is empty, '.', '..' or reserved",
                  printable(name));
    if (part.size() > NAME_MAX)
      throw Error(Errc::invalid, "'{}' cannot be a file's name here: a part of it has more than {} bytes",
                  printable(name.substr(0, 100)) + "…", NAME_MAX);
  }
}

std::optional<Fd> Landing::open_parent(const std::string& name, Missing missing) const {
  check(name);
  const auto parts = parts_of(name);
  Fd at(open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY));
  if (!at) throw error_from_errno(errno, "open", path_.native());
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    Fd next(open_at(at.get(), parts[i], O_RDONLY | O_DIRECTORY));
    if (!next && errno == ENOENT) {
      if (missing != Missing::make) return std::nullopt;
      if (::mkdirat(at.get(), parts[i].c_str(), 0777) < 0 && errno != EEXIST)
        throw error_from_errno(errno, "create the directory of", (path_ / name).native());
      next = Fd(open_at(at.get(), parts[i], O_RDONLY | O_DIRECTORY));
    }
    if (!next && (errno == ENOTDIR || errno == ELOOP)) {
      if (missing == Missing::leave) return std::nullopt;
      throw Error(Errc::conflict, "'{}' cannot be below '{}': '{}' is no directory there", printable(name),
                  path_.native(), printable(parts[i]));
    }
    if (!next) throw error_from_errno(errno, "open the directory of", (path_ / name).native());
    at = std::move(next);
  }
  return at;
}

bool Landing::has(const std::string& name) const {
  const auto parent = open_parent(name, Missing::leave);
  struct stat status {};
  return parent && ::fstatat(parent->get(), last_of(name).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void Landing::check_place(const std::string& name) const {
  const auto parent = open_parent(name, Missing::check);
  struct stat status {};
  if (parent && ::fstatat(parent->get(), last_of(name).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(status.st_mode))
    throw directory_at(path_ / name);
}

Arrival Landing::begin(const std::string& name, const std::string& mark) const {
  Fd parent = *open_parent(name, Missing::make);
  const std::string content = fault::planted("landing.any_part") ? name : name + '\0' + mark;
  const std::string part = std::string(part_prefix) + Digest::of(content).hex().substr(0, part_digits);
  Fd file = open_locked(parent.get(), part, path_ / name);
  const bool is_of_earlier_start = stat_of(file.get(), path_ / name).st_mtim.tv_sec <= started_at_seconds();
  Arrival arrival(std::move(parent), std::move(file), part, last_of(name), path_ / name);
  if (is_of_earlier_start) arrival.begin_anew();
  return arrival;
}

void Landing::make_directory(const std::string& name) const { open_parent(name + "/x", Missing::make); }

void Landing::make_symlink(const std::string& name, const std::string& target) const {
  const Fd parent = *open_parent(name, Missing::make);
  if (::symlinkat(target.c_str(), parent.get(), last_of(name).c_str()) < 0)
    throw error_from_errno(errno, "make the link", (path_ / name).native());
}

void Landing::make_hard_link(const std::string& name, const std::string& target) const {
  const auto from = open_parent(target, Missing::leave);
  const Fd parent = *open_parent(name, Missing::make);
  struct stat status {};
  if (!from || ::fstatat(from->get(), last_of(target).c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0 ||
      !S_ISREG(status.st_mode))
    throw Error(Errc::invalid, "'{}' is a link to '{}', which is no file", printable(name), printable(target));
  if (::linkat(from->get(), last_of(target).c_str(), parent.get(), last_of(name).c_str(), 0) < 0)
    throw error_from_errno(errno, "make the link", (path_ / name).native());
}

void Landing::each_file(const std::string& directory,
                        const std::function<void(const std::string& name)>& visit) const {
  const auto below = open_parent(directory.empty() ? "x" : directory + "/x", Missing::leave);
  if (!below) return;
  for (const DirectoryEntry& entry : list_directory(below->get(), path_ / directory)) {
    const std::string name = (directory.empty() ? "" : directory + "/") + entry.name;
    if (entry.type == DT_DIR) each_file(name, visit);
    else if (!is_part(entry.name)) visit(name);
  }
}

void Landing::remove(const std::string& name) const {
  const auto parent = open_parent(name, Missing::leave);
  if (!parent) return;
  if (::unlinkat(parent->get(), last_of(name).c_str(), 0) < 0 && errno != ENOENT)
    throw error_from_errno(errno, "remove", (path_ / name).native());
  for (std::string above = name; above.find('/') != std::string::npos;) {
    above.erase(above.rfind('/'));
    const auto from = open_parent(above, Missing::leave);
    if (!from || ::unlinkat(from->get(), last_of(above).c_str(), AT_REMOVEDIR) < 0) return;
  }
}

void Landing::move(const std::string& name, const Landing& target) const {
  const auto from = open_parent(name, Missing::leave);
  if (!from) throw Error(Errc::not_found, "there is no '{}' below '{}'", printable(name), path_.native());
  const Fd to = *target.open_parent(name, Missing::make);
  if (::renameat(from->get(), last_of(name).c_str(), to.get(), last_of(name).c_str()) == 0) return;
  if (errno == EISDIR) throw directory_at(target.path_ / name);
  if (errno == EXDEV)
    throw Error(Errc::invalid, "'{}' is on another file system than '{}': expected the same",
                printable(target.path_.native()), printable(path_.native()));
  throw error_from_errno(errno, "move to", (target.path_ / name).native());
}

void Landing::sync() const { sync_file_system(directory_.get(), path_); }

}  // namespace volary
