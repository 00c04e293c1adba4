// core/file.h: the file system, as the rest of Volary sees it.
//
// The one place that knows open, write, rename, fsync and errno; every failure is an Error naming the path. This is
// also the seam for file-system faults: each call passes the fail point named in its comment (core/fault.h).
// Everything may be called from any thread; one Fd belongs to one thread at a time unless said otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "core/stream.h"

namespace volary {

using Path = std::filesystem::path;

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }
  void close();

 private:
  int number_ = -1;
};

enum class Follow { no, yes };  // Whether a symbolic link as the last component is followed.

// --- opening; all descriptors are close-on-exec
Fd open_to_read(const Path& path);                              // fail point file.open
std::optional<Fd> try_open_to_read(const Path& path);           // Nothing if there is no such file.
Fd open_directory(const Path& path, Follow follow = Follow::yes);
Fd create_file(const Path& path, mode_t mode = 0644);           // Must not exist. fail point file.create
Fd open_to_append(const Path& path, mode_t mode = 0644);        // Made if absent.
struct Pipe {
  Fd to_read;
  Fd to_write;
};
Pipe make_pipe();

// --- bytes
size_t read_some(int fd, std::span<char> to, const Path& name);                       // fail point file.read
size_t read_some_at(int fd, std::span<char> to, uint64_t offset, const Path& name);   // fail point file.read
void write_all(int fd, std::string_view bytes, const Path& name);                     // fail point file.write
void write_all_at(int fd, std::string_view bytes, uint64_t offset, const Path& name); // fail point file.write
std::string read_file(const Path& path, uint64_t bytes_max = 64 << 20);  // Throws `exhausted` above bytes_max.
std::optional<std::string> try_read_file(const Path& path, uint64_t bytes_max = 64 << 20);

// --- durability
void sync_file(int fd, const Path& name);      // fsync. fail point file.fsync
void sync_directory(const Path& directory);    // fsync of a directory: names in it are durable. fail point file.fsync
void sync_file_system(int fd, const Path& name);  // syncfs: everything on it is durable. fail point file.syncfs
// Replaces `path` by `bytes`, atomically and durably: temporary name, fsync, rename, fsync of the directory.
void write_file_durably(const Path& path, std::string_view bytes, mode_t mode = 0644);

// --- names
void rename_file(const Path& from, const Path& to);  // Replaces `to`. fail point file.rename
void remove_file(const Path& path);                  // Absent is success. fail point file.unlink
void remove_tree(const Path& path);                  // Absent is success; never leaves `path`, follows no link.
void make_directory(const Path& path, mode_t mode = 0755);    // Present is success. fail point file.mkdir
void make_directories(const Path& path, mode_t mode = 0755);  // With its parents.
void make_link(const Path& from, const Path& to);             // Hard link; throws `exists`.
void make_symlink(const std::string& target, const Path& path);
std::string read_symlink(const Path& path);
void change_mode(const Path& path, mode_t mode);

// --- questions
std::optional<struct stat> stat_of(const Path& path, Follow follow = Follow::no);
struct stat stat_of(int fd, const Path& name);
bool is_present(const Path& path);  // Anything at all, a dangling link too.
struct DirectoryEntry {
  std::string name;
  unsigned char type;  // DT_REG, DT_DIR, DT_LNK, …; DT_UNKNOWN is never given.
};
std::vector<DirectoryEntry> list_directory(const Path& path);  // Sorted by name, without "." and "..".
std::vector<DirectoryEntry> list_directory(int fd, const Path& name);
uint64_t free_bytes(const Path& path);

// A file in `directory` with a fresh name; unlinked on the way out, whatever happens, unless moved.
class TempFile final : public Sink {
 public:
  explicit TempFile(const Path& directory, mode_t mode = 0644);
  // The file `file`, under a fresh name of its own in `directory` (a hard link); its first name stays.
  TempFile(const Path& directory, const Path& file);
  ~TempFile() override;
  TempFile(TempFile&& other) noexcept;
  TempFile& operator=(TempFile&&) = delete;
  void write(std::string_view bytes) override;
  int fd() const { return fd_.get(); }
  const Path& path() const { return path_; }
  // Gives the file its final name, replacing what is there. Does not sync.
  void move_to(const Path& path);
  void close() { fd_.close(); }

 private:
  Path path_;
  Fd fd_;
};

class FileSource final : public Source {
 public:
  explicit FileSource(const Path& path) : path_(path), fd_(open_to_read(path)) {}
  FileSource(Fd fd, Path name) : path_(std::move(name)), fd_(std::move(fd)) {}
  size_t read(std::span<char> to) override { return read_some(fd_.get(), to, path_); }

 private:
  Path path_;
  Fd fd_;
};

// An exclusive lock on a file, made if absent; ends with the object or the process.
class FileLock {
 public:
  // Nothing if another holds it.
  static std::optional<FileLock> try_take(const Path& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// A whole file in memory, read-only, for as long as the object lives. Only for files that nobody changes.
class MappedFile {
 public:
  MappedFile(int fd, uint64_t size, const Path& name);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(start_), size_}; }

 private:
  void* start_ = nullptr;
  size_t size_ = 0;
};

}  // namespace volary
