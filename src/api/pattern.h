// api/pattern.h: the path of a route, taken apart: "/volumes/{name}/files/{path*}".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace volary {

enum class SegmentKind {
  literal,  // volumes
  value,    // {name}: one segment
  rest,     // {path*}: all that follows, one segment or more; only at the end
};

struct PatternSegment {
  SegmentKind kind{};
  std::string text;  // The literal, or the name of the value.
};

// Throws `internal`, naming the pattern, if it is not well formed.
std::vector<PatternSegment> parse_pattern(std::string_view pattern);

}  // namespace volary
