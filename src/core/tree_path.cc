// core/tree_path.cc: the grammar of core/tree_path.h.
#include "core/tree_path.h"

#include <array>
#include <cstring>

#include "core/error.h"

namespace volary {
namespace {

constexpr size_t path_bytes_max = 4096;
constexpr size_t component_bytes_max = 255;

// The length of the UTF-8 sequence at the front of `bytes`, or 0 if there is none (RFC 3629, section 4).
size_t utf8_length(std::string_view bytes) {
  const auto at = [&](size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  const auto follows = [&](size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xe0 && at(1) < 0xa0) return 0;  // Overlong.
    if (first == 0xed && at(1) > 0x9f) return 0;  // Surrogates.
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xf0 && at(1) < 0x90) return 0;
    if (first == 0xf4 && at(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

[[noreturn]] void refuse(std::string_view whole, std::string_view reason) {
  throw Error(Errc::invalid, "'{}' cannot name a file in a volume: {}", printable(whole), reason);
}

// Whether any of eight bytes is no printable ASCII, or a '/'.
bool has_flaw(uint64_t bytes) {
  constexpr uint64_t ones = 0x0101010101010101;
  const uint64_t slashes = bytes ^ ones * '/';                    // Zeros where they are.
  const uint64_t flaws = ((bytes - ones * ' ') & ~bytes) |        // Below the space,
                         bytes | (bytes + ones * (0x7f - '~')) |  // above the tilde,
                         ((slashes - ones) & ~slashes);           // zero.
  return (flaws & ones * 0x80) != 0;
}

// Nearly every name: printable ASCII. Eight bytes at once, for directories have names by the thousand.
bool is_plain(std::string_view name) {
  constexpr size_t at_once = sizeof(uint64_t);
  if (name.empty() || name.size() > component_bytes_max || name[0] == '.') return false;
  std::array<char, at_once> few{'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
  if (name.size() < at_once) {
    name.copy(few.data(), name.size());
    name = {few.data(), few.size()};
  }
  const auto flaw_at = [&](size_t at) {
    uint64_t bytes;
    std::memcpy(&bytes, name.data() + at, sizeof bytes);
    return has_flaw(bytes);
  };
  for (size_t at = 0; at + at_once < name.size(); at += at_once)
    if (flaw_at(at)) return false;
  return !flaw_at(name.size() - at_once);
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = utf8_length(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string printable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t size = utf8_length(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (size == 0 || first < 0x20 || first == 0x7f) {
      text += fmt::format("\\x{:02x}", first);
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, size);
      bytes.remove_prefix(size);
    }
  }
  return text;
}

std::string flaw_of_component(std::string_view name) {
  if (is_plain(name)) return {};
  if (name.empty()) return "it has an empty component; expected names separated by single '/'";
  if (name == "." || name == "..") return fmt::format("'{}' is not a name here", name);
  if (name.size() > component_bytes_max)
    return fmt::format("a component has {} bytes: expected at most {}", name.size(), component_bytes_max);
  if (!is_utf8(name)) return "its bytes are not UTF-8";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return "it has a control character";
    if (c == '/') return "a component contains '/'";
  }
  return {};
}

void check_component(std::string_view name, std::string_view whole) {
  if (const std::string flaw = flaw_of_component(name); !flaw.empty()) refuse(whole, flaw);
}

std::string TreePath::flaw_of(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.size() > path_bytes_max)
    return fmt::format("it has {} bytes: expected at most {}", text.size(), path_bytes_max);
  if (text.front() == '/') return "it begins with '/': expected a name relative to the volume";
  if (text.back() == '/') return "it ends with '/': expected the name of a file";
  for (size_t at = 0; at <= text.size();) {
    const size_t slash = std::min(text.find('/', at), text.size());
    if (std::string flaw = flaw_of_component(text.substr(at, slash - at)); !flaw.empty()) return flaw;
    at = slash + 1;
  }
  return {};
}

TreePath TreePath::parse(std::string_view text) {
  if (const std::string flaw = flaw_of(text); !flaw.empty())
    refuse(text.size() > path_bytes_max ? text.substr(0, 64) : text, flaw);
  return TreePath(std::string(text));
}

TreePath TreePath::parse_directory(std::string_view text) {
  if (text.starts_with('/')) text.remove_prefix(1);
  if (text.ends_with('/')) text.remove_suffix(1);
  return text.empty() ? TreePath() : parse(text);
}

std::string_view TreePath::name() const {
  const size_t slash = text_.rfind('/');
  return slash == std::string::npos ? std::string_view(text_) : std::string_view(text_).substr(slash + 1);
}

TreePath TreePath::parent() const {
  const size_t slash = text_.rfind('/');
  return slash == std::string::npos ? TreePath() : TreePath(text_.substr(0, slash));
}

std::vector<std::string_view> TreePath::components() const {
  std::vector<std::string_view> parts;
  const std::string_view text = text_;
  for (size_t at = 0; at < text.size();) {
    const size_t slash = std::min(text.find('/', at), text.size());
    parts.push_back(text.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

TreePath TreePath::operator/(const TreePath& below) const {
  if (is_root()) return below;
  if (below.is_root()) return *this;
  return TreePath(text_ + "/" + below.text_);
}

TreePath TreePath::child(std::string_view component) const {
  std::string text = text_;
  if (!is_root()) text += '/';
  text += component;
  if (text.size() > path_bytes_max)
    refuse(text.substr(0, 64), fmt::format("it has {} bytes: expected at most {}", text.size(), path_bytes_max));
  return TreePath(std::move(text));
}

bool TreePath::is_within(const TreePath& other) const {
  return other.is_root() || text_ == other.text_ ||
         (text_.size() > other.text_.size() && text_.starts_with(other.text_) && text_[other.text_.size()] == '/');
}

TreePath TreePath::relative_to(const TreePath& other) const {
  if (other.is_root()) return *this;
  return text_ == other.text_ ? TreePath() : TreePath(text_.substr(other.text_.size() + 1));
}

}  // namespace volary
