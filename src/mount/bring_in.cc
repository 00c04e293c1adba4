// mount/bring_in.cc: the steps from one tree to the other, and each of them made in the directory if it still fits.
#include "mount/bring_in.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "core/error_of.h"
#include "core/fault.h"
#include "core/tree_path.h"
#include "mount/scratch.h"

namespace volary {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::milliseconds ask_every{100};

using Entry = std::optional<TreeEntry>;  // Nothing: no such name.

bool is_directory(const Entry& entry) { return entry && entry->kind == EntryKind::directory; }

struct Step {
  TreePath path;
  Entry before, after;  // Directories as nothing: they have steps of their own.
};

struct Steps {
  std::vector<TreePath> gone;  // Directories, those below first.
  std::vector<TreePath> made;  // Directories, those above first.
  std::vector<Step> files;     // Files and links.
};

Tree tree_of(const Store& store, const Entry& entry) {
  return is_directory(entry) ? store.read_tree(entry->digest) : Tree();
}

Entry unless_directory(const Entry& entry) { return is_directory(entry) ? std::nullopt : entry; }

void collect(const Store& store, const TreePath& path, const Entry& before, const Entry& after, Steps& steps) {
  const Tree old_tree = tree_of(store, before);
  const Tree new_tree = tree_of(store, after);
  const auto visit = [&](const TreeEntry* was, const TreeEntry* is) {
    if (was && is && *was == *is) return;
    const Entry old_entry = was ? Entry(*was) : std::nullopt;
    const Entry new_entry = is ? Entry(*is) : std::nullopt;
    const TreePath child = path.child(was ? was->name : is->name);
    if (!is_directory(old_entry) || !is_directory(new_entry)) {
      if (is_directory(new_entry)) steps.made.push_back(child);
      if (unless_directory(old_entry) || unless_directory(new_entry))
        steps.files.push_back({child, unless_directory(old_entry), unless_directory(new_entry)});
    }
    if (is_directory(old_entry) || is_directory(new_entry)) collect(store, child, old_entry, new_entry, steps);
    if (is_directory(old_entry) && !is_directory(new_entry)) steps.gone.push_back(child);
  };
  auto was = old_tree.entries.begin();
  auto is = new_tree.entries.begin();
  while (was != old_tree.entries.end() || is != new_tree.entries.end()) {
    const bool has_both = was != old_tree.entries.end() && is != new_tree.entries.end();
    const int order = has_both ? was->name.compare(is->name) : was != old_tree.entries.end() ? -1 : 1;
    visit(order <= 0 ? &*was : nullptr, order >= 0 ? &*is : nullptr);
    if (order <= 0) ++was;
    if (order >= 0) ++is;
  }
}

bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino && one.st_size == other.st_size &&
         one.st_mode == other.st_mode && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
         one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

// Asks no more often than it needs to; after the first no there is no other answer.
class Asking {
 public:
  explicit Asking(const std::function<bool()>& goes_on) : goes_on_(goes_on) {}

  bool goes_on() {
    if (const auto now = steady_clock::now(); said_ && now - asked_at_ >= ask_every) {
      said_ = goes_on_();
      asked_at_ = steady_clock::now();
    }
    return said_;
  }
  bool said() const { return said_; }

 private:
  const std::function<bool()>& goes_on_;
  steady_clock::time_point asked_at_ = steady_clock::now();
  bool said_ = true;
};

class FileSink final : public Sink {
 public:
  FileSink(int fd, const Path& name, Asking& asking) : fd_(fd), name_(name), asking_(asking) {}

  void write(std::string_view bytes) override {
    if (!asking_.goes_on()) throw Error(Errc::conflict, "'{}' is needed no more", name_.native());
    write_all(fd_, bytes, name_);
  }

 private:
  int fd_;
  const Path& name_;
  Asking& asking_;
};

// A name in a directory that is open, and what stands there.
struct Found {
  int directory = -1;
  std::string name;
  Path shown;  // For messages.
  std::optional<struct stat> status = {};
};

std::optional<struct stat> status_of(const Found& found) {
  struct stat status {};
  if (::fstatat(found.directory, found.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw error_from_errno(errno, "stat", found.shown.native());
}

bool holds(const Found& found, uint64_t size, const Digest& digest, Asking& asking) {
  const Fd fd(::openat(found.directory, found.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return false;  // It went, or its owner closed it to us: his doing, either way.
  if (!is_same_file(stat_of(fd.get(), found.shown), *found.status)) return false;
  std::vector<char> block(std::min<uint64_t>(size + 1, 1 << 20));
  Hasher hasher;
  uint64_t total = 0;
  while (const size_t count = read_some(fd.get(), block, found.shown)) {
    hasher.update({block.data(), count});
    if ((total += count) > size || !asking.goes_on()) return false;
  }
  return total == size && hasher.finish() == digest;
}

// Whether what was found is what `entry` says.
bool is_as(const Found& found, const Entry& entry, Asking& asking) {
  if (!entry || !found.status) return !entry && !found.status;
  const struct stat& status = *found.status;
  if (entry->kind == EntryKind::symlink) {
    if (!S_ISLNK(status.st_mode)) return false;
    std::string target(link_target_bytes_max + 1, '\0');
    const ssize_t size = ::readlinkat(found.directory, found.name.c_str(), target.data(), target.size());
    return size >= 0 && std::string_view(target).substr(0, static_cast<size_t>(size)) == entry->target;
  }
  return S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) == entry->size &&
         ((status.st_mode & S_IXUSR) != 0) == entry->executable && holds(found, entry->size, entry->digest, asking);
}

class BringIn {
 public:
  BringIn(const Store& store, const Fd& directory, const std::string& name, const std::function<bool()>& goes_on)
      : store_(store), root_(directory.get()), name_(name), asking_(goes_on),
        owner_(stat_of(directory.get(), "the directory of a job")) {}

  BroughtIn run(const Steps& steps) {
    clear_name();
    const bool removed = each(steps.files, [&](const Step& step) {
      if (!step.after) bring(step);
    });
    if (!removed) return result_;
    // A file may stand where a directory is to be made: it goes first. A directory that is not empty is theirs.
    for (const TreePath& path : steps.gone) remove_directory(path);
    for (const TreePath& path : steps.made) make_directory_at(path);
    each(steps.files, [&](const Step& step) {
      if (step.after) bring(step);
    });
    return result_;
  }

 private:
  template <class Act>
  bool each(const std::vector<Step>& steps, Act act) {
    for (const Step& step : steps) {
      if (asking_.goes_on()) act(step);
      if (!asking_.said()) return result_.is_whole = false;
    }
    return true;
  }

  void stays(const TreePath& path) {
    if (result_.stayed++ == 0) result_.first_stayed = path.text();
  }

  // Of a crash. A directory of that name is somebody's, and stays in the way.
  void clear_name() const {
    if (::unlinkat(root_, name_.c_str(), 0) < 0 && errno != ENOENT)
      throw error_from_errno(errno, "remove", name_);
  }

  // Nothing if they removed it, it is no directory any more, or they closed it to those who are not root.
  Fd open_parent(const TreePath& path) const {
    const TreePath parent = path.parent();
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    const char* name = parent.is_root() ? "." : parent.text().c_str();
    for (;;) {
      const long fd = ::syscall(SYS_openat2, root_, name, &how, sizeof how);
      if (fd >= 0) {
        Fd opened(static_cast<int>(fd));
        return ::faccessat(opened.get(), ".", W_OK | X_OK, AT_EACCESS) == 0 ? std::move(opened) : Fd();
      }
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES) return Fd();
      if (errno != EINTR && errno != EAGAIN) throw error_from_errno(errno, "open", parent.text());
    }
  }

  void own(int directory, const std::string& name) const {
    if (::geteuid() == 0 &&
        ::fchownat(directory, name.c_str(), owner_.st_uid, owner_.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
      throw error_from_errno(errno, "change the owner of", name);
  }

  void remove_directory(const TreePath& path) const {
    const Fd parent = open_parent(path);
    if (parent) ::unlinkat(parent.get(), std::string(path.name()).c_str(), AT_REMOVEDIR);
  }

  // Where they made another thing of that name, or removed what it was to lie in, what was to lie in it stays away.
  void make_directory_at(const TreePath& path) const {
    const Fd parent = open_parent(path);
    if (!parent) return;
    const std::string name(path.name());
    if (::mkdirat(parent.get(), name.c_str(), 0755) == 0) return own(parent.get(), name);
    if (errno != EEXIST) throw error_from_errno(errno, "make the directory", path.text());
  }

  void bring(const Step& step) {
    const Fd parent = open_parent(step.path);
    if (!parent) {
      if (step.after) stays(step.path);
      return;
    }
    Found found{parent.get(), std::string(step.path.name()), step.path.text()};
    found.status = status_of(found);
    if (is_as(found, step.after, asking_)) return;
    if (!is_as(found, step.before, asking_)) return stays(step.path);
    fault::point("mount.bring_in.file");
    bool is_put = false;
    const auto error = error_of([&] {
      if (step.after) write(*step.after, step.path);
      fault::point("mount.bring_in.written");
      const auto now = status_of(found);
      const bool is_left_alone = found.status ? now && is_same_file(*found.status, *now) : !now;
      is_put = is_left_alone && put(found, step);
    });
    if (!is_put && step.after) clear_name();
    if (error && !asking_.said()) return;
    if (error) throw Error(*error);
    if (!is_put) return stays(step.path);
    ++result_.files;
    fault::point("mount.bring_in.brought");
  }

  // Under its first name.
  void write(const TreeEntry& entry, const TreePath& path) {
    during("bringing '" + path.text() + "'", [&] {
      if (entry.kind == EntryKind::symlink) {
        if (::symlinkat(entry.target.c_str(), root_, name_.c_str()) < 0)
          throw error_from_errno(errno, "make the link", name_);
        return own(root_, name_);
      }
      const Fd fd(::openat(root_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (!fd) throw error_from_errno(errno, "create", name_);
      const Path shown = name_;
      FileSink sink(fd.get(), shown, asking_);
      store_.read_blob(entry.digest, sink);
      if (::fchmod(fd.get(), entry.executable ? 0755 : 0644) < 0) throw error_from_errno(errno, "change", name_);
      if (::geteuid() == 0 && ::fchown(fd.get(), owner_.st_uid, owner_.st_gid) < 0)
        throw error_from_errno(errno, "change the owner of", name_);
    });
  }

  // From there to its place; or away. False if there is another thing by now.
  bool put(const Found& found, const Step& step) const {
    int failed = 0;
    if (!step.after) failed = ::unlinkat(found.directory, found.name.c_str(), 0);
    else
      failed = ::renameat2(root_, name_.c_str(), found.directory, found.name.c_str(),
                           found.status ? 0 : RENAME_NOREPLACE);
    if (failed == 0) return true;
    if (errno == EEXIST || errno == EISDIR || errno == ENOENT || errno == ENOTDIR) return false;
    throw error_from_errno(errno, step.after ? "replace" : "remove", step.path.text());
  }

  const Store& store_;
  const int root_;
  const std::string& name_;
  Asking asking_;
  const struct stat owner_;
  BroughtIn result_;
};

}  // namespace

BroughtIn bring_in(const Store& store, const Fd& directory, const Digest& before, const Digest& after,
                   const std::string& name, const std::function<bool()>& goes_on) {
  Steps steps;
  const auto root = [&](const Digest& tree) {
    TreeEntry entry;
    entry.kind = EntryKind::directory;
    entry.digest = tree;
    return entry;
  };
  if (before != after) collect(store, {}, root(before), root(after), steps);
  return BringIn(store, directory, name, goes_on).run(steps);
}

void forget_bring_in(const Path& scratch, const std::string& name) {
  const Path left = scratch / upper_name / name;
  if (::unlink(left.c_str()) < 0 && errno != ENOENT && errno != EISDIR)  // A directory is somebody's.
    throw error_from_errno(errno, "remove", left.native());
}

}  // namespace volary
