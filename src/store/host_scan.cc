// store/host_scan.cc: the threads behind store/host_scan.h.
//
// Three kinds of tasks lie on one stack: open a directory and list it; read some of its leaves; read parts of one
// large file. A directory counts what is still missing of it; whoever brings that to zero finishes it, fills its
// entry in its parent, and goes on with the parent. Below a directory's own leaves lie its subdirectories, so its
// descriptor is closed before the next level opens.
#include "store/host_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

#include "core/error.h"
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
  std::atomic<size_t> leaves_missing{0};
  std::atomic<size_t> missing{0};  // Leaves, subdirectories, and the listing itself.
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
  Scan(HostReader& reader, Progress& progress) : reader_(reader), progress_(progress) {}

  TreeSummary run(const Path& path, size_t threads) {
    auto root = std::make_shared<Directory>();
    root->path = path;
    tasks_.push({.directory = std::move(root)});
    tasks_.run(std::max<size_t>(threads, 1), [&](Task& task) {
      switch (task.kind) {
        case Task::Kind::directory: return list(task.directory);
        case Task::Kind::leaves: return read_leaves(task.directory, task.from, task.to);
        case Task::Kind::parts: return read_parts(task.directory, *task.large, task.from, task.to);
      }
    });
    return summary_;
  }

 private:
  void list(const std::shared_ptr<Directory>& directory) {
    const auto& parent = directory->parent;
    if (parent) directory->path = parent->path / parent->tree.entries[directory->index].name;
    directory->fd = open_directory(directory->path, parent ? Follow::no : Follow::yes);
    std::vector<size_t> subdirectories;
    for (DirectoryEntry& found : list_directory(directory->fd.get(), directory->path))
      add_entry(*directory, found, subdirectories);
    auto& entries = directory->tree.entries;
    const size_t leaves = entries.size() - subdirectories.size();
    directory->leaves_missing = leaves;
    directory->missing = entries.size() + 1;
    for (auto one = subdirectories.rbegin(); one != subdirectories.rend(); ++one) {
      auto child = std::make_shared<Directory>();
      child->parent = directory;
      child->index = *one;
      tasks_.push({.directory = std::move(child)});
    }
    if (leaves == 0) directory->fd.close();
    else if (leaves <= leaves_per_task) read_leaves(directory, 0, entries.size());
    else push_ranges({Task::Kind::leaves, directory}, entries.size(), leaves_per_task);
    complete(directory);
  }

  void add_entry(Directory& directory, DirectoryEntry& found, std::vector<size_t>& subdirectories) {
    TreeEntry entry;
    entry.name = std::move(found.name);
    switch (found.type) {
      case DT_REG: entry.kind = EntryKind::file; break;
      case DT_LNK: entry.kind = EntryKind::symlink; break;
      case DT_DIR:
        entry.kind = EntryKind::directory;
        subdirectories.push_back(directory.tree.entries.size());
        break;
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
      TreeEntry& entry = directory->tree.entries[i];
      if (entry.kind == EntryKind::directory) continue;
      bool is_complete = true;
      if (entry.kind == EntryKind::symlink) read_link(*directory, entry);
      else is_complete = read_file(directory, i);
      if (--directory->leaves_missing == 0) directory->fd.close();
      if (is_complete) complete_leaf(directory);
    }
  }

  void read_link(const Directory& directory, TreeEntry& entry) {
    std::array<char, 4096> target;
    const ssize_t size = ::readlinkat(directory.fd.get(), entry.name.c_str(), target.data(), target.size());
    if (size < 0) throw error_from_errno(errno, "read the symbolic link", (directory.path / entry.name).native());
    entry.target.assign(target.data(), static_cast<size_t>(size));
    reader_.check(entry, directory.path);
  }

  // Whether the entry is complete; otherwise its parts wait on the stack.
  bool read_file(const std::shared_ptr<Directory>& directory, size_t index) {
    TreeEntry& entry = directory->tree.entries[index];
    // Without O_NONBLOCK, a pipe that took the file's place would hang us.
    Fd fd(::openat(directory->fd.get(), entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd) throw error_from_errno(errno, "open", (directory->path / entry.name).native());
    auto file = reader_.read_file(std::move(fd), directory->path, entry);
    if (!file) return true;
    auto large = std::make_shared<Large>();
    large->file = std::move(file);
    large->index = index;
    large->missing = large->file->parts();
    push_ranges({Task::Kind::parts, directory, large}, large->file->parts(), parts_per_task);
    return false;
  }

  void read_parts(const std::shared_ptr<Directory>& directory, Large& large, size_t from, size_t to) {
    for (size_t part = from; part < to; ++part) large.file->read(part);
    if ((large.missing -= to - from) != 0) return;
    large.file->finish(directory->tree.entries[large.index]);
    complete_leaf(directory);
  }

  void complete_leaf(const std::shared_ptr<Directory>& directory) {
    progress_.files_done.fetch_add(1, std::memory_order_relaxed);
    complete(directory);
  }

  void complete(std::shared_ptr<Directory> directory) {
    while (--directory->missing == 0) {
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

  HostReader& reader_;
  Progress& progress_;
  TaskStack<Task> tasks_;
  TreeSummary summary_;
};

}  // namespace

TreeSummary scan_directory(const Path& directory, HostReader& reader, Progress& progress, size_t threads) {
  return Scan(reader, progress).run(directory, threads);
}

}  // namespace volary
