// mount/erofs_image_test.cc: the image against its references: fsck.erofs and dump.erofs of erofs-utils, and the
// kernel's own erofs.
#include "mount/erofs_image.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/xattr.h>

#include <algorithm>

#include "mount/mount_test.h"

namespace volary {
namespace {

// Trees in memory.
class Trees {
 public:
  Digest add(Tree tree) {
    std::sort(tree.entries.begin(), tree.entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const Digest digest = summary_of(tree).tree;
    trees_.insert({digest, std::move(tree)});
    return digest;
  }
  TreeEntry directory(const std::string& name, Tree tree) {
    const Digest digest = add(std::move(tree));
    return directory_entry(name, summary_of(trees_.at(digest)));
  }
  const Tree& at(const Digest& digest) const { return trees_.at(digest); }
  void write(const Digest& tree, const Path& path, Owner owner = {42420, 42421}) const {
    TempFile file(path.parent_path());
    write_erofs_image([this](const Digest& digest) { return at(digest); }, tree, owner, file);
    file.move_to(path);
  }

 private:
  std::map<Digest, Tree> trees_;
};

TreeEntry file(const std::string& name, uint64_t size, bool executable = false) {
  return {.name = name,
          .executable = executable,
          .size = size,
          .digest = Digest::of(name),
          .checksum = {},
          .target = {}};
}
TreeEntry link_to(const std::string& name, const std::string& target) {
  return {.name = name, .kind = EntryKind::symlink, .digest = {}, .checksum = {}, .target = target};
}

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string text;
  std::array<char, 4096> block{};
  while (const size_t size = std::fread(block.data(), 1, block.size(), pipe)) text.append(block.data(), size);
  const int status = ::pclose(pipe);
  return status == 0 ? text : text + " (status " + std::to_string(status) + ")";
}

// "" if it found nothing wrong. It recurses with large frames, so it gets a large stack.
std::string fsck(const Path& image) { return output_of("ulimit -s unlimited; fsck.erofs '" + image.native() + "'"); }

std::string xattr_of(const Path& path, const char* name) {
  std::array<char, 256> value{};
  const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
  return size < 0 ? "absent" : std::string(value.data(), static_cast<size_t>(size));
}

// What a directory of a mounted image has, without the whiteouts that only the root may have.
std::vector<DirectoryEntry> shown_in(const Path& directory) {
  std::vector<DirectoryEntry> names = list_directory(directory);
  std::erase_if(names, [&](const DirectoryEntry& one) {
    const auto status = stat_of(directory / one.name);
    return status && status->st_mode == S_IFCHR && status->st_rdev == 0;
  });
  return names;
}

// "" if `path` on a mounted image is what `entry` says, or what differs.
std::string difference(const Trees& trees, const TreeEntry& entry, const Path& path, Owner owner) {
  const auto status = stat_of(path);
  if (!status) return path.native() + " is absent";
  const auto is = [&](bool right, const char* what) {
    return right ? "" : path.native() + " has another " + what + "; ";
  };
  std::string all = is(status->st_uid == owner.uid && status->st_gid == owner.gid, "owner");
  if (status->st_mtime != 315532800) all += path.native() + " has another time";
  if (entry.kind == EntryKind::symlink)
    return all + is(status->st_mode == (S_IFLNK | 0777), "mode") +
           is(volary::read_symlink(path) == entry.target, "target");
  if (entry.kind == EntryKind::file) {
    all += is(status->st_mode == (S_IFREG | (entry.executable ? 0755u : 0644u)), "mode");
    all += is(static_cast<uint64_t>(status->st_size) == entry.size, "size");
    if (entry.size == 0) return all;
    all += is(xattr_of(path, "trusted.overlay.redirect") == "/" + entry.digest.path(), "redirect");
    return all + is(xattr_of(path, "trusted.overlay.metacopy").empty(), "metacopy");
  }
  const Tree& tree = trees.at(entry.digest);
  all += is(status->st_mode == (S_IFDIR | 0755), "mode");
  const auto directories = std::count_if(tree.entries.begin(), tree.entries.end(),
                                         [](const auto& one) { return one.kind == EntryKind::directory; });
  all += is(status->st_nlink == static_cast<nlink_t>(directories) + 2, "count of links");
  const auto names = entry.name.empty() ? shown_in(path) : list_directory(path);
  all += is(names.size() == tree.entries.size(), "number of names");
  all += is(stat_of(path / "..")->st_ino == stat_of(path.parent_path())->st_ino || entry.name.empty(), "parent");
  for (size_t i = 0; i < std::min(names.size(), tree.entries.size()); ++i) {
    all += is(names[i].name == tree.entries[i].name, "name");
    if (i % 50 != 0 && names.size() > 10'000) continue;  // A sample is enough of a very large directory.
    all += difference(trees, tree.entries[i], path / tree.entries[i].name, owner);
  }
  return all;
}

std::string mounted_difference(const Trees& trees, const Digest& tree, const Path& image, const Path& at, Owner owner) {
  make_directories(at);
  const MountPlan plan{
      .steps = {image_step(image, "image")}, .root = "image", .writable = false, .user_namespace = false};
  return with_mounts({plan}, at, [&] {
    return difference(trees, directory_entry("", summary_of(trees.at(tree))), at / "image", owner);
  });
}

// fsck accepts it and the kernel shows the tree.
void expect_right(const Trees& trees, const Digest& tree, Owner owner = {42420, 42421}) {
  const TestDirectory directory;
  trees.write(tree, directory / "image", owner);
  EXPECT_EQ(fsck(directory / "image"), "");
  EXPECT_EQ(mounted_difference(trees, tree, directory / "image", directory / "staging", owner), "");
}

Tree random_tree(Trees& trees, int depth) {
  static const std::vector<std::string> names = {"!", "-", "+a", ".a", "..a", "...", "a", "00", "aa", "b", "é", "Z",
                                                 "~", std::string(255, 'n'), std::string(200, 'm')};
  Tree tree;
  const auto chosen = *rc::gen::container<std::vector<bool>>(names.size(), rc::gen::arbitrary<bool>());
  for (size_t i = 0; i < names.size(); ++i) {
    if (!chosen[i]) continue;
    switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
      case 0: tree.entries.push_back(file(names[i], 0, *rc::gen::arbitrary<bool>())); break;
      case 1: tree.entries.push_back(file(names[i], *rc::gen::arbitrary<uint32_t>() + uint64_t{1})); break;
      case 2: tree.entries.push_back(file(names[i], uint64_t{1} << *rc::gen::inRange(0, 50), true)); break;
      case 3: tree.entries.push_back(link_to(names[i], std::string(*rc::gen::inRange<size_t>(1, 4096), 't'))); break;
      default: tree.entries.push_back(trees.directory(names[i], random_tree(trees, depth - 1)));
    }
  }
  std::sort(tree.entries.begin(), tree.entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tree;
}

TEST(ErofsImage, OfAnEmptyTreeIsAnEmptyDirectory) {
  Trees trees;
  expect_right(trees, trees.add({}));
}

RC_GTEST_PROP(ErofsImage, OfAnyTreeIsAcceptedByFsckAndShowsTheTree, ()) {
  Trees trees;
  const Digest tree = trees.add(random_tree(trees, 3));
  const Owner owner{*rc::gen::element(0u, 1000u, 70000u), *rc::gen::element(0u, 1000u, 70000u)};
  const TestDirectory directory;
  trees.write(tree, directory / "image", owner);
  RC_ASSERT(fsck(directory / "image") == "");
  RC_ASSERT(mounted_difference(trees, tree, directory / "image", directory / "staging", owner) == "");
}

TEST(ErofsImage, HidesTheNamesOfObjectDirectoriesInItsRoot) {
  Trees trees;
  Tree tree;
  tree.entries = {file("00", 1),  link_to("7f", "00"), trees.directory("ab", {{file("ab", 1), file("x", 1)}}),
                  file("AB", 1),  file("abc", 1),      trees.directory("fff", {}),
                  file("ff", 0),  trees.directory("d", {{trees.directory("ab", {})}})};
  const Digest digest = trees.add(tree);
  expect_right(trees, digest);
  const TestDirectory directory;
  trees.write(digest, directory / "image");
  make_directories(directory / "at");
  const MountPlan plan{
      .steps = {image_step(directory / "image", "i")}, .root = "i", .writable = false, .user_namespace = false};
  EXPECT_EQ(with_mounts({plan}, directory / "at",
                        [&] {
                          const Path root = directory / "at" / "i";
                          return fmt::format("{} names, opaque: ab {}, fff {}, d/ab {}, root {}",
                                             list_directory(root).size(),
                                             xattr_of(root / "ab", "trusted.overlay.opaque"),
                                             xattr_of(root / "fff", "trusted.overlay.opaque"),
                                             xattr_of(root / "d/ab", "trusted.overlay.opaque"),
                                             xattr_of(root, "trusted.overlay.opaque"));
                        }),
            "260 names, opaque: ab y, fff absent, d/ab absent, root absent");
}

TEST(ErofsImage, HoldsAHundredThousandNamesInOneDirectoryAndInTheRoot) {
  Trees trees;
  Tree many;
  for (int i = 0; i < 100'000; ++i) many.entries.push_back(file(fmt::format("file-{:07}", i), 1));
  Tree root = many;
  root.entries.push_back(trees.directory("many", many));
  expect_right(trees, trees.add(root));
}

TEST(ErofsImage, HoldsManySubdirectoriesOfOneDirectory) {
  Trees trees;
  Tree root;
  for (int i = 0; i < 70'000; ++i) root.entries.push_back(trees.directory(fmt::format("{:05}", i), {}));
  expect_right(trees, trees.add(root));
}

TEST(ErofsImage, HoldsDeepDirectories) {
  Trees trees;
  TreeEntry entry = file("f", 1);
  for (int i = 0; i < 1500; ++i) entry = trees.directory("d", {{entry}});
  expect_right(trees, entry.digest);
}

TEST(ErofsImage, HoldsFilesOfAnySize) {
  Trees trees;
  Tree tree;
  for (int bits = 0; bits < 60; ++bits) {
    tree.entries.push_back(file(fmt::format("{:02}", bits), uint64_t{1} << bits));
    tree.entries.push_back(file(fmt::format("{:02}-", bits), (uint64_t{1} << bits) - 1));
  }
  const TestDirectory directory;
  const Digest digest = trees.add(tree);
  trees.write(digest, directory / "image");
  EXPECT_EQ(mounted_difference(trees, digest, directory / "image", directory / "staging", {42420, 42421}), "");
}

TEST(ErofsImage, WithAWrongByteIsRefusedByFsck) {  // So its silence above means something.
  Trees trees;
  const TestDirectory directory;
  trees.write(trees.add({{file("a", 3)}}), directory / "image");
  const Fd fd(::open((directory / "image").c_str(), O_RDWR | O_CLOEXEC));
  write_all_at(fd.get(), "x", 4096 + 32 + 8, "image");  // The first name offset of the root.
  EXPECT_NE(fsck(directory / "image"), "");
}

TEST(ErofsImage, OfOneTreeHasAlwaysTheSameBytes) {
  Trees trees;
  const Digest tree = trees.add({{file("a", 3), trees.directory("d", {{file("b", 5), link_to("l", "../a")}})}});
  const TestDirectory directory;
  trees.write(tree, directory / "one");
  trees.write(tree, directory / "two");
  EXPECT_EQ(read_file(directory / "one"), read_file(directory / "two"));
}

TEST(ErofsImage, IsReadByDumpErofsToo) {
  Trees trees;
  const Digest tree = trees.add({{file("a", 3, true), trees.directory("d", {{file("b", 5)}})}});
  const TestDirectory directory;
  trees.write(tree, directory / "image");
  const std::string text = output_of("dump.erofs --path=/d/b '" + (directory / "image").native() + "'");
  EXPECT_NE(text.find("Size: 5 "), std::string::npos) << text;
  EXPECT_NE(text.find("Uid: 42420   Gid: 42421  Access: 0644/rw-r--r--"), std::string::npos) << text;
}

}  // namespace
}  // namespace volary
