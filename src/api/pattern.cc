// api/pattern.cc: the grammar of api/pattern.h. Patterns are written by us, so a wrong one is a bug.
#include "api/pattern.h"

#include <algorithm>

#include "core/error.h"

namespace volary {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_literal(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

PatternSegment parse_segment(std::string_view text, std::string_view pattern) {
  if (is_literal(text)) return PatternSegment{SegmentKind::literal, std::string(text)};
  if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
    std::string_view name = text.substr(1, text.size() - 2);
    const SegmentKind kind = name.ends_with('*') ? SegmentKind::rest : SegmentKind::value;
    if (kind == SegmentKind::rest) name.remove_suffix(1);
    if (is_name(name)) return PatternSegment{kind, std::string(name)};
  }
  throw Error(Errc::internal, "the route '{}' has the segment '{}': expected a word, {{name}} or {{name*}}", pattern,
              text);
}

}  // namespace

std::vector<PatternSegment> parse_pattern(std::string_view pattern) {
  if (!pattern.starts_with('/')) throw Error(Errc::internal, "the route '{}' does not start with '/'", pattern);
  std::vector<PatternSegment> segments;
  for (std::string_view left = pattern.substr(1); !left.empty();) {
    const size_t end = std::min(left.find('/'), left.size());
    segments.push_back(parse_segment(left.substr(0, end), pattern));
    if (end + 1 == left.size()) throw Error(Errc::internal, "the route '{}' ends with '/'", pattern);
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].kind == SegmentKind::literal) continue;
    if (segments[i].kind == SegmentKind::rest && i + 1 < segments.size())
      throw Error(Errc::internal, "the route '{}' has more after {{{}*}}", pattern, segments[i].text);
    for (size_t before = 0; before < i; ++before)
      if (segments[before].kind != SegmentKind::literal && segments[before].text == segments[i].text)
        throw Error(Errc::internal, "the route '{}' has {{{}}} twice", pattern, segments[i].text);
  }
  return segments;
}

}  // namespace volary
