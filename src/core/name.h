// core/name.h: the names people give to volumes, datastores, secrets and projects.
//
//   name = 1*63( lower-case letter / digit / "-" / "." / "_" ), beginning and ending with a letter or digit
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace volary {

class Name {
 public:
  Name() = default;
  // `noun` says what is named ("volume"): "'A b' is no name for a volume: expected …". Throws `invalid`.
  static Name parse(std::string_view text, std::string_view noun);
  const std::string& text() const { return text_; }
  auto operator<=>(const Name&) const = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace volary
