// fuzz/erofs_fuzz.cc: the image writer on any tree: no byte out of place under sanitizers, equal trees make equal
// images, and fsck.erofs accepts what comes out, which is asked of some: it is a program of its own.
#include <algorithm>
#include <map>

#include "core/random.h"
#include "fuzz.h"
#include "mount/erofs_image.h"

using namespace volary;

namespace {

constexpr uint64_t asked_of_fsck = 200;  // Of so many trees one.

// Takes the input apart, byte by byte; zeros when it is spent.
class Bytes {
 public:
  explicit Bytes(std::string_view left) : left_(left) {}
  uint8_t next() {
    if (left_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return byte;
  }
  bool is_spent() const { return left_.empty(); }

 private:
  std::string_view left_;
};

class Trees {
 public:
  Digest add(Bytes& bytes, int depth) {
    std::map<std::string, TreeEntry> entries;
    for (int count = bytes.next(); count > 0 && !bytes.is_spent(); --count) {
      TreeEntry entry = entry_of(bytes, depth);
      entry.name = name_of_bytes(bytes);
      entries.insert_or_assign(entry.name, entry);
    }
    Tree tree;
    for (auto& [name, entry] : entries) tree.entries.push_back(std::move(entry));
    const Digest digest = summary_of(tree).tree;
    trees_.insert_or_assign(digest, std::move(tree));
    return digest;
  }
  const Tree& at(const Digest& digest) const { return trees_.at(digest); }

 private:
  static std::string name_of_bytes(Bytes& bytes) {
    static constexpr std::string_view letters = "abcdef019.-+ ~A";
    std::string name;
    const size_t size = 1 + bytes.next() % 255;
    const uint8_t fill = bytes.next();
    for (size_t i = 0; i < size; ++i) name += letters[(i < 3 ? bytes.next() : fill) % letters.size()];
    return name == "." || name == ".." ? "dots" : name;
  }

  TreeEntry entry_of(Bytes& bytes, int depth) {
    TreeEntry entry;
    const uint8_t kind = bytes.next();
    if (depth > 0 && kind % 3 == 0) return directory_entry("", summary_of(at(add(bytes, depth - 1))));
    if (kind % 3 == 1) {
      entry.kind = EntryKind::symlink;
      entry.target = std::string(1 + bytes.next() * 16, 't');
      return entry;
    }
    entry.size = uint64_t{bytes.next()} << (bytes.next() % 48);
    entry.executable = kind % 2 == 1;
    entry.digest = Digest::of(std::string(1, static_cast<char>(kind)));
    return entry;
  }

  std::map<Digest, Tree> trees_;
};

const Path& scratch() {
  static const Path directory = [] {
    const Path made = "/dev/shm/volary-fuzz-" + random_hex(8);
    make_directory(made);
    std::atexit([] { remove_tree(scratch()); });
    return made;
  }();
  return directory;
}

std::string image_of(const Trees& trees, const Digest& tree, Owner owner, bool is_checked) {
  TempFile file(scratch());
  write_erofs_image([&](const Digest& digest) { return trees.at(digest); }, tree, owner, file);
  const std::string image = read_file(file.path(), 1 << 30);
  if (is_checked)
    require(std::system(("ulimit -s unlimited; fsck.erofs '" + file.path().native() + "' >/dev/null").c_str()) == 0);
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  static uint64_t runs = 0;
  Bytes bytes(text_of(input, size));
  const Owner owner{bytes.next() % 2 ? 42420u : 70000u, bytes.next() % 2 ? 0u : 65536u};
  Trees trees;
  const Digest tree = trees.add(bytes, 4);
  const std::string image = image_of(trees, tree, owner, runs++ % asked_of_fsck == 0);
  require(image.size() % 4096 == 0 && image.size() >= 4096);
  require(image == image_of(trees, tree, owner, false));
  return 0;
}
