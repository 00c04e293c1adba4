// core/file.cc: system calls and errno behind core/file.h.
#include "core/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <array>
#include <cerrno>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"

namespace volary {
namespace {

[[noreturn]] void fail(std::string_view action, const Path& path, int number = errno) {
  throw error_from_errno(number, action, path.native());
}

// Throws what a test asked for at this point, as the system call would have failed.
void pass(std::string_view point, std::string_view action, const Path& path) {
  if (const int number = fault::errno_at(point)) fail(action, path, number);
}

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

Fd open_or_throw(const Path& path, int flags, mode_t mode, std::string_view action) {
  const int fd = uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) fail(action, path);
  return Fd(fd);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    close();
    number_ = std::exchange(other.number_, -1);
  }
  return *this;
}
Fd::~Fd() { close(); }
void Fd::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Fd open_to_read(const Path& path) {
  pass("file.open", "open", path);
  return open_or_throw(path, O_RDONLY, 0, "open");
}

std::optional<Fd> try_open_to_read(const Path& path) {
  const int fd = uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (fd >= 0) return Fd(fd);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail("open", path);
}

Fd open_directory(const Path& path, Follow follow) {
  return open_or_throw(path, O_RDONLY | O_DIRECTORY | (follow == Follow::no ? O_NOFOLLOW : 0), 0, "open the directory");
}

Fd create_file(const Path& path, mode_t mode) {
  pass("file.create", "create", path);
  return open_or_throw(path, O_RDWR | O_CREAT | O_EXCL, mode, "create");
}

Fd open_to_append(const Path& path, mode_t mode) {
  return open_or_throw(path, O_WRONLY | O_CREAT | O_APPEND, mode, "open to append to");
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw error_from_errno(errno, "make", "a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

size_t read_some(int fd, std::span<char> to, const Path& name) {
  pass("file.read", "read", name);
  const ssize_t size = uninterrupted([&] { return ::read(fd, to.data(), to.size()); });
  if (size < 0) fail("read", name);
  return static_cast<size_t>(size);
}

size_t read_some_at(int fd, std::span<char> to, uint64_t offset, const Path& name) {
  pass("file.read", "read", name);
  const ssize_t size = uninterrupted([&] { return ::pread(fd, to.data(), to.size(), static_cast<off_t>(offset)); });
  if (size < 0) fail("read", name);
  return static_cast<size_t>(size);
}

void write_all(int fd, std::string_view bytes, const Path& name) {
  pass("file.write", "write to", name);
  while (!bytes.empty()) {
    const ssize_t size = uninterrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (size < 0) fail("write to", name);
    bytes.remove_prefix(static_cast<size_t>(size));
  }
}

void write_all_at(int fd, std::string_view bytes, uint64_t offset, const Path& name) {
  pass("file.write", "write to", name);
  while (!bytes.empty()) {
    const ssize_t size =
        uninterrupted([&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (size < 0) fail("write to", name);
    bytes.remove_prefix(static_cast<size_t>(size));
    offset += static_cast<uint64_t>(size);
  }
}

namespace {

std::string read_rest(int fd, uint64_t bytes_max, const Path& path) {
  std::string text;
  std::array<char, 65536> block;
  while (const size_t size = read_some(fd, block, path)) {
    if (text.size() + size > bytes_max)
      throw Error(Errc::exhausted, "'{}' is larger than the {} bytes that are read of such a file", path.native(),
                  bytes_max);
    text.append(block.data(), size);
  }
  return text;
}

}  // namespace

std::string read_file(const Path& path, uint64_t bytes_max) {
  return read_rest(open_to_read(path).get(), bytes_max, path);
}

std::optional<std::string> try_read_file(const Path& path, uint64_t bytes_max) {
  const auto fd = try_open_to_read(path);
  if (!fd) return std::nullopt;
  return read_rest(fd->get(), bytes_max, path);
}

void sync_file(int fd, const Path& name) {
  pass("file.fsync", "sync", name);
  if (uninterrupted([&] { return ::fsync(fd); }) < 0) fail("sync", name);
}

void sync_directory(const Path& directory) { sync_file(open_directory(directory).get(), directory); }

void sync_file_system(int fd, const Path& name) {
  pass("file.syncfs", "sync the file system of", name);
  if (uninterrupted([&] { return ::syncfs(fd); }) < 0) fail("sync the file system of", name);
}

void write_file_durably(const Path& path, std::string_view bytes, mode_t mode) {
  TempFile file(path.parent_path(), mode);
  file.write(bytes);
  sync_file(file.fd(), file.path());
  file.move_to(path);
  sync_directory(path.parent_path());
}

void rename_file(const Path& from, const Path& to) {
  pass("file.rename", "rename to", to);
  if (::rename(from.c_str(), to.c_str()) < 0) fail("rename to", to);
}

void remove_file(const Path& path) {
  pass("file.unlink", "remove", path);
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) fail("remove", path);
}

namespace {

// Descends by directory descriptors, so that no name on the way can be swapped for a link.
void remove_below(int parent, const char* name, const Path& path) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) fail("remove", path);
  const Fd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    // A directory that its owner closed to itself (overlayfs leaves such a "work"): open it and try once more.
    if (errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0) return remove_below(parent, name, path);
    fail("remove", path);
  }
  for (const auto& entry : list_directory(fd.get(), path))
    remove_below(fd.get(), entry.name.c_str(), path / entry.name);
  if (::unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT) fail("remove", path);
}

}  // namespace

void remove_tree(const Path& path) { remove_below(AT_FDCWD, path.c_str(), path); }

void make_directory(const Path& path, mode_t mode) {
  pass("file.mkdir", "create the directory", path);
  if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST) fail("create the directory", path);
}

void make_directories(const Path& path, mode_t mode) {
  if (path.empty() || is_present(path)) return;
  make_directories(path.parent_path(), mode);
  make_directory(path, mode);
}

void make_link(const Path& from, const Path& to) {
  if (::link(from.c_str(), to.c_str()) < 0) fail("link", to);
}
void make_symlink(const std::string& target, const Path& path) {
  if (::symlink(target.c_str(), path.c_str()) < 0) fail("create the symbolic link", path);
}

std::string read_symlink(const Path& path) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) fail("read the symbolic link", path);
  target.resize(static_cast<size_t>(size));
  return target;
}

void change_mode(const Path& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) < 0) fail("change the mode of", path);
}

std::optional<struct stat> stat_of(const Path& path, Follow follow) {
  struct stat status {};
  const int flags = follow == Follow::no ? AT_SYMLINK_NOFOLLOW : 0;
  if (::fstatat(AT_FDCWD, path.c_str(), &status, flags) == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail("stat", path);
}

struct stat stat_of(int fd, const Path& name) {
  struct stat status {};
  if (::fstat(fd, &status) < 0) fail("stat", name);
  return status;
}

bool is_present(const Path& path) { return stat_of(path, Follow::no).has_value(); }

std::vector<DirectoryEntry> list_directory(const Path& path) {
  return list_directory(open_directory(path).get(), path);
}

std::vector<DirectoryEntry> list_directory(int fd, const Path& name) {
  struct KernelEntry {  // struct linux_dirent64, which no header offers.
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
  };
  std::vector<DirectoryEntry> entries;
  alignas(KernelEntry) std::array<char, 65536> block;
  if (::lseek(fd, 0, SEEK_SET) < 0) fail("list", name);
  for (;;) {
    const long size = ::syscall(SYS_getdents64, fd, block.data(), block.size());
    if (size < 0) fail("list", name);
    if (size == 0) break;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const KernelEntry*>(block.data() + at);
      at += entry->size;
      std::string_view entry_name = static_cast<const char*>(entry->name);
      if (entry_name == "." || entry_name == "..") continue;
      unsigned char type = entry->type;
      if (type == DT_UNKNOWN) {
        struct stat status {};
        if (::fstatat(fd, entry->name, &status, AT_SYMLINK_NOFOLLOW) < 0) fail("stat", name / entry_name);
        type = static_cast<unsigned char>(IFTODT(status.st_mode));
      }
      entries.push_back({std::string(entry_name), type});
    }
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

uint64_t free_bytes(const Path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) < 0) fail("ask for the free space of", path);
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

TempFile::TempFile(const Path& directory, mode_t mode)
    : path_(directory / (".volary-" + random_hex(12))), fd_(create_file(path_, mode)) {}
TempFile::TempFile(const Path& directory, const Path& file) : fd_(open_to_read(file)) {
  const Path name = directory / (".volary-" + random_hex(12));
  make_link(file, name);
  path_ = name;
}
TempFile::TempFile(TempFile&& other) noexcept : path_(std::move(other.path_)), fd_(std::move(other.fd_)) {
  other.path_.clear();
}
TempFile::~TempFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}
void TempFile::write(std::string_view bytes) { write_all(fd_.get(), bytes, path_); }
void TempFile::move_to(const Path& path) {
  rename_file(path_, path);
  path_.clear();
}

std::optional<FileLock> FileLock::try_take(const Path& path) {
  Fd fd = open_or_throw(path, O_RDWR | O_CREAT, 0600, "open the lock file");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(fd));
  if (errno == EWOULDBLOCK) return std::nullopt;
  fail("lock", path);
}

MappedFile::MappedFile(int fd, uint64_t size, const Path& name) : size_(size) {
  if (size == 0) return;
  start_ = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (start_ == MAP_FAILED) {
    start_ = nullptr;
    fail("map", name);
  }
  ::madvise(start_, size, MADV_SEQUENTIAL);
}
MappedFile::~MappedFile() {
  if (start_) ::munmap(start_, size_);
}

}  // namespace volary
