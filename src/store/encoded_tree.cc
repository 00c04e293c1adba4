// store/encoded_tree.cc: the canonical encoding of a directory. docs/format.md, chapter "Trees", has the grammar; this
// is it in short:
//
//   tree      = "VOLTREE" %x01 count *entry            count = u32; all numbers are little endian
//   entry     = kind name-length name (file / directory / symlink)
//   file      = executable size digest                 kind 1; executable = u8, 0 or 1
//   directory = size files digest checksum             kind 2
//   symlink   = target-length target                   kind 3; target-length = u16
//
// There is one encoding for a tree because nothing in it is free: the order is that of the names, lengths are of
// fixed width, and the parser refuses every byte that the encoder would not have written.
#include "store/encoded_tree.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr std::string_view magic{"VOLTREE\x01", 8};
constexpr size_t entry_bytes_min = 1 + 1 + 1 + 2 + 1;  // A symlink of one letter to one letter.
constexpr size_t file_bytes = 1 + 8 + Digest::size;    // Behind the name.
constexpr size_t directory_bytes = 8 + 8 + 2 * Digest::size;
constexpr uint64_t sum_max = std::numeric_limits<int64_t>::max();

static_assert(tree_head_bytes == magic.size() + 4);
static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie");

template <class Number>
Number number_at(std::string_view bytes, size_t at) {
  Number number;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
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

std::string flaw_of_name(std::string_view name) {
  std::string flaw = flaw_of_component(name);
  return flaw.empty() ? flaw : fmt::format("the name '{}' is refused: {}", printable(name), flaw);
}

std::string flaw_of_link(std::string_view name, std::string_view target) {
  std::string flaw = flaw_of_link_target(target);
  return flaw.empty() ? flaw : fmt::format("the symbolic link '{}' is refused: {}", printable(name), flaw);
}

// Finds where each entry ends. After the first failure, every further step fails too.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : bytes_(bytes) {}

  bool run() {
    if (bytes_.size() > tree_bytes_max)
      return refuse(fmt::format("it has {} bytes: expected at most {}", bytes_.size(), tree_bytes_max));
    if (!bytes_.starts_with(magic)) return refuse("it does not begin with the mark of a tree of version 1");
    if (bytes_.size() < tree_head_bytes) return refuse_end();
    const auto count = number_at<uint32_t>(bytes_, magic.size());
    if (count > (bytes_.size() - tree_head_bytes) / entry_bytes_min)
      return refuse(fmt::format("it claims {} entries in {} bytes", count, bytes_.size() - tree_head_bytes));
    ends.reserve(count);
    std::string_view before;
    for (size_t at = tree_head_bytes; ends.size() < count; at = ends.back()) {
      const size_t size = entry_size(at);
      if (size == 0) return false;
      const EntryView entry(bytes_.substr(at, size));
      if (!ends.empty() && before >= entry.name())
        return refuse(fmt::format("'{}' stands after '{}'", entry.name(), before));
      if (!sums.add(entry)) return refuse("its sizes add up to more than 2^63 - 1");
      before = entry.name();
      ends.push_back(static_cast<uint32_t>(at + size));
    }
    const size_t left = bytes_.size() - (ends.empty() ? tree_head_bytes : ends.back());
    return left == 0 || refuse(fmt::format("{} bytes follow the last entry", left));
  }

  std::vector<uint32_t> ends;
  TreeSums sums;
  std::string flaw;

 private:
  bool refuse(std::string why) {
    flaw = std::move(why);
    return false;
  }
  bool refuse_end() { return refuse(fmt::format("it ends in the middle of an entry, after {} bytes", bytes_.size())); }

  // Of the entry at `at`; 0: it is refused.
  size_t entry_size(size_t at) {
    const std::string_view left = bytes_.substr(at);
    const auto lacks = [&](size_t size) { return left.size() < size && !refuse_end(); };
    if (lacks(2)) return 0;
    const size_t head = 2 + static_cast<uint8_t>(left[1]);
    if (lacks(head)) return 0;
    const std::string_view name = left.substr(2, head - 2);
    std::string_view target;
    size_t size = head;
    switch (static_cast<EntryKind>(left[0])) {
      case EntryKind::file:
        if (lacks(size += file_bytes)) return 0;
        if (const auto executable = static_cast<uint8_t>(left[head]); executable > 1)
          return refuse(fmt::format("'{}' has {} as executable bit: expected 0 or 1", printable(name), executable));
        break;
      case EntryKind::directory:
        if (lacks(size += directory_bytes)) return 0;
        break;
      case EntryKind::symlink:
        if (lacks(size += 2)) return 0;
        target = left.substr(size, number_at<uint16_t>(left, head));
        if (lacks(size += number_at<uint16_t>(left, head))) return 0;
        if (std::string why = flaw_of_name(name); !why.empty()) return refuse(std::move(why));
        if (std::string why = flaw_of_link(name, target); !why.empty()) return refuse(std::move(why));
        return size;
      default:
        return refuse(fmt::format("'{}' has the kind {}: expected 1 to 3", printable(name),
                                  static_cast<uint8_t>(left[0])));
    }
    if (std::string why = flaw_of_name(name); !why.empty()) return refuse(std::move(why));
    return size;
  }

  const std::string_view bytes_;
};

}  // namespace

uint64_t EntryView::size() const {
  switch (kind()) {
    case EntryKind::file: return number_at<uint64_t>(bytes_, 2 + name().size() + 1);
    case EntryKind::directory: return number_at<uint64_t>(bytes_, 2 + name().size());
    case EntryKind::symlink: return 0;
  }
  return 0;
}

uint64_t EntryView::files() const {
  return kind() == EntryKind::directory ? number_at<uint64_t>(bytes_, 2 + name().size() + 8) : 1;
}

TreeEntry EntryView::entry() const {
  TreeEntry entry;
  read(entry);
  return entry;
}

void EntryView::read(TreeEntry& entry) const {
  entry.name = name();
  entry.kind = kind();
  const std::string_view rest = bytes_.substr(2 + entry.name.size());
  switch (entry.kind) {
    case EntryKind::file:
      entry.executable = rest[0] == 1;
      entry.size = number_at<uint64_t>(rest, 1);
      entry.digest = Digest::from_raw(rest.substr(9, Digest::size));
      break;
    case EntryKind::directory:
      entry.size = number_at<uint64_t>(rest, 0);
      entry.files = number_at<uint64_t>(rest, 8);
      entry.digest = Digest::from_raw(rest.substr(16, Digest::size));
      entry.checksum = Digest::from_raw(rest.substr(16 + Digest::size, Digest::size));
      break;
    case EntryKind::symlink: entry.target = rest.substr(2); break;
  }
}

bool TreeSums::add(const EntryView& entry) {
  const uint64_t size = entry.size();
  const uint64_t more = entry.files();
  if (size > sum_max - bytes || more > sum_max - files) return false;
  bytes += size;
  files += more;
  return true;
}

EncodedTree::EncodedTree() : bytes_(magic) { bytes_.append(4, '\0'); }

std::variant<EncodedTree, std::string> EncodedTree::try_parse(std::string bytes) {
  Parser parser(bytes);
  if (!parser.run()) return std::move(parser.flaw);
  EncodedTree tree;
  tree.ends_ = std::move(parser.ends);
  tree.sums_ = parser.sums;
  tree.bytes_ = std::move(bytes);
  return tree;
}

// By steps that grow, and back by halves: who looks for one name after the other pays for the way between them.
size_t EncodedTree::lower_bound(std::string_view name, size_t begin) const {
  size_t end = begin;
  for (size_t step = 1; end < size() && (*this)[end].name() < name; step *= 2) {
    begin = end + 1;
    end += step;
  }
  end = std::min(end, size());
  while (begin < end) {
    const size_t middle = begin + (end - begin) / 2;
    if ((*this)[middle].name() < name) begin = middle + 1;
    else end = middle;
  }
  return begin;
}

std::optional<TreeEntry> EncodedTree::find(std::string_view name) const {
  const size_t at = lower_bound(name);
  if (at == size() || (*this)[at].name() != name) return std::nullopt;
  return (*this)[at].entry();
}

Tree EncodedTree::tree() const {
  Tree tree;
  tree.entries.reserve(size());
  for (size_t i = 0; i < size(); ++i) (*this)[i].read(tree.entries.emplace_back());
  return tree;
}

TreeEncoder::TreeEncoder(size_t bytes_expected, size_t entries_expected) {
  made_.bytes_.reserve(bytes_expected);
  made_.ends_.reserve(entries_expected);
}

void TreeEncoder::check_order(std::string_view name) const {
  if (made_.size() == 0) return;
  if (const std::string_view before = made_[made_.size() - 1].name(); before >= name)
    throw Error(Errc::internal, "cannot encode a tree where '{}' stands after '{}'", name, before);
}

void TreeEncoder::add(const TreeEntry& entry) {
  check_order(entry.name);
  std::string flaw = flaw_of_name(entry.name);
  if (flaw.empty() && entry.kind == EntryKind::symlink) flaw = flaw_of_link(entry.name, entry.target);
  if (!flaw.empty()) throw Error(Errc::internal, "cannot encode a tree: {}", flaw);
  put_entry(made_.bytes_, entry);
  end_entry(made_.bytes_.size());
}

void TreeEncoder::add(const EncodedTree& tree, size_t begin, size_t end) {
  if (begin >= end) return;
  check_order(tree[begin].name());
  const std::string_view bytes = tree.between(begin, end);
  const size_t moved = made_.bytes_.size() - static_cast<size_t>(bytes.data() - tree.bytes_.data());
  made_.bytes_ += bytes;
  for (size_t i = begin; i < end; ++i) end_entry(tree.ends_[i] + moved);
}

void TreeEncoder::end_entry(size_t end) {
  if (end > tree_bytes_max)
    throw Error(Errc::exhausted, "a directory of {} entries or more takes {} bytes or more: expected at most {}",
                made_.size() + 1, end, tree_bytes_max);
  made_.ends_.push_back(static_cast<uint32_t>(end));
  if (!made_.sums_.add(made_[made_.size() - 1]))
    throw Error(Errc::internal, "cannot encode a tree whose sizes add up to more than 2^63 - 1");
}

EncodedTree TreeEncoder::finish() {
  const auto count = static_cast<uint32_t>(made_.size());
  std::memcpy(made_.bytes_.data() + magic.size(), &count, sizeof count);
  return std::move(made_);
}

TreeSummary summary_of(const EncodedTree& tree) {
  return {.tree = Digest::of(tree.bytes()), .checksum = checksum_of(tree), .files = tree.sums().files,
          .bytes = tree.sums().bytes};
}

EncodedTree encoded(const Tree& tree) {
  constexpr size_t entry_bytes_usual = 80;
  TreeEncoder encoder(tree_head_bytes + tree.entries.size() * entry_bytes_usual, tree.entries.size());
  for (const TreeEntry& entry : tree.entries) encoder.add(entry);
  return encoder.finish();
}

}  // namespace volary
