// sync/filter.cc: the grammar of sync/filter.h. Matching is twice the same walk: over a path's components, where "**"
// is the part that may take any number, and over a component's characters, where "*" is. Going back to the last such
// part is enough, so a match costs at most the product of both lengths.
#include "sync/filter.h"

#include <algorithm>

#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

struct Character {
  uint32_t code = 0;
  size_t size = 0;  // In bytes; 0 at the end.
};

// The first character of UTF-8; a byte that is none is a character of its own, which equals no other.
Character first_of(std::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t lead = byte(0);
  const size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (size == 1) return {lead, 1};
  if (size == 0 || size > text.size() || !is_utf8(text.substr(0, size))) return {0x110000 + lead, 1};
  uint32_t code = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3f);
  return {code, size};
}

// Where the class that begins at pattern[at] ends, behind its "]"; npos if it does not.
size_t end_of_class(std::string_view pattern, size_t at) {
  ++at;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return at + 1;
    at += pattern[at] == '\\' ? 2 : 1;
  }
  return pattern.npos;
}

// A character of a class, which may stand behind a "\".
Character take_member(std::string_view& members) {
  if (members.starts_with('\\') && members.size() > 1) members.remove_prefix(1);
  const Character one = first_of(members);
  members.remove_prefix(one.size);
  return one;
}

struct ClassRange {
  uint32_t from = 0;
  uint32_t to = 0;
};

template <class Visit>
void each_range(std::string_view members, Visit visit) {
  while (!members.empty()) {
    const uint32_t from = take_member(members).code;
    uint32_t to = from;
    if (members.size() > 1 && members.starts_with('-')) {
      members.remove_prefix(1);
      to = take_member(members).code;
    }
    visit(ClassRange{from, to});
  }
}

// "[a-z]" without its brackets and its "!".
struct Class {
  std::string_view members;
  bool negated = false;
};

Class class_at(std::string_view pattern, size_t at, size_t end) {
  Class found{pattern.substr(at + 1, end - at - 2), false};
  found.negated = found.members.starts_with('!') || found.members.starts_with('^');
  if (found.negated) found.members.remove_prefix(1);
  return found;
}

// How many bytes of the pattern at `at` match the one character; 0 if they do not.
size_t match_one(std::string_view pattern, size_t at, const Character& character) {
  if (pattern[at] == '?') return 1;
  if (pattern[at] == '[') {
    const size_t end = end_of_class(pattern, at);
    const Class wanted = class_at(pattern, at, end);
    bool among = false;
    each_range(wanted.members, [&](const ClassRange& range) {
      among = among || (range.from <= character.code && character.code <= range.to);
    });
    return among != wanted.negated ? end - at : 0;
  }
  const size_t escape = pattern[at] == '\\' ? 1 : 0;
  const Character literal = first_of(pattern.substr(at + escape));
  return literal.code == character.code ? escape + literal.size : 0;
}

[[noreturn]] void refuse(std::string_view pattern, std::string_view flaw) {
  throw Error(Errc::invalid, "'{}' is no pattern: {}", printable(pattern), flaw);
}

void check_part(std::string_view whole, std::string_view part) {
  if (part.empty()) refuse(whole, "it has nothing between two '/'");
  if (part == "." || part == "..") refuse(whole, fmt::format("no file's path has '{}'", part));
  for (size_t at = 0; at < part.size();) {
    if (part[at] == '\\') {
      if (at + 1 == part.size()) refuse(whole, "nothing follows a '\\'");
      at += 2;
    } else if (part[at] == '[') {
      const size_t end = end_of_class(part, at);
      if (end == part.npos) refuse(whole, "a '[' has no ']'; a '[' that is a name's own is written '\\['");
      each_range(class_at(part, at, end).members, [&](const ClassRange& range) {
        if (range.from > range.to) refuse(whole, "a range goes from a later character to an earlier one");
      });
      at = end;
    } else {
      ++at;
    }
  }
}

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> components;
  for (size_t at = 0; at <= path.size();) {
    const size_t slash = std::min(path.find('/', at), path.size());
    components.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return components;
}

}  // namespace

Pattern::Pattern(std::string_view text) {
  if (text.size() > pattern_bytes_max)
    refuse(text.substr(0, 64), fmt::format("it has {} bytes: expected at most {}", text.size(), pattern_bytes_max));
  if (!is_utf8(text)) refuse(text, "its bytes are not UTF-8");
  std::string_view rest = text;
  const bool anchored = rest.starts_with('/');
  if (anchored) rest.remove_prefix(1);
  const bool directories_only = rest.ends_with('/');
  if (directories_only) rest.remove_suffix(1);
  if (rest.empty()) refuse(text, "it names nothing");
  if (!anchored) parts_.push_back({Kind::any_depth, ""});
  for (const std::string_view part : components_of(rest)) {
    check_part(text, part);
    const bool wild = part.find_first_of("*?[\\") != part.npos;
    parts_.push_back({part == "**" ? Kind::any_depth : wild ? Kind::wild : Kind::literal, std::string(part)});
  }
  // What is named, and all below it; or only what is below.
  if (parts_.back().kind == Kind::any_depth) parts_.push_back({Kind::wild, "*"});
  if (directories_only) parts_.push_back({Kind::wild, "*"});
  parts_.push_back({Kind::any_depth, ""});
}

bool Pattern::matches(const std::vector<std::string_view>& components) const {
  constexpr size_t none = SIZE_MAX;
  size_t part = 0;
  size_t at = 0;
  size_t any = none;  // The last "**" that was passed, and what it has taken up to.
  size_t taken = 0;
  while (at < components.size()) {
    if (part < parts_.size() && parts_[part].kind == Kind::any_depth) {
      any = part++;
      taken = at;
    } else if (part < parts_.size() && matches_part(parts_[part], components[at])) {
      ++part;
      ++at;
    } else if (any != none) {
      part = any + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  while (part < parts_.size() && parts_[part].kind == Kind::any_depth) ++part;
  return part == parts_.size();
}

bool Pattern::matches_part(const Part& part, std::string_view name) const {
  if (part.kind == Kind::literal) return part.text == name;
  const std::string_view pattern = part.text;
  size_t in = 0;
  size_t at = 0;
  size_t star = pattern.npos;
  size_t taken = 0;
  while (at < name.size()) {
    const Character character = first_of(name.substr(at));
    size_t matched = 0;
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      taken = at;
    } else if (in < pattern.size() && (matched = match_one(pattern, in, character)) != 0) {
      in += matched;
      at += character.size;
    } else if (star != pattern.npos) {
      in = star + 1;
      at = taken += first_of(name.substr(taken)).size;
    } else {
      return false;
    }
  }
  while (in < pattern.size() && pattern[in] == '*') ++in;
  return in == pattern.size();
}

Filter::Filter(const std::vector<std::string>& include, const std::vector<std::string>& exclude)
    : include_(include.begin(), include.end()), exclude_(exclude.begin(), exclude.end()) {
  if (include.size() + exclude.size() > patterns_max)
    throw Error(Errc::invalid, "there are {} patterns: expected at most {}", include.size() + exclude.size(),
                patterns_max);
}

bool Filter::takes(std::string_view path) const {
  if (only_ && !only_->contains(std::string(path))) return false;
  if (include_.empty() && exclude_.empty()) return true;
  const std::vector<std::string_view> components = components_of(path);
  const auto matches = [&](const Pattern& pattern) { return pattern.matches(components); };
  return (include_.empty() || std::any_of(include_.begin(), include_.end(), matches)) &&
         std::none_of(exclude_.begin(), exclude_.end(), matches);
}

}  // namespace volary
