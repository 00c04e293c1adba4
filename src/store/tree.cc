// store/tree.cc: the canonical encoding of a directory. docs/format.md, chapter "Trees", has the grammar; this is it
// in short:
//
//   tree      = "VOLTREE" %x01 count *entry            count = u32; all numbers are little endian
//   entry     = kind name-length name (file / directory / symlink)
//   file      = executable size digest                 kind 1; executable = u8, 0 or 1
//   directory = size files digest checksum             kind 2
//   symlink   = target-length target                   kind 3; target-length = u16
//
// There is one encoding for a tree because nothing in it is free: the order is that of the names, lengths are of
// fixed width, and the decoder refuses every byte that the encoder would not have written.
#include "store/tree.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view magic{"VOLTREE\x01", 8};
constexpr size_t entry_bytes_min = 1 + 1 + 1 + 2 + 1;  // A symlink of one letter to one letter.
constexpr uint64_t sum_max = std::numeric_limits<int64_t>::max();

template <class Number>
void put(std::string& out, Number number) {
  std::array<char, sizeof number> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(number >> 8 * i & 0xff);
  out.append(bytes.data(), bytes.size());
}

void put_entry(std::string& out, const TreeEntry& entry) {
  put(out, static_cast<uint8_t>(entry.kind));
  put(out, static_cast<uint8_t>(entry.name.size()));
  out += entry.name;
  switch (entry.kind) {
    case EntryKind::file:
      put(out, static_cast<uint8_t>(entry.executable));
      put(out, entry.size);
      out += entry.digest.raw();
      break;
    case EntryKind::directory:
      put(out, entry.size);
      put(out, entry.files);
      out += entry.digest.raw();
      out += entry.checksum.raw();
      break;
    case EntryKind::symlink:
      put(out, static_cast<uint16_t>(entry.target.size()));
      out += entry.target;
      break;
  }
}

// Sums that stay below 2^63, so that no reader of a tree need think of overflow.
struct Sums {
  uint64_t bytes = 0;
  uint64_t files = 0;
  bool add(const TreeEntry& entry) {
    const uint64_t more = entry.kind == EntryKind::directory ? entry.files : 1;
    if (entry.size > sum_max - bytes || more > sum_max - files) return false;
    bytes += entry.size;
    files += more;
    return true;
  }
};

std::string flaw_of_entry(const TreeEntry& entry) {
  if (std::string flaw = flaw_of_component(entry.name); !flaw.empty())
    return fmt::format("the name '{}' is refused: {}", printable(entry.name), flaw);
  if (entry.kind != EntryKind::symlink) return {};
  if (std::string flaw = flaw_of_link_target(entry.target); !flaw.empty())
    return fmt::format("the symbolic link '{}' is refused: {}", printable(entry.name), flaw);
  return {};
}

// Reads from the front of some bytes. After the first failure, every further step fails too.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : size_(bytes.size()), left_(bytes) {}

  bool read_tree(Tree& tree) {
    uint32_t count = 0;
    if (size_ > tree_bytes_max)
      return refuse(fmt::format("it has {} bytes: expected at most {}", size_, tree_bytes_max));
    if (!left_.starts_with(magic)) return refuse("it does not begin with the mark of a tree of version 1");
    left_.remove_prefix(magic.size());
    if (!read(count)) return false;
    if (count > left_.size() / entry_bytes_min)
      return refuse(fmt::format("it claims {} entries in {} bytes", count, left_.size()));
    tree.entries.reserve(count);
    Sums sums;
    for (uint32_t i = 0; i < count; ++i) {
      TreeEntry& entry = tree.entries.emplace_back();
      if (!read_entry(entry)) return false;
      if (i > 0 && tree.entries[i - 1].name >= entry.name)
        return refuse(fmt::format("'{}' stands after '{}'", entry.name, tree.entries[i - 1].name));
      if (!sums.add(entry)) return refuse("its sizes add up to more than 2^63 - 1");
    }
    return left_.empty() || refuse(fmt::format("{} bytes follow the last entry", left_.size()));
  }

  const std::string& flaw() const { return flaw_; }

 private:
  bool refuse(std::string flaw) {
    flaw_ = std::move(flaw);
    return false;
  }

  bool read(size_t size, std::string_view& bytes) {
    if (size > left_.size()) return refuse(fmt::format("it ends in the middle of an entry, after {} bytes", size_));
    bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

  template <class Number>
  bool read(Number& number) {
    std::string_view bytes;
    if (!read(sizeof number, bytes)) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof number; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[i])} << 8 * i;
    number = static_cast<Number>(value);
    return true;
  }

  bool read(std::string& text, size_t size) {
    std::string_view bytes;
    if (!read(size, bytes)) return false;
    text = bytes;
    return true;
  }

  bool read(Digest& digest) {
    std::string_view bytes;
    if (!read(Digest::size, bytes)) return false;
    digest = Digest::from_raw(bytes);
    return true;
  }

  bool read_entry(TreeEntry& entry) {
    uint8_t kind = 0;
    uint8_t name_size = 0;
    if (!read(kind) || !read(name_size) || !read(entry.name, name_size)) return false;
    switch (kind) {
      case 1: entry.kind = EntryKind::file; return read_file(entry) && is_good(entry);
      case 2: entry.kind = EntryKind::directory; return read_directory(entry) && is_good(entry);
      case 3: entry.kind = EntryKind::symlink; return read_symlink(entry) && is_good(entry);
      default: return refuse(fmt::format("'{}' has the kind {}: expected 1 to 3", printable(entry.name), kind));
    }
  }

  bool read_file(TreeEntry& entry) {
    uint8_t executable = 0;
    if (!read(executable)) return false;
    if (executable > 1)
      return refuse(fmt::format("'{}' has {} as executable bit: expected 0 or 1", printable(entry.name), executable));
    entry.executable = executable == 1;
    return read(entry.size) && read(entry.digest);
  }

  bool read_directory(TreeEntry& entry) {
    return read(entry.size) && read(entry.files) && read(entry.digest) && read(entry.checksum);
  }

  bool read_symlink(TreeEntry& entry) {
    uint16_t size = 0;
    return read(size) && read(entry.target, size);
  }

  bool is_good(const TreeEntry& entry) {
    std::string flaw = flaw_of_entry(entry);
    return flaw.empty() || refuse(std::move(flaw));
  }

  size_t size_;
  std::string_view left_;
  std::string flaw_;
};

}  // namespace

const TreeEntry* Tree::find(std::string_view name) const {
  const auto is_less = [](const TreeEntry& entry, std::string_view wanted) { return entry.name < wanted; };
  const auto found = std::lower_bound(entries.begin(), entries.end(), name, is_less);
  return found != entries.end() && found->name == name ? &*found : nullptr;
}

std::string encode(const Tree& tree) {
  std::string out(magic);
  out.reserve(magic.size() + 4 + tree.entries.size() * 80);
  put(out, static_cast<uint32_t>(tree.entries.size()));
  const TreeEntry* before = nullptr;
  Sums sums;
  for (const TreeEntry& entry : tree.entries) {
    if (before && before->name >= entry.name)
      throw Error(Errc::internal, "cannot encode a tree where '{}' stands after '{}'", entry.name, before->name);
    if (const std::string flaw = flaw_of_entry(entry); !flaw.empty())
      throw Error(Errc::internal, "cannot encode a tree: {}", flaw);
    if (!sums.add(entry)) throw Error(Errc::internal, "cannot encode a tree whose sizes add up to more than 2^63 - 1");
    put_entry(out, entry);
    before = &entry;
  }
  if (out.size() > tree_bytes_max)
    throw Error(Errc::exhausted, "a directory of {} entries takes {} bytes: expected at most {}", tree.entries.size(),
                out.size(), tree_bytes_max);
  return out;
}

std::variant<Tree, std::string> try_decode(std::string_view bytes) {
  Tree tree;
  Decoder decoder(bytes);
  if (decoder.read_tree(tree)) return tree;
  return decoder.flaw();
}

Tree decode(std::string_view bytes) {
  auto outcome = try_decode(bytes);
  if (const auto* flaw = std::get_if<std::string>(&outcome))
    throw Error(Errc::corrupt, "these bytes are no tree: {}", *flaw);
  return std::get<Tree>(std::move(outcome));
}

TreeSummary summary_of(const Tree& tree) { return summary_of(tree, encode(tree)); }

TreeSummary summary_of(const Tree& tree, std::string_view encoded) {
  Sums sums;
  for (const TreeEntry& entry : tree.entries) sums.add(entry);
  return {.tree = Digest::of(encoded), .checksum = checksum_of(tree), .files = sums.files, .bytes = sums.bytes};
}

TreeEntry directory_entry(std::string name, const TreeSummary& summary) {
  TreeEntry entry;
  entry.name = std::move(name);
  entry.kind = EntryKind::directory;
  entry.size = summary.bytes;
  entry.files = summary.files;
  entry.digest = summary.tree;
  entry.checksum = summary.checksum;
  return entry;
}

std::string flaw_of_link_target(std::string_view target) {
  if (target.empty()) return "its target is empty";
  if (target.size() > link_target_bytes_max)
    return fmt::format("its target has {} bytes: expected at most {}", target.size(), link_target_bytes_max);
  if (target.find('\0') != target.npos) return "its target contains a NUL byte";
  if (!is_utf8(target)) return fmt::format("its target '{}' is not UTF-8", printable(target));
  return {};
}

}  // namespace volary
