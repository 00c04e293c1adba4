// cli/yaml.cc: yaml-cpp's nodes become ours; its exceptions are translated here and nowhere else.
#include "cli/yaml.h"

#include <algorithm>
#include <charconv>

#include <yaml-cpp/yaml.h>

#include "cli/command_tree.h"
#include "cli/output.h"
#include "core/tree_path.h"

namespace volary {
namespace {

constexpr size_t nodes_max = 10'000;  // Aliases are expanded, so a small file could be a large tree.
constexpr size_t depth_max = 32;

struct Reading {
  const std::string& file;
  size_t nodes = 0;
};

Yaml read_node(Reading& reading, const YAML::Node& node, size_t depth) {
  Yaml yaml;
  yaml.file = reading.file;
  yaml.line = node.Mark().line + 1;
  if (++reading.nodes > nodes_max) throw yaml.error("more than {} values", nodes_max);
  if (depth > depth_max) throw yaml.error("nested deeper than {} levels", depth_max);
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      return yaml;
    case YAML::NodeType::Scalar:
      yaml.kind = Yaml::Kind::text;
      yaml.text = node.Scalar();
      yaml.quoted = node.Tag() == "!";
      if (!yaml.quoted && yaml.text.empty()) yaml.kind = Yaml::Kind::nothing;
      return yaml;
    case YAML::NodeType::Sequence:
      yaml.kind = Yaml::Kind::list;
      for (const auto& item : node) yaml.items.push_back(read_node(reading, item, depth + 1));
      return yaml;
    case YAML::NodeType::Map:
      yaml.kind = Yaml::Kind::map;
      for (const auto& pair : node) {
        Yaml key = read_node(reading, pair.first, depth + 1);
        if (key.kind != Yaml::Kind::text) throw key.error("a key must be a text");
        if (const Yaml* first = yaml.find(key.text))
          throw key.error("'{}' stands here for the second time, first in line {}", key.text, first->line);
        Yaml value = read_node(reading, pair.second, depth + 1);
        if (value.kind == Yaml::Kind::nothing) value.line = key.line;  // yaml-cpp counts a line too many there.
        yaml.pairs.push_back({std::move(key), std::move(value)});
      }
      return yaml;
  }
  return yaml;
}

std::string_view kind_words(Yaml::Kind kind) {
  switch (kind) {
    case Yaml::Kind::nothing: return "empty";
    case Yaml::Kind::text: return "a text";
    case Yaml::Kind::list: return "a list";
    case Yaml::Kind::map: return "a map";
  }
  return "";
}

// Where the first byte is that is not UTF-8: its line, from 1; 0 if there is none.
size_t line_that_is_not_utf8(std::string_view text) {
  if (is_utf8(text)) return 0;
  size_t line = 1;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos && is_utf8(text.substr(0, end)); ++line)
    text.remove_prefix(end + 1);
  return line;
}

// yaml-cpp's words for a tab at the beginning of a line do not speak of tabs; these do. "" if there is none.
std::string tab_hint(std::string_view text) {
  for (size_t line = 1; !text.empty(); ++line) {
    const std::string_view one = text.substr(0, text.find('\n'));
    if (const size_t blank = one.find_first_not_of(" \t"); blank != std::string_view::npos &&
                                                           one.substr(0, blank).find('\t') != std::string_view::npos)
      return fmt::format("; line {} begins with a tab, and YAML is indented with spaces only", line);
    text.remove_prefix(std::min(one.size() + 1, text.size()));
  }
  return "";
}

}  // namespace

const Yaml* Yaml::find(std::string_view key) const {
  for (const auto& [one, value] : pairs)
    if (one.text == key) return &value;
  return nullptr;
}

const std::string& Yaml::as_text(std::string_view what) const {
  if (kind != Kind::text) throw error("'{}' is {}: expected a text", what, kind_words(kind));
  return text;
}

uint64_t Yaml::as_count(std::string_view what, uint64_t low) const {
  const std::string& digits = as_text(what);
  uint64_t number = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool octal_looking = digits.size() > 1 && digits[0] == '0';
  if (problem != std::errc() || end != digits.data() + digits.size() || number < low || octal_looking)
    throw error("'{}' is '{}': expected a whole number from {}", what, printable(digits), low);
  return number;
}

const std::vector<Yaml>& Yaml::as_list(std::string_view what) const {
  if (kind != Kind::list) throw error("'{}' is {}: expected a list", what, kind_words(kind));
  return items;
}

const std::vector<YamlPair>& Yaml::as_map(std::string_view what) const {
  if (kind != Kind::map) throw error("'{}' is {}: expected a map", what, kind_words(kind));
  return pairs;
}

void Yaml::allow_only(const std::vector<std::string_view>& keys, std::string_view what) const {
  for (const auto& [key, value] : as_map(what)) {
    if (std::find(keys.begin(), keys.end(), key.text) != keys.end()) continue;
    const std::vector<std::string> known(keys.begin(), keys.end());
    const std::string guess = nearest(key.text, known);
    throw key.error("'{}' is not known in {}: expected one of {}{}", printable(key.text), what, joined(known, ", "),
                    guess.empty() ? "" : "; did you mean '" + guess + "'?");
  }
}

Yaml parse_yaml(const std::string& text, const std::string& file) {
  Reading reading{.file = file};
  if (const size_t line = line_that_is_not_utf8(text))
    throw Error(Errc::invalid, "{}:{}: not UTF-8: save the file in that encoding", file, line);
  try {
    Yaml yaml = read_node(reading, YAML::Load(text), 0);
    yaml.line = std::max(yaml.line, 1);  // Of an empty file yaml-cpp says 0.
    return yaml;
  } catch (const YAML::Exception& problem) {  // The one place that calls yaml-cpp: here its errors become ours.
    throw Error(Errc::invalid, "{}:{}: not YAML: {}{}", file, problem.mark.line + 1, problem.msg, tab_hint(text));
  }
}

}  // namespace volary
