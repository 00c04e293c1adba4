// core/tree_path.h: the name of a file inside a volume. Data, never a path of the host.
//
//   tree-path = component *( "/" component )          component = 1*255 bytes, not "." nor ".."
//
// The text is valid UTF-8 without control characters (U+0000 to U+001F, U+007F), at most 4096 bytes.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace volary {

class TreePath {
 public:
  // The root itself.
  TreePath() = default;
  // Throws `invalid`, naming the text and what is wrong with it. "" is refused here: ask for the root by TreePath().
  static TreePath parse(std::string_view text);
  // The same as a question: what keeps `text` from naming a file, or "".
  static std::string flaw_of(std::string_view text);
  // For a directory argument: "" and "/" are the root; one leading and trailing "/" are forgiven.
  static TreePath parse_directory(std::string_view text);

  bool is_root() const { return text_.empty(); }
  const std::string& text() const { return text_; }  // "" for the root.
  std::string_view name() const;                     // The last component.
  TreePath parent() const;                           // Of the root: the root.
  std::vector<std::string_view> components() const;  // Point into this object.
  TreePath operator/(const TreePath& below) const;
  // This and one more component, which the caller knows to be good. Throws `invalid` if the path gets too long.
  TreePath child(std::string_view component) const;
  // Whether this is `other` or below it.
  bool is_within(const TreePath& other) const;
  // What remains of this below `other`, of which it is_within.
  TreePath relative_to(const TreePath& other) const;

  auto operator<=>(const TreePath&) const = default;

 private:
  explicit TreePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Throws `invalid` unless `name` may be one component; `whole` is the text the message quotes.
void check_component(std::string_view name, std::string_view whole);
// The same as a question: what is wrong with `name`, or "".
std::string flaw_of_component(std::string_view name);
// Shows any bytes on one line: control and non-UTF-8 bytes become \x1b.
std::string printable(std::string_view bytes);
bool is_utf8(std::string_view bytes);

}  // namespace volary
