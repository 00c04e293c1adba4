// store/check.cc: marking what can be reached, and finding the way to what is damaged.
#include "store/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.h"
#include "core/synced.h"
#include "store/layout.h"
#include "store/part_hash.h"
#include "store/task_stack.h"

namespace volary {
namespace {

// All bytes of a tree's file, or what is wrong.
std::variant<std::string, Flaw> bytes_of_tree(const Path& path, const Digest& digest) {
  const std::string thing = "tree " + digest.hex();
  const auto flaw = [&](const std::string& what) { return Flaw{ObjectKind::tree, digest, thing + what}; };
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return flaw(errno == ENOENT ? " is missing" : " cannot be read: " + reason_of(errno));
  std::string bytes;
  for (const std::span<char> block = thread_block();;) {
    const ssize_t size = ::read(fd.get(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return flaw(" cannot be read: " + reason_of(errno));
    if (size == 0) return bytes;
    bytes.append(block.data(), static_cast<size_t>(size));
    if (bytes.size() > tree_bytes_max) return flaw(" is too large to be a tree");
  }
}

class Marking {
 public:
  Marking(const Store& store, Marks& marks, Progress& progress, const std::stop_token& stop)
      : store_(store), layout_(store.root()), marks_(marks), progress_(progress), stop_(stop) {}

  std::vector<Flaw> run(const std::vector<Digest>& roots, size_t threads) {
    for (const Digest& root : roots) add_tree(root);
    tasks_.run(reading(threads), [&](const Digest& digest) { visit(digest); });
    auto flaws = std::move(*flaws_.lock());
    std::sort(flaws.begin(), flaws.end(), [](const Flaw& a, const Flaw& b) { return a.digest < b.digest; });
    return flaws;
  }

 private:
  void add_tree(const Digest& digest) {
    if (digest != empty_tree().tree && marks_.trees.insert(digest)) {
      tasks_.push(digest);
      ++progress_.files_total;
    }
  }

  void visit(const Digest& digest) {
    if (stop_.stop_requested()) throw Error(Errc::unavailable, "the work was asked to stop");
    auto outcome = try_read_tree(store_, digest);
    ++progress_.files_done;
    if (auto* flaw = std::get_if<std::string>(&outcome)) {
      flaws_.lock()->push_back({ObjectKind::tree, digest, std::move(*flaw)});
      return;
    }
    const Tree& tree = std::get<Tree>(outcome);
    std::vector<const TreeEntry*> blobs;  // New ones: their sizes are asked for without the lock.
    {
      const std::lock_guard guard(marking_);
      if (const auto status = stat_of(layout_.tree_path(digest))) marks_.tree_bytes += status->st_size;
      for (const TreeEntry& entry : tree.entries) {
        if (entry.kind == EntryKind::directory) add_tree(entry.digest);
        if (entry.kind != EntryKind::file || !marks_.blobs.insert(entry.digest)) continue;
        marks_.blob_bytes += entry.size;
        blobs.push_back(&entry);
      }
    }
    for (const TreeEntry* entry : blobs) look_at(*entry);
  }

  void look_at(const TreeEntry& entry) {
    const auto status = stat_of(layout_.blob_path(entry.digest));
    const auto flaw = [&](const std::string& what) {
      flaws_.lock()->push_back({ObjectKind::blob, entry.digest, "object " + entry.digest.hex() + what});
    };
    if (!status) return flaw(" is missing");
    if (!S_ISREG(status->st_mode)) return flaw(" is no regular file");
    if (static_cast<uint64_t>(status->st_size) != entry.size)
      flaw(fmt::format(" has {} bytes: expected {}", status->st_size, entry.size));
  }

  const Store& store_;
  const Layout layout_;
  Marks& marks_;
  Progress& progress_;
  const std::stop_token& stop_;
  std::mutex marking_;
  TaskStack<Digest> tasks_;
  Synced<std::vector<Flaw>> flaws_;
};

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == text.npos; }

bool is_fan_name(const DirectoryEntry& entry) {
  return entry.type == DT_DIR && entry.name.size() == 2 && is_hex(entry.name);
}

std::optional<Digest> digest_named(const std::string& fan, const DirectoryEntry& entry) {
  if (entry.type != DT_REG || entry.name.size() != 62 || !is_hex(entry.name)) return std::nullopt;
  return Digest::try_parse(fan + entry.name);
}

}  // namespace

std::variant<Tree, std::string> try_read_tree(const Store& store, const Digest& digest) {
  if (digest == empty_tree().tree) return Tree{};
  auto outcome = bytes_of_tree(Layout(store.root()).tree_path(digest), digest);
  if (auto* flaw = std::get_if<Flaw>(&outcome)) return std::move(flaw->what);
  const std::string& bytes = std::get<std::string>(outcome);
  if (const Digest found = Digest::of(bytes); found != digest)
    return fmt::format("the bytes of tree {} hash to {}", digest.hex(), found.hex());
  auto decoded = try_decode(bytes);
  if (const auto* flaw = std::get_if<std::string>(&decoded))
    return fmt::format("tree {} is no tree: {}", digest.hex(), *flaw);
  return decoded;
}

std::vector<Flaw> mark(const Store& store, const std::vector<Digest>& roots, Marks& marks, Progress& progress,
                       size_t threads, const std::stop_token& stop) {
  return Marking(store, marks, progress, stop).run(roots, threads);
}

std::vector<std::string> strays_of(const Store& store, size_t limit) {
  std::vector<std::string> strays;
  const auto add = [&](const Path& path) {
    if (strays.size() < limit) strays.push_back(printable(path.lexically_relative(store.root()).native()));
  };
  for (const char* kind : {"objects", "trees"}) {
    const Path directory = store.root() / kind;
    for (const DirectoryEntry& fan : list_directory(directory)) {
      if (!is_fan_name(fan)) {
        add(directory / fan.name);
        continue;
      }
      for (const DirectoryEntry& entry : list_directory(directory / fan.name))
        if (!digest_named(fan.name, entry)) add(directory / fan.name / entry.name);
    }
  }
  return strays;
}

void each_object_file(const Path& directory, const Digest& after, const VisitObject& visit) {
  if (!is_present(directory)) return;
  const std::string first = after.hex().substr(0, 2);
  for (const DirectoryEntry& fan : list_directory(directory)) {
    if (!is_fan_name(fan) || fan.name < first) continue;
    const Path below = directory / fan.name;
    for (const DirectoryEntry& entry : list_directory(below)) {
      const auto digest = digest_named(fan.name, entry);
      if (!digest || !(after < *digest)) continue;
      if (const auto status = stat_of(below / entry.name)) visit(*digest, *status);
    }
  }
}

Affected::Affected(const Store& store, const std::vector<Flaw>& flaws) : store_(store) {
  for (const Flaw& flaw : flaws) (flaw.kind == ObjectKind::tree ? trees_ : blobs_).insert(flaw.digest);
}

void Affected::below(const Digest& root, size_t limit,
                     const std::function<void(const TreePath&, const Digest&)>& found) {
  if (trees_.size() + blobs_.size() > 0) walk(root, {}, limit, found);
}

bool Affected::walk(const Digest& digest, const TreePath& path, size_t& left,
                    const std::function<void(const TreePath&, const Digest&)>& found) {
  if (left == 0) return true;
  const auto tell = [&](const TreePath& at, const Digest& what) {
    if (left == 0) return;
    --left;
    found(at, what);
  };
  if (trees_.contains(digest)) {
    tell(path, digest);
    return true;
  }
  if (clean_.contains(digest)) return false;
  const auto outcome = try_read_tree(store_, digest);
  const Tree* tree = std::get_if<Tree>(&outcome);
  if (!tree) return true;  // Found by nobody yet; what is below is not known.
  bool damaged = false;
  for (const TreeEntry& entry : tree->entries) {
    if (entry.kind == EntryKind::file && blobs_.contains(entry.digest)) {
      tell(path.child(entry.name), entry.digest);
      damaged = true;
    }
    if (entry.kind == EntryKind::directory && walk(entry.digest, path.child(entry.name), left, found)) damaged = true;
  }
  if (!damaged) clean_.insert(digest);
  return damaged;
}

}  // namespace volary
