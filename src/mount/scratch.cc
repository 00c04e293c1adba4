// mount/scratch.cc: mount/scratch.h.
#include "mount/scratch.h"

#include <unistd.h>

#include <cerrno>

#include "core/json.h"

namespace volary {
namespace {

struct ScratchMark {
  std::string xattrs;  // "trusted" or "user".
  Digest tree;
};
BOOST_DESCRIBE_STRUCT(ScratchMark, (), (xattrs, tree))

constexpr uint64_t mark_bytes_max = 4096;

std::string_view name_of_xattrs(OverlayXattrs xattrs) { return xattrs == OverlayXattrs::user ? "user" : "trusted"; }
Path mark_of(const Path& directory) { return directory / "mount.json"; }

std::optional<ScratchMark> try_read_mark(const Path& directory) {
  const auto text = try_read_file(mark_of(directory), mark_bytes_max);
  if (!text) return std::nullopt;
  return from_json<ScratchMark>(parse_json(*text, mark_of(directory).native()), "mount");
}

Scratch scratch_at(const Path& directory, OverlayXattrs xattrs) {
  return {.upper = directory / upper_name, .work = directory / "work", .xattrs = xattrs};
}

void check_tree(const ScratchMark& mark, const Path& directory, const Digest& tree) {
  if (mark.tree != tree)
    throw Error(Errc::conflict, "'{}' holds changes of tree {}: expected tree {}", directory.native(), mark.tree.hex(),
                tree.hex());
}

// In a user namespace only our own user exists, and the job is it.
void make_owned_directory(const Path& path, OverlayXattrs xattrs, Owner owner) {
  make_directory(path, 0755);
  if (xattrs == OverlayXattrs::trusted && ::lchown(path.c_str(), owner.uid, owner.gid) < 0)
    throw error_from_errno(errno, "change the owner of", path.native());
}

}  // namespace

Scratch make_scratch(const Path& directory, const Digest& tree, OverlayXattrs xattrs, Owner owner) {
  if (const auto mark = try_read_mark(directory)) {
    check_tree(*mark, directory, tree);
    if (mark->xattrs != name_of_xattrs(xattrs))
      throw Error(Errc::conflict, "'{}' holds changes written with {} attributes: expected {}", directory.native(),
                  mark->xattrs, name_of_xattrs(xattrs));
    return scratch_at(directory, xattrs);
  }
  const Scratch scratch = scratch_at(directory, xattrs);
  make_directories(directory, 0755);
  make_owned_directory(scratch.upper, xattrs, owner);
  make_owned_directory(scratch.work, xattrs, owner);
  const ScratchMark mark{.xattrs = std::string(name_of_xattrs(xattrs)), .tree = tree};
  write_file_durably(mark_of(directory), print_json(to_json(mark)), 0600);
  return scratch;
}

Scratch open_scratch(const Path& directory, const Digest& tree) {
  const auto mark = try_read_mark(directory);
  if (!mark) throw Error(Errc::not_found, "'{}' holds no changes: nothing was mounted with it", directory.native());
  check_tree(*mark, directory, tree);
  return scratch_at(directory, mark->xattrs == "user" ? OverlayXattrs::user : OverlayXattrs::trusted);
}

}  // namespace volary
