// cli/ignore_rules.cc: lines into patterns of names, and paths held against them.
#include "cli/ignore_rules.h"

#include <fnmatch.h>

#include <span>

namespace volary {
namespace {

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

bool matches(std::span<const std::string> pattern, std::span<const std::string> path) {
  if (pattern.empty()) return path.empty();
  if (pattern[0] == "**") {
    if (pattern.size() == 1) return !path.empty();
    for (size_t skipped = 0; skipped <= path.size(); ++skipped)
      if (matches(pattern.subspan(1), path.subspan(skipped))) return true;
    return false;
  }
  return !path.empty() && ::fnmatch(pattern[0].c_str(), path[0].c_str(), 0) == 0 &&
         matches(pattern.subspan(1), path.subspan(1));
}

// Spaces at the end do not count unless they are escaped.
std::string_view trimmed(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  return line;
}

}  // namespace

IgnoreRules::IgnoreRules(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    Rule rule;
    if (line.starts_with('!')) {
      rule.is_negated = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      rule.is_of_directories = true;
      line.remove_suffix(1);
    }
    const bool is_of_any_name = line.find('/') == std::string_view::npos;
    rule.parts = parts_of(line);
    if (rule.parts.empty()) continue;
    if (is_of_any_name) rule.parts.insert(rule.parts.begin(), "**");
    rules_.push_back(std::move(rule));
  }
}

bool IgnoreRules::ignores(std::string_view path, NodeKind kind) const {
  const std::vector<std::string> parts = parts_of(path);
  bool is_ignored = false;
  for (const Rule& rule : rules_)
    if (is_ignored == rule.is_negated && (!rule.is_of_directories || kind == NodeKind::directory) &&
        matches(rule.parts, parts))
      is_ignored = !rule.is_negated;
  return is_ignored;
}

}  // namespace volary
