// mount/link_farm.cc: mount/link_farm.h.
#include "mount/link_farm.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.h"
#include "core/fault.h"

namespace volary {
namespace {

constexpr uint64_t bytes_per_block = 512;  // Of stat's st_blocks.

class LinkFarm {
 public:
  explicit LinkFarm(const Store& store) : store_(store) {}

  void make_directory_of(const Digest& tree, const Path& directory) {
    make_directory(directory, 0755);
    const Fd fd = open_directory(directory, Follow::no);
    const Tree entries = store_.read_tree(tree);
    for (const TreeEntry& entry : entries.entries) {
      fault::point("mount.farm.entry");
      if (entry.kind == EntryKind::directory) make_directory_of(entry.digest, directory / entry.name);
      else if (entry.kind == EntryKind::symlink) make_symlink(entry.target, directory / entry.name);
      else add_file(entry, fd.get(), directory);
    }
    bytes_ += bytes_on_disk(stat_of(fd.get(), directory));
  }

  uint64_t bytes() const { return bytes_; }

 private:
  void add_file(const TreeEntry& entry, int fd, const Path& directory) {
    const Path path = directory / entry.name;
    if (entry.size == 0) return void(create_file(path, entry.executable ? 0555 : 0444));  // No object is needed.
    if (entry.executable) return copy(entry, path, 0555);
    if (::linkat(AT_FDCWD, store_.blob_path(entry.digest).c_str(), fd, entry.name.c_str(), 0) == 0) return;
    // Too many links, or objects that are not ours to link (fs.protected_hardlinks).
    if (errno == EMLINK || errno == EPERM || errno == EXDEV) return copy(entry, path, 0444);
    throw error_from_errno(errno, "link object " + entry.digest.hex() + " as", path.native());
  }

  void copy(const TreeEntry& entry, const Path& path, mode_t mode) {
    const Path source = store_.blob_path(entry.digest);
    const Fd from = open_to_read(source);
    const Fd to = create_file(path, mode);
    uint64_t left = stat_of(from.get(), source).st_size;
    while (left > 0) {
      const ssize_t size = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, left, 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) throw error_from_errno(errno, "copy " + source.native() + " to", path.native());
      if (size == 0) throw Error(Errc::corrupt, "object {} became shorter while it was copied", entry.digest.hex());
      left -= static_cast<uint64_t>(size);
    }
    bytes_ += bytes_on_disk(stat_of(to.get(), path));
  }

  static uint64_t bytes_on_disk(const struct stat& status) {
    return static_cast<uint64_t>(status.st_blocks) * bytes_per_block;
  }

  const Store& store_;
  uint64_t bytes_ = 0;
};

}  // namespace

uint64_t make_link_farm(const Store& store, const Digest& tree, const Path& directory) {
  LinkFarm farm(store);
  farm.make_directory_of(tree, directory);
  sync_file_system(open_directory(directory).get(), directory);
  return farm.bytes();
}

}  // namespace volary
