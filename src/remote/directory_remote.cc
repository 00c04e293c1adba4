// remote/directory_remote.cc: a directory as a Remote.
//
// Every way below the root goes by directory descriptors and never through a symbolic link, so nothing outside the
// root can be read or written, whatever someone else does to the directory meanwhile. An object becomes visible by a
// rename after its bytes were synced; a crash can leave a temporary file (".volary-" and 24 digits), which is no
// object.
//
// Byte order of keys is not the order of a walk by names: "a.txt" < "a/b", since '.' < '/'. It is the order of a walk
// in which each directory's entries are sorted as if the names of directories ended in '/'; so one sorted list per
// level of depth is all the memory a listing takes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "remote/key.h"

namespace volary {
namespace {

constexpr std::string_view temporary_prefix = ".volary-";
constexpr size_t temporary_random_bytes = 12;
constexpr int put_attempts_max = 10;  // Against a remove() that takes the emptied directory away from under a put().

bool is_temporary(std::string_view name) {
  return name.size() == temporary_prefix.size() + 2 * temporary_random_bytes && name.starts_with(temporary_prefix);
}

// The parts of a key between slashes. Throws `invalid` for one that cannot be a path below the root.
std::vector<std::string> parts_of(const std::string& key) {
  check_key(key);
  std::vector<std::string> parts;
  for (size_t start = 0; start <= key.size();) {
    const size_t end = std::min(key.find('/', start), key.size());
    parts.push_back(key.substr(start, end - start));
    start = end + 1;
  }
  const auto is_wrong = [](const std::string& part) {
    return part.empty() || part == "." || part == ".." || part.find('\0') != std::string::npos || is_temporary(part);
  };
  if (std::any_of(parts.begin(), parts.end(), is_wrong))
    throw Error(Errc::invalid, "the key '{}' is not a path below a directory: a part is empty, '.', '..' or reserved",
                key);
  return parts;
}

std::string etag_of(const struct stat& status) {
  return fmt::format("{:x}-{:x}-{:x}", status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_ino,
                     status.st_size);
}

RemoteObject object_of(const std::string& key, const struct stat& status) {
  return {key, static_cast<uint64_t>(status.st_size), etag_of(status),
          Time{status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000}};
}

// Whether there is no such thing below the directory: a link or a file on the way counts as nothing.
bool is_absence(int number) { return number == ENOENT || number == ENOTDIR || number == ELOOP; }

int open_at(int parent, const std::string& name, int flags, mode_t mode = 0) {
  return ::openat(parent, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

// The kernel copies: the file system shares the blocks of both where it can.
void copy_bytes(int from, int to, uint64_t size, const Path& name) {
  for (uint64_t done = 0; done < size;) {
    const ssize_t more = ::copy_file_range(from, nullptr, to, nullptr, size - done, 0);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) throw error_from_errno(errno, "copy", name.native());
    if (more == 0) throw Error(Errc::conflict, "'{}' became shorter while it was copied", name.native());
    done += static_cast<uint64_t>(more);
  }
}

// A file beside its target that is gone unless it was moved there.
class TemporaryObject {
 public:
  TemporaryObject(int directory, Fd file, std::string name)
      : directory_(directory), file_(std::move(file)), name_(std::move(name)) {}
  ~TemporaryObject() {
    if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
  }
  TemporaryObject(const TemporaryObject&) = delete;
  TemporaryObject& operator=(const TemporaryObject&) = delete;

  int fd() const { return file_.get(); }
  // 0, or the errno of rename.
  int move_to(const std::string& name) {
    if (::renameat(directory_, name_.c_str(), directory_, name.c_str()) < 0) return errno;
    name_.clear();
    return 0;
  }

 private:
  int directory_;
  Fd file_;
  std::string name_;
};

class DirectoryRemote final : public Remote {
 public:
  DirectoryRemote(const Path& root, Follow follow) : root_(root), directory_(open_directory(root, follow)) {}

  void list(const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) override {
    walk(directory_.get(), "", prefix, visit);
  }

  std::optional<RemoteObject> find(const std::string& key) override {
    const auto parts = parts_of(key);
    const auto parent = open_parent(parts, parts.size() - 1);
    if (!parent) return std::nullopt;
    const auto status = status_of(parent->get(), parts.back(), key);
    if (!status) return std::nullopt;
    return object_of(key, *status);
  }

  RemoteObject get(const std::string& key, const GetOptions& options, Sink& sink) override;
  RemoteObject put(const std::string& key, Source& source, uint64_t size) override;
  void remove(const std::string& key) override;
  RemoteObject copy(const std::string& from, const std::string& to) override;

  std::string description() const override { return "directory " + root_.native(); }

 private:
  void walk(int directory, const std::string& path, const std::string& prefix,
            const std::function<void(const RemoteObject&)>& visit);
  void step_into(int directory, const std::string& name, const std::string& path, const std::string& prefix,
                 const std::function<void(const RemoteObject&)>& visit);
  std::optional<Fd> open_parent(const std::vector<std::string>& parts, size_t depth) const;
  std::optional<Fd> make_parent(const std::vector<std::string>& parts, const std::string& key) const;
  std::optional<struct stat> status_of(int parent, const std::string& name, const std::string& key) const;
  void prune(const std::vector<std::string>& parts) const;
  // A regular file, open to read.
  Fd open_object(const std::string& key, struct stat& status) const;
  // Makes the object of what `fill` writes into an empty file.
  RemoteObject store(const std::string& key, const std::function<void(int)>& fill) const;

  [[noreturn]] void fail(std::string_view action, const std::string& key, int number = errno) const {
    throw error_from_errno(number, action, (root_ / key).native());
  }

  const Path root_;
  const Fd directory_;
};

// --- listing

void DirectoryRemote::walk(int directory, const std::string& path, const std::string& prefix,
                           const std::function<void(const RemoteObject&)>& visit) {
  std::vector<DirectoryEntry> entries = list_directory(directory, root_ / path);
  for (DirectoryEntry& entry : entries)
    if (entry.type == DT_DIR) entry.name += '/';
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const DirectoryEntry& entry : entries) {
    const std::string key = path + entry.name;
    if (entry.type == DT_DIR) {
      if (key.starts_with(prefix) || prefix.starts_with(key)) step_into(directory, entry.name, key, prefix, visit);
    } else if (entry.type == DT_REG && key.starts_with(prefix) && !is_temporary(entry.name)) {
      if (const auto status = status_of(directory, entry.name, key)) visit(object_of(key, *status));
    }
  }
}

void DirectoryRemote::step_into(int directory, const std::string& name, const std::string& path,
                                const std::string& prefix, const std::function<void(const RemoteObject&)>& visit) {
  const Fd below(open_at(directory, name.substr(0, name.size() - 1), O_RDONLY | O_DIRECTORY));
  if (!below) {
    if (is_absence(errno)) return;  // It went while we were looking.
    fail("open the directory", path);
  }
  walk(below.get(), path, prefix, visit);
}

std::optional<struct stat> DirectoryRemote::status_of(int parent, const std::string& name,
                                                      const std::string& key) const {
  struct stat status {};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (is_absence(errno)) return std::nullopt;
    fail("stat", key);
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return status;
}

// --- the way to an object

// The directory of the first `depth` parts, or nothing if there is none.
std::optional<Fd> DirectoryRemote::open_parent(const std::vector<std::string>& parts, size_t depth) const {
  Fd at(open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY));
  if (!at) fail("open the directory", "");
  for (size_t i = 0; i < depth; ++i) {
    Fd next(open_at(at.get(), parts[i], O_RDONLY | O_DIRECTORY));
    if (!next && is_absence(errno)) return std::nullopt;
    if (!next) fail("open the directory", parts[i]);
    at = std::move(next);
  }
  return at;
}

// The directory of the key, durably made if it has to be; nothing if one on the way was removed just now.
std::optional<Fd> DirectoryRemote::make_parent(const std::vector<std::string>& parts, const std::string& key) const {
  Fd at(open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY));
  if (!at) fail("open the directory", "");
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    Fd next(open_at(at.get(), parts[i], O_RDONLY | O_DIRECTORY));
    if (!next && errno == ENOENT) {
      if (::mkdirat(at.get(), parts[i].c_str(), 0755) == 0) sync_file(at.get(), root_ / key);
      else if (errno == ENOENT) return std::nullopt;
      else if (errno != EEXIST) fail("create the directory of", key);
      next = Fd(open_at(at.get(), parts[i], O_RDONLY | O_DIRECTORY));
      if (!next && errno == ENOENT) return std::nullopt;
    }
    if (!next && is_absence(errno))
      throw Error(Errc::conflict, "'{}' cannot be stored in {}: '{}' on the way is not a directory", key,
                  description(), parts[i]);
    if (!next) fail("open the directory of", key);
    at = std::move(next);
  }
  return at;
}

// --- the verbs

Fd DirectoryRemote::open_object(const std::string& key, struct stat& status) const {
  const auto absent = [&] { return Error(Errc::not_found, "there is no '{}' in {}", key, description()); };
  const auto parts = parts_of(key);
  const auto parent = open_parent(parts, parts.size() - 1);
  if (!parent) throw absent();
  Fd file(open_at(parent->get(), parts.back(), O_RDONLY | O_NONBLOCK));  // A pipe must not hold us.
  if (!file && (is_absence(errno) || errno == ENXIO)) throw absent();
  if (!file) fail("open", key);
  status = stat_of(file.get(), root_ / key);
  if (!S_ISREG(status.st_mode)) throw absent();
  return file;
}

RemoteObject DirectoryRemote::get(const std::string& key, const GetOptions& options, Sink& sink) {
  struct stat status {};
  const Fd file = open_object(key, status);
  const RemoteObject object = object_of(key, status);
  check_match(object, options, description());
  const Range range = range_of(object, options);
  const auto block = std::make_unique<char[]>(block_bytes);
  for (uint64_t done = 0; done < range.size;) {
    const size_t wanted = std::min<uint64_t>(block_bytes, range.size - done);
    const size_t size = read_some_at(file.get(), {block.get(), wanted}, range.offset + done, root_ / key);
    if (size == 0) throw Error(Errc::conflict, "'{}' in {} became shorter while it was read", key, description());
    sink.write({block.get(), size});
    done += size;
  }
  if (etag_of(stat_of(file.get(), root_ / key)) != object.etag)
    throw Error(Errc::conflict, "'{}' in {} was changed while it was read", key, description());
  return object;
}

RemoteObject DirectoryRemote::put(const std::string& key, Source& source, uint64_t size) {
  return store(key, [&](int file) {
    const auto block = std::make_unique<char[]>(block_bytes);
    for (uint64_t done = 0; done < size;) {
      const size_t wanted = std::min<uint64_t>(block_bytes, size - done);
      read_exactly(source, {block.get(), wanted}, key);
      write_all(file, {block.get(), wanted}, root_ / key);
      done += wanted;
    }
  });
}

RemoteObject DirectoryRemote::copy(const std::string& from, const std::string& to) {
  struct stat status {};
  const Fd file = open_object(from, status);
  const RemoteObject object = object_of(from, status);
  return store(to, [&](int target) {
    copy_bytes(file.get(), target, object.size, root_ / from);
    if (etag_of(stat_of(file.get(), root_ / from)) != object.etag)
      throw Error(Errc::conflict, "'{}' in {} was changed while it was copied", from, description());
  });
}

RemoteObject DirectoryRemote::store(const std::string& key, const std::function<void(int)>& fill) const {
  const auto parts = parts_of(key);
  const std::string name = std::string(temporary_prefix) + random_hex(temporary_random_bytes);
  std::optional<Fd> parent;
  Fd file;
  for (int attempt = 0; !file; ++attempt) {
    parent = make_parent(parts, key);
    if (parent) file = Fd(open_at(parent->get(), name, O_RDWR | O_CREAT | O_EXCL, 0644));
    if (!file && parent && errno != ENOENT) fail("create a file beside", key);
    if (!file && attempt == put_attempts_max)
      throw Error(Errc::unavailable, "the directory of '{}' in {} is removed again and again", key, description());
  }
  TemporaryObject temporary(parent->get(), std::move(file), name);
  fill(temporary.fd());
  if (!fault::planted("remote.no_sync")) sync_file(temporary.fd(), root_ / key);
  fault::point("remote.before_rename");
  if (const int number = temporary.move_to(parts.back())) {
    if (number == EISDIR)
      throw Error(Errc::conflict, "'{}' cannot be stored in {}: there is a directory of that name", key, description());
    fail("rename to", key, number);
  }
  fault::point("remote.after_rename");
  sync_file(parent->get(), root_ / key);
  return object_of(key, stat_of(temporary.fd(), root_ / key));
}

void DirectoryRemote::remove(const std::string& key) {
  const auto parts = parts_of(key);
  const auto parent = open_parent(parts, parts.size() - 1);
  if (!parent || !status_of(parent->get(), parts.back(), key)) return;
  if (::unlinkat(parent->get(), parts.back().c_str(), 0) < 0 && errno != ENOENT) fail("remove", key);
  sync_file(parent->get(), root_ / key);
  fault::point("remote.before_prune");
  prune(parts);
}

// Directories are no objects: those that became empty go, so that their names are free for objects.
void DirectoryRemote::prune(const std::vector<std::string>& parts) const {
  for (size_t depth = parts.size() - 1; depth > 0; --depth) {
    const auto above = open_parent(parts, depth - 1);
    if (!above || ::unlinkat(above->get(), parts[depth - 1].c_str(), AT_REMOVEDIR) < 0) return;
    sync_file(above->get(), root_);
  }
}

}  // namespace

std::unique_ptr<Remote> open_directory_remote(const Path& root, Follow follow) {
  return std::make_unique<DirectoryRemote>(root, follow);
}

}  // namespace volary
