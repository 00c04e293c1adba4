// mount/harvest.cc: from the upper directory of an overlay to the changes of a tree.
//
// The walk goes through the upper directory only, and beside each upper directory keeps two trees:
//
//   lower   what overlayfs showed through it: the directory of that name, or what a redirect names, or none if opaque
//   here    what stands at this path if the job changes nothing below it
//
// Neither is read where it is not asked for: a file that was written is new, whatever stood there before.
//
// Both are the same digest nearly everywhere. Where a directory was renamed or replaced they differ, and then the
// change of the directory itself comes first: its lower tree is put there whole, by its digest, and the walk goes on
// in it.
//
// With Deletions::keep the result is exactly the merged view. With Deletions::drop it is the union of the attached
// tree and the merged view, the view winning: a rename adds the new name and the old one stays.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error_of.h"
#include "core/fault.h"
#include "mount/changed_files.h"
#include "mount/scratch.h"
#include "mount/upper.h"

namespace volary {
namespace {

constexpr int walks_max = 10;

// One upper directory to be walked.
struct Place {
  TreePath path;
  std::optional<Digest> lower;
  std::optional<Digest> here;
};

// One name in it.
struct Found {
  std::string name;
  TreePath path;
  struct stat status {};
  Marks marks;
};

// The entries of a tree, or none; read when they are first asked for.
class Entries {
 public:
  Entries(Commit& commit, const std::optional<Digest>& tree) : commit_(commit), digest_(tree) {}

  std::optional<TreeEntry> find(std::string_view name) {
    if (!digest_) return std::nullopt;
    if (!tree_) tree_ = commit_.read_tree(*digest_);
    return tree_->find(name);
  }

 private:
  Commit& commit_;
  const std::optional<Digest> digest_;
  std::shared_ptr<const EncodedTree> tree_;
};

// What may be said of the names in one directory.
struct Sides {
  Entries& lower;
  Entries& here;
};

std::string_view kind_of_special(mode_t mode) {
  if (S_ISSOCK(mode)) return "socket";
  if (S_ISFIFO(mode)) return "pipe";
  if (S_ISBLK(mode)) return "block device";
  return "character device";
}

TreeEntry empty_directory() { return directory_entry("", empty_tree()); }

class Walk {
 public:
  Walk(Commit& commit, const Upper& upper, const Digest& tree, Deletions deletions)
      : commit_(commit), upper_(upper), tree_(tree), deletions_(deletions) {}

  void run() {
    places_.push_back({.path = {}, .lower = tree_, .here = tree_});
    while (!places_.empty()) {
      const Place place = std::move(places_.back());
      places_.pop_back();
      visit(place);
    }
    std::sort(harvest.left_out.begin(), harvest.left_out.end());
  }

  Harvest harvest;
  ChangedFiles files;  // What is still to be read for `harvest`.

 private:
  void visit(const Place& place) {
    fault::point("mount.harvest.directory");
    const Fd fd = upper_.open_directory(place.path);
    Entries lower(commit_, place.lower);
    Entries other(commit_, place.here);
    const bool is_same = place.here == place.lower;
    const Sides sides{lower, is_same ? lower : other};
    for (DirectoryEntry& entry : list_directory(fd.get(), upper_.name_of(place.path))) {
      Found found{.name = std::move(entry.name), .path = {}, .marks = {}};
      if (::fstatat(fd.get(), found.name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) < 0)
        throw error_from_errno(errno, "stat", (upper_.name_of(place.path) / printable(found.name)).native());
      check_component(found.name, place.path.is_root() ? found.name : place.path.text() + "/" + found.name);
      found.path = place.path.child(found.name);
      found.marks = upper_.marks_of(fd.get(), found.name, found.status);
      if (!is_same) bring_back(found, sides);
      visit_name(found, fd.get(), sides);
    }
  }

  // The lower tree was merged into what was here, and the job did not leave this name as it was: back to what was here.
  void bring_back(const Found& found, const Sides& sides) {
    const auto before = sides.here.find(found.name);
    const auto under = sides.lower.find(found.name);
    if (under && under != before) put(found, before);
  }

  void visit_name(const Found& found, int directory, const Sides& sides) {
    if (found.marks.whiteout && fault::planted("harvest.drops_whiteouts")) return;
    if (found.marks.whiteout) return remove(found, sides);
    switch (found.status.st_mode & S_IFMT) {
      case S_IFDIR: return visit_directory(found, sides);
      case S_IFREG: return visit_file(found, sides);
      case S_IFLNK:
        return fault::planted("harvest.follows_links") ? visit_file(found, sides) : visit_link(found, directory, sides);
      default:
        harvest.left_out.push_back(fmt::format("{} '{}'", kind_of_special(found.status.st_mode), found.path.text()));
        remove(found, sides);
    }
  }

  void put(const Found& found, std::optional<TreeEntry> entry) {
    harvest.changes.push_back({.path = found.path, .entry = std::move(entry)});
  }

  void remove(const Found& found, const Sides& sides) {
    if (deletions_ == Deletions::keep && sides.here.find(found.name)) put(found, std::nullopt);
  }

  // What lies below a name whose redirect may say otherwise.
  std::optional<TreeEntry> lower_entry(const Found& found, const Sides& sides) const {
    const auto& redirect = found.marks.redirect;
    if (redirect && redirect->starts_with('/'))
      return find_entry(commit_.store(), tree_, TreePath::parse_directory(*redirect));
    return sides.lower.find(redirect ? *redirect : found.name);
  }

  void visit_directory(const Found& found, const Sides& sides) {
    const auto only_directory = [](std::optional<TreeEntry> entry) {
      return entry && entry->kind == EntryKind::directory ? std::move(entry) : std::nullopt;
    };
    auto under = found.marks.opaque ? std::nullopt : only_directory(lower_entry(found, sides));
    auto before = only_directory(sides.here.find(found.name));
    const bool replaces = deletions_ == Deletions::keep || !before;
    if (replaces && !(under && before && under->digest == before->digest)) {
      put(found, under ? *under : empty_directory());
    } else if (!replaces && under) {
      merge(found.path, under->digest, before->digest);
    }
    const auto digest = [](const std::optional<TreeEntry>& entry) {
      return entry ? std::optional(entry->digest) : std::nullopt;
    };
    // With `drop`, what only the renamed directory has is no old content of this path: a whiteout in it must take it
    // away.
    const auto& here = deletions_ == Deletions::keep ? under : before;
    places_.push_back({.path = found.path, .lower = digest(under), .here = digest(here)});
  }

  // Adds to the directory at `path`, which is `here`, all of `added`; what is in both as a directory is merged.
  void merge(const TreePath& path, const Digest& added, const Digest& here) {
    if (added == here) return;
    const Tree from = commit_.read_tree(added)->tree();
    const auto to = commit_.read_tree(here);
    for (const TreeEntry& entry : from.entries) {
      const auto known = to->find(entry.name);
      if (known == entry) continue;
      const TreePath child = path.child(entry.name);
      if (known && known->kind == EntryKind::directory && entry.kind == EntryKind::directory)
        merge(child, entry.digest, known->digest);
      else harvest.changes.push_back({.path = child, .entry = entry});
    }
  }

  void visit_file(const Found& found, const Sides& sides) {
    TreeEntry entry;
    entry.name = found.name;
    entry.executable = (found.status.st_mode & S_IXUSR) != 0;
    if (!found.marks.metacopy) {
      files.add(found.path, found.status, harvest.changes.size());
      return put(found, entry);
    }
    const auto source = lower_entry(found, sides);
    if (!source || source->kind != EntryKind::file)
      throw Error(Errc::corrupt, "'{}' has new attributes only, but '{}' is no file of the version", found.path.text(),
                  found.marks.redirect.value_or(found.name));
    entry.size = source->size;
    entry.digest = source->digest;
    if (entry != sides.here.find(found.name)) put(found, entry);
  }

  void visit_link(const Found& found, int directory, const Sides& sides) {
    std::array<char, link_target_bytes_max + 1> target;
    const ssize_t size = ::readlinkat(directory, found.name.c_str(), target.data(), target.size());
    if (size < 0) throw error_from_errno(errno, "read the symbolic link", upper_.name_of(found.path).native());
    TreeEntry entry;
    entry.name = found.name;
    entry.kind = EntryKind::symlink;
    entry.target.assign(target.data(), static_cast<size_t>(size));
    if (const std::string flaw = flaw_of_link_target(entry.target); !flaw.empty())
      throw Error(Errc::invalid, "the symbolic link '{}' cannot be kept: {}", found.path.text(), flaw);
    if (entry != sides.here.find(found.name)) put(found, entry);
  }

  Commit& commit_;
  const Upper& upper_;
  const Digest tree_;
  const Deletions deletions_;
  std::vector<Place> places_;
};

}  // namespace

Harvest harvest(const Store& store, Commit& commit, const Digest& tree, const Path& scratch, Deletions deletions,
                Progress& progress, Writers writers) {
  const Scratch opened = open_scratch(scratch, tree);
  const Upper upper(opened.upper, opened.xattrs);
  for (int attempt = 1;; ++attempt) {
    Walk walk(commit, upper, tree, deletions);
    const auto gone = error_of([&] { walk.run(); });
    // A directory that others took away while it was walked through is not there when it is looked for again.
    if (gone && (writers == Writers::gone || gone->code() != Errc::not_found)) throw Error(*gone);
    if (gone && attempt < walks_max) continue;
    if (gone)
      throw Error(Errc::conflict, "directories came and went whenever they were looked at, {} times: {}", walks_max,
                  gone->message());
    walk.files.read(upper, store, commit, walk.harvest, progress, writers);
    return std::move(walk.harvest);
  }
}

}  // namespace volary
