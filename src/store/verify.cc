// store/verify.cc: whether all that a tree refers to is there, whole and what it claims to be.
//
// Every tree and every blob is read once, from the disk: what the page cache holds of a file is dropped first, as far
// as nobody has it mapped. Nothing is thrown for damage, a disk that cannot be read included. Trees come first, and
// give the list of blobs; the blobs are read large ones first, each by all threads, then the small ones side by side.
// Only if something is wrong a second pass over the trees finds the paths that lead to it, so a clean verification
// keeps one digest per object and no path.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <variant>

#include "core/error.h"
#include "core/synced.h"
#include "core/workers.h"
#include "store/layout.h"
#include "store/part_hash.h"
#include "store/store.h"
#include "store/task_stack.h"

namespace volary {
namespace {

// What an entry claims; the same digest with another claim is another thing to check.
struct BlobClaim {
  uint64_t size = 0;
  Digest digest;
  auto operator<=>(const BlobClaim&) const = default;
};

struct TreeClaim {
  Digest digest;
  Digest checksum;
  uint64_t size = 0;
  uint64_t files = 0;
  auto operator<=>(const TreeClaim&) const = default;
};

TreeClaim claim_of(const TreeEntry& entry) { return {entry.digest, entry.checksum, entry.size, entry.files}; }

std::string not_readable(int failure) { return "cannot be read: " + reason_of(failure); }

// A file's descriptor, past the page cache; or what is wrong.
std::variant<Fd, std::string> open_on_disk(const Path& path, const std::string& thing) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return thing + (errno == ENOENT ? " is missing" : " " + not_readable(errno));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return fd;
}

class Verification {
 public:
  Verification(const Store& store, Progress& progress, size_t threads)
      : layout_(store.root()), progress_(progress), threads_(std::max<size_t>(threads, 1)) {}

  std::vector<Damage> run(const Digest& root) {
    auto outcome = read_tree(root);
    if (const auto* flaw = std::get_if<std::string>(&outcome)) return {{.path = {}, .what = *flaw}};
    const Tree tree = std::get<Tree>(std::move(outcome));
    scan_trees(tree);
    check_blobs();
    std::vector<Damage> damage;
    if (!tree_flaws_.lock()->empty() || !blob_flaws_.lock()->empty()) locate(tree, {}, damage);
    std::sort(damage.begin(), damage.end(), [](const Damage& a, const Damage& b) { return a.path < b.path; });
    return damage;
  }

 private:
  std::variant<Tree, std::string> read_tree(const Digest& digest) const {
    if (digest == empty_tree().tree) return Tree{};
    const std::string thing = "tree " + digest.hex();
    const Path path = layout_.tree_path(digest);
    auto opened = open_on_disk(path, thing);
    if (auto* flaw = std::get_if<std::string>(&opened)) return std::move(*flaw);
    const Fd& fd = std::get<Fd>(opened);
    std::string bytes;
    for (const std::span<char> block = thread_block();;) {
      const ssize_t size = ::read(fd.get(), block.data(), block.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return thing + " " + not_readable(errno);
      if (size == 0) break;
      bytes.append(block.data(), static_cast<size_t>(size));
      if (bytes.size() > tree_bytes_max) return thing + " is too large to be a tree";
    }
    if (const Digest found = Digest::of(bytes); found != digest)
      return fmt::format("the bytes of {} hash to {}", thing, found.hex());
    auto decoded = try_decode(bytes);
    if (const auto* flaw = std::get_if<std::string>(&decoded)) return fmt::format("{} is no tree: {}", thing, *flaw);
    return decoded;
  }

  void scan_trees(const Tree& root) {
    take_entries(root);
    trees_.run(reading(threads_), [&](const TreeClaim& claim) {
      auto outcome = read_tree(claim.digest);
      if (auto* flaw = std::get_if<std::string>(&outcome)) {
        tree_flaws_.lock()->emplace(claim, std::move(*flaw));
        return;
      }
      const Tree& tree = std::get<Tree>(outcome);
      if (claim_of(directory_entry({}, summary_of(tree))) != claim)
        tree_flaws_.lock()->emplace(claim, "its entry claims other sums than tree " + claim.digest.hex() + " has");
      take_entries(tree);
    });
  }

  void take_entries(const Tree& tree) {
    auto seen = seen_.lock();
    for (const TreeEntry& entry : tree.entries) {
      if (entry.kind == EntryKind::directory && seen->trees.insert(claim_of(entry)).second)
        trees_.push(claim_of(entry));
      if (entry.kind == EntryKind::file && seen->blobs.insert({entry.size, entry.digest}).second) {
        ++progress_.files_total;
        progress_.bytes_total += entry.size;
      }
    }
  }

  void check_blobs() {
    auto seen = seen_.lock();
    const std::vector<BlobClaim> blobs(seen->blobs.rbegin(), seen->blobs.rend());  // The largest first.
    seen->blobs.clear();
    size_t large = 0;
    while (large < blobs.size() && blobs[large].size >= large_file_bytes) check_blob(blobs[large++], threads_);
    for_each_index(blobs.size() - large, reading(threads_), [&](size_t i) { check_blob(blobs[large + i], 1); });
  }

  void check_blob(const BlobClaim& claim, size_t threads) {
    std::string flaw = flaw_of_blob(claim, threads);
    if (!flaw.empty()) blob_flaws_.lock()->emplace(claim, std::move(flaw));
    ++progress_.files_done;
  }

  std::string flaw_of_blob(const BlobClaim& claim, size_t threads) {
    const std::string thing = "object " + claim.digest.hex();
    const Path path = layout_.blob_path(claim.digest);
    auto opened = open_on_disk(path, thing);
    if (auto* flaw = std::get_if<std::string>(&opened)) return *flaw;
    const Fd& fd = std::get<Fd>(opened);
    const auto size = static_cast<uint64_t>(stat_of(fd.get(), path).st_size);
    if (size != claim.size) return fmt::format("{} has {} bytes: expected {}", thing, size, claim.size);
    PartHash hash(fd.get(), size);
    for_each_index(hash.parts(), threads, [&](size_t part) { progress_.bytes_done += hash.hash(part); });
    if (hash.failure() != 0) return thing + " " + not_readable(hash.failure());
    if (hash.digest() == claim.digest) return {};
    return fmt::format("the bytes of {} hash to {}", thing, hash.digest().hex());
  }

  // Names every path to something that is wrong. What lies below a tree that cannot be read is not known.
  void locate(const Tree& tree, const TreePath& path, std::vector<Damage>& damage) {
    for (const TreeEntry& entry : tree.entries) {
      const TreePath here = path.child(entry.name);
      if (entry.kind == EntryKind::file) {
        auto flaws = blob_flaws_.lock();
        if (const auto flaw = flaws->find({entry.size, entry.digest}); flaw != flaws->end())
          damage.push_back({.path = here, .what = flaw->second});
      }
      if (entry.kind != EntryKind::directory) continue;
      {
        auto flaws = tree_flaws_.lock();
        if (const auto flaw = flaws->find(claim_of(entry)); flaw != flaws->end())
          damage.push_back({.path = here, .what = flaw->second});
      }
      auto outcome = read_tree(entry.digest);
      if (const auto* below = std::get_if<Tree>(&outcome)) locate(*below, here, damage);
    }
  }

  struct Seen {
    std::set<TreeClaim> trees;
    std::set<BlobClaim> blobs;
  };

  const Layout layout_;
  Progress& progress_;
  size_t threads_;
  TaskStack<TreeClaim> trees_;
  Synced<Seen> seen_;
  Synced<std::map<TreeClaim, std::string>> tree_flaws_;
  Synced<std::map<BlobClaim, std::string>> blob_flaws_;
};

}  // namespace

std::vector<Damage> verify(const Store& store, const Digest& tree, Progress& progress, size_t threads) {
  return Verification(store, progress, threads).run(tree);
}

}  // namespace volary
