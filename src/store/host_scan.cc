// store/host_scan.cc: the threads behind store/host_scan.h.
//
// Three kinds of tasks lie on one stack: open a directory and list it; read some of its leaves; read parts of one
// large file. A directory counts what is still missing of it; whoever brings that to zero finishes it, fills its
// entry in its parent, and goes on with the parent. Below a directory's own leaves lie its subdirectories, so its
// descriptor is closed before the next level opens.
//
// A live directory that was listed while it changed, or of which something was gone before it could be read, is stale:
// when the rest of it is done, it is listed once more, and only what is new is read.
//
// Directories are opened below the root's descriptor and through no symbolic link, so that nobody who may write in one
// can lead the scan out of it.
#include "store/host_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

#include "core/error.h"
#include "core/fault.h"
#include "core/synced.h"
#include "store/host_file.h"
#include "store/part_hash.h"
#include "store/task_stack.h"

namespace volary {
namespace {

constexpr size_t leaves_per_task = 32;
constexpr size_t parts_per_task = 4;

// A directory on its way. Shared by the tasks for its leaves, its subdirectories and its large files, which may end
// in any order on any thread; the last of them frees it, also when an error ends the scan early.
struct Directory {
  std::shared_ptr<Directory> parent;
  size_t index = 0;  // Of its entry in the parent.
  Path path;
  Fd fd;  // Open while leaves are read.
  Tree tree;
  ino_t inode = 0;
  std::vector<bool> is_known;   // Of its entries: read after an earlier listing.
  std::vector<size_t> leaves;   // Those to be read.
  int listings = 0;
  Synced<std::vector<size_t>> gone;  // Entries that could not be read as what they were listed as.
  std::atomic<size_t> ranges_missing{0};  // Of leaves.
  std::atomic<size_t> missing{0};         // The same, and large files, subdirectories, and the listing itself.
};

// Shared by the tasks for its parts.
struct Large {
  std::unique_ptr<LargeFile> file;
  size_t index = 0;
  std::atomic<uint64_t> missing{0};
};

struct Task {
  enum class Kind { directory, leaves, parts };
  Kind kind = Kind::directory;
  std::shared_ptr<Directory> directory;
  std::shared_ptr<Large> large = {};  // parts
  size_t from = 0;                    // leaves and parts: the range.
  size_t to = 0;
};

class Scan {
 public:
  Scan(Liveness liveness, HostReader& reader, Progress& progress, const std::stop_token& stop)
      : liveness_(liveness), reader_(reader), progress_(progress), stop_(stop) {}

  TreeSummary run(const Path& path, Threads threads) {
    root_ = open_directory(path);
    auto root = std::make_shared<Directory>();
    root->path = path;
    tasks_.push({.directory = std::move(root)});
    tasks_.run(threads, [&](Task& task) {
      refuse_if_stopped();
      switch (task.kind) {
        case Task::Kind::directory: return list(task.directory);
        case Task::Kind::leaves: return read_leaves(task.directory, task.from, task.to);
        case Task::Kind::parts: return read_parts(task.directory, *task.large, task.from, task.to);
      }
    });
    return summary_;
  }

 private:
  void refuse_if_stopped() const {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the reading of a directory was asked to stop");
  }

  // Nothing if a live directory has none of this name any more.
  std::optional<Fd> open(const Directory& directory) const {
    if (!directory.parent) return Fd(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    const std::string below = below_root(directory);
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, root_.get(), below.c_str(), &how, sizeof how)));
    if (fd) return fd;
    if (liveness_ == Liveness::live && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return std::nullopt;
    throw error_from_errno(errno, "open the directory", directory.path.native());
  }

  static std::string below_root(const Directory& directory) {
    const auto& parent = directory.parent;
    const std::string& name = parent->tree.entries[directory.index].name;
    return parent->parent ? below_root(*parent) + '/' + name : name;
  }

  // The listing of an open directory, at one moment if it is live.
  std::vector<DirectoryEntry> listing_of(const Directory& directory) const {
    const int fd = directory.fd.get();
    if (liveness_ == Liveness::still) return list_directory(fd, directory.path);
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
      const struct stat before = settled_stat(fd, directory.path);
      fault::point("scan.listing");
      auto found = list_directory(fd, directory.path);
      fault::point("scan.listed");
      if (is_unchanged(before, stat_of(fd, directory.path))) return found;
    }
    refuse_changing(directory);
  }

  [[noreturn]] static void refuse_changing(const Directory& directory) {
    throw Error(Errc::conflict, "the directory '{}' changes while it is read: it was listed {} times",
                directory.path.native(), attempts_max);
  }

  void list(const std::shared_ptr<Directory>& directory) {
    const auto& parent = directory->parent;
    if (parent) directory->path = parent->path / parent->tree.entries[directory->index].name;
    auto fd = open(*directory);
    if (!fd) return drop(parent, directory->index);
    directory->fd = *std::move(fd);
    reader_.enter(directory->fd.get(), directory->path);
    const Tree before = std::exchange(directory->tree, {});
    std::vector<size_t> gone = std::exchange(*directory->gone.lock(), {});
    std::sort(gone.begin(), gone.end());
    for (DirectoryEntry& found : listing_of(*directory)) add_entry(*directory, found);
    directory->is_known.assign(directory->tree.entries.size(), false);
    const ino_t inode = stat_of(directory->fd.get(), directory->path).st_ino;
    if (++directory->listings > 1 && inode == directory->inode) keep_known(*directory, before, gone);
    directory->inode = inode;
    read_entries(directory);
  }

  // Takes over what an earlier listing has led to.
  static void keep_known(Directory& directory, const Tree& before, const std::vector<size_t>& gone) {
    for (size_t i = 0; i < directory.tree.entries.size(); ++i) {
      TreeEntry& entry = directory.tree.entries[i];
      const TreeEntry* known = before.find(entry.name);
      if (!known || known->kind != entry.kind) continue;
      const auto place = static_cast<size_t>(known - before.entries.data());
      if (std::binary_search(gone.begin(), gone.end(), place)) continue;
      entry = *known;
      directory.is_known[i] = true;
    }
  }

  void read_entries(const std::shared_ptr<Directory>& directory) {
    const auto& entries = directory->tree.entries;
    std::vector<size_t> subdirectories;
    directory->leaves.clear();
    for (size_t i = 0; i < entries.size(); ++i)
      if (!directory->is_known[i])
        (entries[i].kind == EntryKind::directory ? subdirectories : directory->leaves).push_back(i);
    const size_t leaves = directory->leaves.size();
    const size_t ranges = (leaves + leaves_per_task - 1) / leaves_per_task;
    directory->ranges_missing = ranges;
    directory->missing = ranges + subdirectories.size() + 1;
    for (auto one = subdirectories.rbegin(); one != subdirectories.rend(); ++one) {
      auto child = std::make_shared<Directory>();
      child->parent = directory;
      child->index = *one;
      tasks_.push({.directory = std::move(child)});
    }
    if (ranges == 0) directory->fd.close();
    else if (ranges == 1) read_leaves(directory, 0, leaves);
    else push_ranges({Task::Kind::leaves, directory}, leaves, leaves_per_task);
    complete(directory);
  }

  void add_entry(Directory& directory, DirectoryEntry& found) {
    TreeEntry entry;
    entry.name = std::move(found.name);
    switch (found.type) {
      case DT_REG: entry.kind = EntryKind::file; break;
      case DT_LNK: entry.kind = EntryKind::symlink; break;
      case DT_DIR: entry.kind = EntryKind::directory; break;
      default: return reader_.leave_out(directory.path / entry.name);
    }
    if (entry.kind != EntryKind::symlink) reader_.check(entry, directory.path);
    directory.tree.entries.push_back(std::move(entry));
  }

  void push_ranges(Task task, size_t count, size_t size) {
    for (size_t from = 0; from < count; from += size) {
      task.from = from;
      task.to = std::min(count, from + size);
      tasks_.push(task);
    }
  }

  void read_leaves(const std::shared_ptr<Directory>& directory, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      const size_t index = directory->leaves[i];
      const bool is_link = directory->tree.entries[index].kind == EntryKind::symlink;
      if (is_link ? read_link(*directory, index) : read_file(directory, index))
        progress_.files_done.fetch_add(1, std::memory_order_relaxed);
    }
    if (--directory->ranges_missing == 0) directory->fd.close();
    complete(directory);
  }

  // These three say whether the entry is complete. Here it is not, and will not be.
  static bool leave_gone(Directory& directory, size_t index) {
    directory.gone.lock()->push_back(index);
    return false;
  }

  bool read_link(Directory& directory, size_t index) {
    TreeEntry& entry = directory.tree.entries[index];
    std::array<char, 4096> target;
    const ssize_t size = ::readlinkat(directory.fd.get(), entry.name.c_str(), target.data(), target.size());
    if (size < 0 && liveness_ == Liveness::live && (errno == ENOENT || errno == EINVAL))
      return leave_gone(directory, index);
    if (size < 0) throw error_from_errno(errno, "read the symbolic link", (directory.path / entry.name).native());
    entry.target.assign(target.data(), static_cast<size_t>(size));
    reader_.check(entry, directory.path);
    return true;
  }

  // If not complete and not gone, its parts wait on the stack.
  bool read_file(const std::shared_ptr<Directory>& directory, size_t index) {
    TreeEntry& entry = directory->tree.entries[index];
    fault::point("scan.opening");
    // Without O_NONBLOCK, a pipe that took the file's place would hang us.
    Fd fd(::openat(directory->fd.get(), entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd && liveness_ == Liveness::live && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
      return leave_gone(*directory, index);
    if (!fd) throw error_from_errno(errno, "open", (directory->path / entry.name).native());
    Reading reading = reader_.read_file(std::move(fd), directory->path, entry);
    if (!reading.is_there) return leave_gone(*directory, index);
    if (!reading.large) return true;
    ++directory->missing;
    push_large(directory, index, std::move(reading.large));
    return false;
  }

  void push_large(const std::shared_ptr<Directory>& directory, size_t index, std::unique_ptr<LargeFile> file) {
    auto large = std::make_shared<Large>();
    large->file = std::move(file);
    large->index = index;
    large->missing = large->file->parts();
    push_ranges({Task::Kind::parts, directory, large}, large->file->parts(), parts_per_task);
  }

  void read_parts(const std::shared_ptr<Directory>& directory, Large& large, size_t from, size_t to) {
    for (size_t part = from; part < to; ++part) large.file->read(part);
    if ((large.missing -= to - from) != 0) return;
    if (auto again = large.file->finish(directory->tree.entries[large.index]))
      return push_large(directory, large.index, std::move(again));
    progress_.files_done.fetch_add(1, std::memory_order_relaxed);
    complete(directory);
  }

  // A subdirectory that is gone.
  void drop(const std::shared_ptr<Directory>& parent, size_t index) {
    leave_gone(*parent, index);
    complete(parent);
  }

  void complete(std::shared_ptr<Directory> directory) {
    while (--directory->missing == 0) {
      if (!directory->gone.lock()->empty()) {
        if (directory->listings == attempts_max) refuse_changing(*directory);
        tasks_.push({.directory = std::move(directory)});
        return;
      }
      const TreeSummary summary = reader_.finish(directory->tree);
      const auto parent = directory->parent;
      if (!parent) {
        summary_ = summary;
        return;
      }
      TreeEntry& entry = parent->tree.entries[directory->index];
      entry = directory_entry(std::move(entry.name), summary);
      directory = parent;
    }
  }

  const Liveness liveness_;
  HostReader& reader_;
  Progress& progress_;
  const std::stop_token stop_;
  Fd root_;
  TaskStack<Task> tasks_;
  TreeSummary summary_;
};

}  // namespace

TreeSummary scan_directory(const Path& directory, Liveness liveness, HostReader& reader, Progress& progress,
                           Threads threads, const std::stop_token& stop) {
  return Scan(liveness, reader, progress, stop).run(directory, threads);
}

}  // namespace volary
