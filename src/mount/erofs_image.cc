// mount/erofs_image.cc: an EROFS image written straight from trees, in one pass.
//
// A directory is laid out when it is reached: its inode and its names first, then the inodes of its files and links,
// then its subdirectories, each with all it holds. Their inode numbers are known only then, so the names are patched
// at the end; a directory without subdirectories needs no patch. Memory is one tree and its names per level.
//
// Where objects/ is an ordinary layer below the image (mount/mount.h), its directories 00 to ff must not show. So the
// root has a whiteout for each of these names that is not in the tree, all of them one inode, and a directory of such a
// name is opaque. A file or link of such a name hides what is below by itself. Where objects/ is a data-only layer they
// change nothing: overlayfs shows no whiteouts there either. A packed image stands by itself and has none.
//
// In a packed image the bytes of a directory's files follow its inodes, in the order of their names, each in blocks
// of its own, so what is read in that order is read in a row. What is smaller than a block stands behind its inode.
#include "mount/erofs_image.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/stream.h"
#include "mount/erofs_format.h"
#include "mount/image_output.h"

namespace volary {
namespace {

constexpr uint64_t image_time = 315532800;  // 1980-01-01, the first day that every archive format can name.
constexpr uint64_t chunk_bits_above_block = 31;
constexpr uint64_t chunk_bytes = erofs::block_bytes << chunk_bits_above_block;  // 8 TiB: nearly every file is one hole.

constexpr uint64_t align(uint64_t at, uint64_t to) { return (at + to - 1) / to * to; }
constexpr uint64_t chunks_of(uint64_t size) { return (size + chunk_bytes - 1) / chunk_bytes; }

template <class Record>
std::string_view bytes_of(const Record& record) {
  return {reinterpret_cast<const char*>(&record), sizeof record};
}

// The names that objects/ may have.
const std::vector<std::string>& object_directories() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (int byte = 0; byte < 256; ++byte) all.push_back(fmt::format("{:02x}", byte));
    return all;
  }();
  return names;
}

bool is_object_directory(std::string_view name) {
  return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

// The attributes of one inode, as they lie behind it.
class Xattrs {
 public:
  Xattrs& add(std::string_view name, std::string_view value) {
    if (bytes_.empty()) bytes_ += bytes_of(erofs::XattrHeader{});
    const erofs::XattrEntry entry{.name_bytes = static_cast<uint8_t>(name.size()),
                                  .prefix = erofs::xattr_trusted,
                                  .value_bytes = static_cast<uint16_t>(value.size())};
    bytes_ += bytes_of(entry);
    bytes_ += name;
    bytes_ += value;
    bytes_.resize(align(bytes_.size(), 4), '\0');
    return *this;
  }
  std::string bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// The two attributes that make overlayfs take a file's bytes from objects/. Only the 64 digits change from file to
// file.
class RedirectXattrs {
 public:
  RedirectXattrs()
      : bytes_(Xattrs().add("overlay.metacopy", "").add("overlay.redirect", "/ab/" + std::string(62, '0')).bytes()),
        digits_at_(bytes_.find("/ab/") + 1) {}
  std::string_view of(const Digest& digest) {
    static constexpr char digit[] = "0123456789abcdef";
    char* to = bytes_.data() + digits_at_;
    for (size_t i = 0; i < Digest::size; ++i) {
      if (i == 1) ++to;  // The '/'.
      *to++ = digit[digest.bytes()[i] >> 4];
      *to++ = digit[digest.bytes()[i] & 15];
    }
    return bytes_;
  }
  size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
  size_t digits_at_ = 0;
};

// Gives all bytes of a blob; throws if it cannot, or if they are not those.
using ReadBlob = std::function<void(const Digest&, Sink&)>;

// What an inode says, whichever form it gets.
struct Node {
  erofs::Layout layout = erofs::Layout::plain;
  uint32_t mode = 0;
  uint64_t size = 0;
  uint64_t links = 1;
  uint32_t content = 0;
  uint64_t xattr_bytes = 0;

  uint16_t xattr_count() const {
    return static_cast<uint16_t>(xattr_bytes == 0 ? 0 : (xattr_bytes - sizeof(erofs::XattrHeader)) / 4 + 1);
  }
};

// One name of a directory.
struct Name {
  std::string_view text;
  erofs::FileType type;
  const TreeEntry* entry;  // Null for ".", ".." and whiteouts.
  uint64_t nid = 0;
  size_t at = 0;  // Of its dirent in the directory's content.
  uint64_t bytes_at = 0;  // Of a file whose bytes lie in blocks.
};

bool is_whiteout(const Name& name) { return name.type == erofs::FileType::character_device; }

// Where a directory stands: its inode, its attributes and the tail of its names behind it, the blocks of the others.
struct Placement {
  uint64_t inode_at = 0;
  uint64_t tail_bytes = 0;
  uint64_t blocks_at = 0;
  uint64_t end = 0;
};

class ImageWriter {
 public:
  // Null `read_blob`: a plain image.
  ImageWriter(const ReadTree& read_tree, const ReadBlob* read_blob, Owner owner, TempFile& file)
      : read_tree_(read_tree), read_blob_(read_blob), owner_(owner), out_(file) {}

  void write(const Digest& tree) {
    out_.pad_to(erofs::super_block_at + sizeof(erofs::SuperBlock));
    const uint64_t root = add_directory(tree, 0);
    // With room behind the last inode: fsck.erofs 1.5 looks there for attributes, even where the inode says that it
    // has none.
    out_.pad_to(align(out_.position() + sizeof(erofs::XattrHeader), erofs::block_bytes));
    const uint64_t blocks = out_.position() / erofs::block_bytes;
    if (root > erofs::root_nid_max || blocks > UINT32_MAX)
      throw Error(Errc::exhausted, "the image of tree {} has {} blocks: more than EROFS can hold", tree.hex(), blocks);
    erofs::SuperBlock super;
    super.feature_compat = erofs::compat_mtime;
    super.feature_incompat = erofs::incompat_chunked_file;
    super.root_nid = static_cast<uint16_t>(root);
    super.inodes = inodes_;
    super.build_time = image_time;
    super.blocks = static_cast<uint32_t>(blocks);
    std::copy_n(tree.bytes().begin(), super.uuid.size(), super.uuid.begin());
    constexpr std::string_view name = "volary";
    std::copy(name.begin(), name.end(), super.volume_name.begin());
    out_.patch(erofs::super_block_at, bytes_of(super));
    out_.flush();
  }

 private:
  // Writes the directory and all below it; its nid. `parent` 0 means that it is the root.
  uint64_t add_directory(const Digest& digest, uint64_t parent, std::string_view xattrs = {});
  Placement place_directory(const Node& node) const;
  uint64_t place(const TreeEntry& entry, uint64_t at, uint64_t& end) const;
  void emit_directory(const Node& node, const Placement& placement, std::string_view xattrs, std::string_view content);
  void emit(const Name& name);
  void emit_link(const TreeEntry& entry);
  void emit_inode(const Node& node);
  void emit_bytes(const TreeEntry& entry);

  bool is_extended(const Node& node) const {
    return node.size > UINT32_MAX || node.links > UINT16_MAX || owner_.uid > UINT16_MAX || owner_.gid > UINT16_MAX;
  }
  uint64_t inode_bytes(const Node& node) const {  // With its attributes.
    return (is_extended(node) ? sizeof(erofs::ExtendedInode) : sizeof(erofs::CompactInode)) + node.xattr_bytes;
  }
  Node node_of(const TreeEntry& entry) const;
  Node with_bytes(Node node) const;

  const ReadTree& read_tree_;
  const ReadBlob* const read_blob_;
  const Owner owner_;
  ImageOutput out_;
  RedirectXattrs xattrs_;
  const std::string opaque_ = Xattrs().add("overlay.opaque", "y").bytes();
  uint64_t inodes_ = 0;
};

// Blocks of dirents and names, the nids still 0; each name learns where its dirent is.
std::string pack(std::vector<Name>& names) {
  std::string content;
  for (size_t first = 0; first < names.size();) {
    size_t end = first;
    size_t used = 0;
    while (end < names.size() && used + sizeof(erofs::Dirent) + names[end].text.size() <= erofs::block_bytes)
      used += sizeof(erofs::Dirent) + names[end++].text.size();
    const size_t start = content.size();
    content.resize(start + (end == names.size() ? used : erofs::block_bytes), '\0');
    size_t name_at = (end - first) * sizeof(erofs::Dirent);
    for (size_t i = first; i < end; ++i) {
      names[i].at = start + (i - first) * sizeof(erofs::Dirent);
      const auto type = static_cast<uint8_t>(names[i].type);
      const erofs::Dirent dirent{.name_at = static_cast<uint16_t>(name_at), .type = type};
      std::memcpy(content.data() + names[i].at, &dirent, sizeof dirent);
      std::memcpy(content.data() + start + name_at, names[i].text.data(), names[i].text.size());
      name_at += names[i].text.size();
    }
    first = end;
  }
  return content;
}

// The inode that all whiteouts of a directory share, as overlayfs does it too: a character device 0:0.
Node whiteout_of(const std::vector<Name>& names) {
  return {.mode = S_IFCHR, .links = static_cast<uint64_t>(std::count_if(names.begin(), names.end(), is_whiteout))};
}

void set_nid(std::string& content, Name& name, uint64_t nid) {
  name.nid = nid;
  std::memcpy(content.data() + name.at, &nid, sizeof nid);
}

constexpr auto text_order = [](const Name& left, const Name& right) { return left.text < right.text; };

std::vector<Name> names_of(const Tree& tree) {
  std::vector<Name> names;
  names.reserve(tree.entries.size() + 2);
  for (const TreeEntry& entry : tree.entries) {
    const auto type = entry.kind == EntryKind::directory ? erofs::FileType::directory
                      : entry.kind == EntryKind::symlink ? erofs::FileType::symlink
                                                         : erofs::FileType::regular;
    names.push_back({.text = entry.name, .type = type, .entry = &entry});
  }
  for (const std::string_view dots : {".", ".."}) {
    const Name name{.text = dots, .type = erofs::FileType::directory, .entry = nullptr};
    names.insert(std::lower_bound(names.begin(), names.end(), name, text_order), name);
  }
  return names;
}

std::vector<Name> with_whiteouts(const std::vector<Name>& names) {
  std::vector<Name> whiteouts;
  for (const std::string& text : object_directories())
    whiteouts.push_back({.text = text, .type = erofs::FileType::character_device, .entry = nullptr});
  std::vector<Name> all;  // Where both have a name, that of the tree.
  all.reserve(names.size() + whiteouts.size());
  std::set_union(names.begin(), names.end(), whiteouts.begin(), whiteouts.end(), std::back_inserter(all), text_order);
  return all;
}

Node ImageWriter::node_of(const TreeEntry& entry) const {
  if (entry.kind == EntryKind::symlink) return with_bytes({.mode = S_IFLNK | 0777u, .size = entry.target.size()});
  Node node{.mode = S_IFREG | (entry.executable ? 0755u : 0644u), .size = entry.size};
  if (entry.size == 0) return node;  // No object is needed to be empty.
  if (read_blob_) return with_bytes(node);
  node.layout = erofs::Layout::chunks;
  node.content = chunk_bits_above_block;
  node.xattr_bytes = xattrs_.size();
  return node;
}

// Behind the inode if they fit into its block, or else in blocks.
Node ImageWriter::with_bytes(Node node) const {
  node.layout = inode_bytes(node) + node.size <= erofs::block_bytes ? erofs::Layout::tail_inline : erofs::Layout::plain;
  return node;
}

// Where the inode of a file or link goes if `at` is free; `end` becomes what is free behind it.
uint64_t ImageWriter::place(const TreeEntry& entry, uint64_t at, uint64_t& end) const {
  const Node node = node_of(entry);
  const uint64_t bytes = inode_bytes(node);
  at = align(at, erofs::slot_bytes);
  if (node.layout == erofs::Layout::chunks) {
    end = at + bytes + chunks_of(node.size) * sizeof erofs::hole;
  } else if (node.layout == erofs::Layout::tail_inline) {
    if (at % erofs::block_bytes + bytes + node.size > erofs::block_bytes) at = align(at, erofs::block_bytes);
    end = at + bytes + node.size;
  } else {
    const bool is_followed = entry.kind == EntryKind::symlink;
    end = is_followed ? align(at + bytes, erofs::block_bytes) + node.size : at + bytes;
  }
  return at;
}

Placement ImageWriter::place_directory(const Node& node) const {
  const uint64_t bytes = inode_bytes(node);
  Placement place;
  place.inode_at = align(out_.position(), erofs::slot_bytes);
  place.tail_bytes = node.layout == erofs::Layout::tail_inline ? node.size % erofs::block_bytes : 0;
  if (place.tail_bytes > 0 && place.inode_at % erofs::block_bytes + bytes + place.tail_bytes > erofs::block_bytes)
    place.inode_at = align(place.inode_at, erofs::block_bytes);
  place.end = place.inode_at + bytes + place.tail_bytes;
  if (node.size > place.tail_bytes) {
    place.blocks_at = align(place.end, erofs::block_bytes);
    place.end = place.blocks_at + align(node.size - place.tail_bytes, erofs::block_bytes);
  }
  return place;
}

uint64_t ImageWriter::add_directory(const Digest& digest, uint64_t parent, std::string_view xattrs) {
  const bool is_root = parent == 0;
  const Tree tree = read_tree_(digest);
  const bool is_layered = is_root && !read_blob_;
  std::vector<Name> names = is_layered ? with_whiteouts(names_of(tree)) : names_of(tree);
  std::string content = pack(names);
  Node node{.mode = S_IFDIR | 0755u, .size = content.size(), .links = 2, .xattr_bytes = xattrs.size()};
  for (const TreeEntry& entry : tree.entries) node.links += entry.kind == EntryKind::directory;
  const uint64_t tail = node.size % erofs::block_bytes;
  if (tail > 0 && inode_bytes(node) + tail <= erofs::block_bytes) node.layout = erofs::Layout::tail_inline;
  const Placement placement = place_directory(node);
  const uint64_t nid = placement.inode_at / erofs::slot_bytes;
  node.content = static_cast<uint32_t>(placement.blocks_at / erofs::block_bytes);

  uint64_t end = placement.end;
  const Node whiteout = whiteout_of(names);
  const uint64_t whiteout_at = align(end, erofs::slot_bytes);
  if (whiteout.links > 0) end = whiteout_at + inode_bytes(whiteout);
  for (Name& name : names) {
    if (is_whiteout(name)) set_nid(content, name, whiteout_at / erofs::slot_bytes);
    else if (!name.entry) set_nid(content, name, name.text == "." || is_root ? nid : parent);
    else if (name.entry->kind != EntryKind::directory)
      set_nid(content, name, place(*name.entry, end, end) / erofs::slot_bytes);
  }
  for (Name& name : names) {
    if (!name.entry || name.entry->kind != EntryKind::file || node_of(*name.entry).layout != erofs::Layout::plain ||
        name.entry->size == 0)
      continue;
    name.bytes_at = align(end, erofs::block_bytes);
    end = name.bytes_at + name.entry->size;
  }
  emit_directory(node, placement, xattrs, content);
  if (whiteout.links > 0) {
    out_.pad_to(whiteout_at);
    emit_inode(whiteout);
  }
  for (const Name& name : names)
    if (name.entry && name.entry->kind != EntryKind::directory) emit(name);
  for (const Name& name : names) {
    if (name.bytes_at == 0) continue;
    out_.pad_to(name.bytes_at);
    emit_bytes(*name.entry);
    out_.pad_to(align(out_.position(), erofs::block_bytes));  // Who maps the last block sees all of it.
  }
  if (node.links == 2) return nid;

  for (Name& name : names)
    if (name.entry && name.entry->kind == EntryKind::directory)
      set_nid(content, name,
              add_directory(name.entry->digest, nid, is_layered && is_object_directory(name.text) ? opaque_ : ""));
  const std::string_view all = content;
  const size_t in_blocks = all.size() - placement.tail_bytes;
  if (in_blocks > 0) out_.patch(placement.blocks_at, all.substr(0, in_blocks));
  out_.patch(placement.inode_at + inode_bytes(node), all.substr(in_blocks));
  return nid;
}

void ImageWriter::emit_directory(const Node& node, const Placement& placement, std::string_view xattrs,
                                 std::string_view content) {
  out_.pad_to(placement.inode_at);
  emit_inode(node);
  out_.append(xattrs);
  const size_t in_blocks = content.size() - placement.tail_bytes;
  out_.append(content.substr(in_blocks));
  if (in_blocks > 0) {
    out_.pad_to(placement.blocks_at);
    out_.append(content.substr(0, in_blocks));
  }
  out_.pad_to(placement.end);
}

void ImageWriter::emit(const Name& name) {
  out_.pad_to(name.nid * erofs::slot_bytes);
  const TreeEntry& entry = *name.entry;
  if (entry.kind == EntryKind::symlink) return emit_link(entry);
  Node node = node_of(entry);
  if (name.bytes_at > 0) node.content = static_cast<uint32_t>(name.bytes_at / erofs::block_bytes);
  emit_inode(node);
  if (node.layout == erofs::Layout::tail_inline) return emit_bytes(entry);
  if (node.xattr_bytes == 0) return;
  out_.append(xattrs_.of(entry.digest));
  for (uint64_t i = 0; i < chunks_of(node.size); ++i) out_.append(bytes_of(erofs::hole));
}

void ImageWriter::emit_link(const TreeEntry& entry) {
  Node node = node_of(entry);
  const uint64_t target_at = align(out_.position() + inode_bytes(node), erofs::block_bytes);
  if (node.layout == erofs::Layout::plain) node.content = static_cast<uint32_t>(target_at / erofs::block_bytes);
  emit_inode(node);
  if (node.layout == erofs::Layout::plain) out_.pad_to(target_at);
  out_.append(entry.target);
}

void ImageWriter::emit_bytes(const TreeEntry& entry) {
  class ToOutput final : public Sink {
   public:
    explicit ToOutput(ImageOutput& out) : out_(out) {}
    void write(std::string_view bytes) override { out_.append(bytes); }

   private:
    ImageOutput& out_;
  } sink(out_);
  const uint64_t end = out_.position() + entry.size;
  (*read_blob_)(entry.digest, sink);
  if (out_.position() != end)
    throw Error(Errc::corrupt, "object {} has not the {} bytes that its tree says", entry.digest.hex(), entry.size);
}

void ImageWriter::emit_inode(const Node& node) {
  const auto number = static_cast<uint32_t>(++inodes_);
  const auto format = static_cast<uint16_t>(static_cast<uint16_t>(node.layout) << 1);
  if (is_extended(node)) {
    out_.append(bytes_of(erofs::ExtendedInode{.format = static_cast<uint16_t>(format | 1),
                                              .xattr_count = node.xattr_count(),
                                              .mode = static_cast<uint16_t>(node.mode),
                                              .size = node.size,
                                              .content = node.content,
                                              .number = number,
                                              .uid = owner_.uid,
                                              .gid = owner_.gid,
                                              .mtime = image_time,
                                              .links = static_cast<uint32_t>(node.links)}));
  } else {
    out_.append(bytes_of(erofs::CompactInode{.format = format,
                                             .xattr_count = node.xattr_count(),
                                             .mode = static_cast<uint16_t>(node.mode),
                                             .links = static_cast<uint16_t>(node.links),
                                             .size = static_cast<uint32_t>(node.size),
                                             .content = node.content,
                                             .number = number,
                                             .uid = static_cast<uint16_t>(owner_.uid),
                                             .gid = static_cast<uint16_t>(owner_.gid)}));
  }
}

}  // namespace

void write_erofs_image(const ReadTree& read_tree, const Digest& tree, Owner owner, TempFile& file) {
  ImageWriter(read_tree, nullptr, owner, file).write(tree);
}

void write_packed_image(const Store& store, const Digest& tree, Owner owner, TempFile& file,
                        const std::function<void()>& check) {
  class Checked final : public Sink {
   public:
    Checked(Sink& to, const std::function<void()>& check) : to_(to), check_(check) {}
    void write(std::string_view bytes) override {
      check_();
      to_.write(bytes);
    }

   private:
    Sink& to_;
    const std::function<void()>& check_;
  };
  Tree above;  // The image's root.
  TreeEntry entry;
  entry.name = packed_name_of(tree);
  entry.kind = EntryKind::directory;
  entry.digest = tree;
  above.entries.push_back(entry);
  const Digest root = summary_of(above).tree;
  const ReadTree read_tree = [&](const Digest& digest) {
    check();
    return digest == root ? above : store.read_tree(digest);
  };
  const ReadBlob read_blob = [&](const Digest& digest, Sink& sink) {
    Checked checked(sink, check);
    store.read_blob(digest, checked);
  };
  ImageWriter(read_tree, &read_blob, owner, file).write(root);
}

std::string packed_name_of(const Digest& tree) { return tree.hex() + ".packed"; }
static_assert(packed_bytes_beside >= sizeof(erofs::ExtendedInode) + erofs::block_bytes);

void write_erofs_image(const Store& store, const Digest& tree, Owner owner, const Path& file) {
  TempFile temporary(file.parent_path(), 0600);
  write_erofs_image([&](const Digest& digest) { return store.read_tree(digest); }, tree, owner, temporary);
  temporary.move_to(file);
}

}  // namespace volary
