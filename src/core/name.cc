// core/name.cc: the grammar of core/name.h.
#include "core/name.h"

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {

Name Name::parse(std::string_view text, std::string_view noun) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool good = !text.empty() && text.size() <= 63 && is_plain(text.front()) && is_plain(text.back());
  for (const char c : text) good = good && (is_plain(c) || c == '-' || c == '.' || c == '_');
  if (!good)
    throw Error(Errc::invalid,
                "'{}' is no name for a {}: expected 1 to 63 of a-z, 0-9, '-', '.', '_', beginning and ending with a "
                "letter or digit",
                printable(text), noun);
  return Name(std::string(text));
}

}  // namespace volary
