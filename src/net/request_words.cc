// net/request_words.cc: for net/request_words.h.
#include "net/request_words.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.h"

namespace volary {

void check_header(const std::string& name, const std::string& value) {
  const auto is_break = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  if (name.empty() || std::any_of(name.begin(), name.end(), [&](char c) { return is_break(c) || c == ':'; }) ||
      std::any_of(value.begin(), value.end(), is_break))
    throw Error(Errc::invalid, "'{}' cannot be sent as a header: it contains a line break or has no name", name);
}

std::string speakable(const std::string& url) {
  std::string text = url.substr(0, url.find_first_of("?#"));
  const size_t start = text.find("://");
  if (start == std::string::npos) return text;
  const size_t authority_end = std::min(text.find('/', start + 3), text.size());
  const size_t at = text.rfind('@', authority_end);
  if (at != std::string::npos && at > start && at < authority_end) text.erase(start + 3, at - start - 2);
  return text;
}

bool is_same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool may_travel(std::string_view header) {
  constexpr std::array<std::string_view, 7> known = {"accept",   "accept-encoding", "if-match", "if-none-match",
                                                     "if-range", "range",           "user-agent"};
  return std::any_of(known.begin(), known.end(), [&](std::string_view one) { return is_same_name(one, header); });
}

}  // namespace volary
