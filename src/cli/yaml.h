// cli/yaml.h: YAML as written, with its lines, and without YAML's surprises.
//
// yaml-cpp reads the text; nothing is guessed from it: a plain scalar stays the characters that were typed ("yes" is
// not true, "010" is not 8), a key that stands twice is refused, and every message begins with file:line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace volary {

struct YamlPair;

class Yaml {
 public:
  enum class Kind { nothing, text, list, map };

  Kind kind = Kind::nothing;
  std::string text;  // Of a scalar, verbatim.
  bool quoted = false;
  std::vector<Yaml> items;
  std::vector<YamlPair> pairs;  // Keys are texts.
  std::string file;
  int line = 0;  // From 1.

  // The value of a key, or null.
  const Yaml* find(std::string_view key) const;

  // --- each throws `invalid` with "file:line: 'what' …" if this is something else
  const std::string& as_text(std::string_view what) const;
  uint64_t as_count(std::string_view what, uint64_t low) const;  // Plain decimal digits.
  const std::vector<Yaml>& as_list(std::string_view what) const;
  const std::vector<YamlPair>& as_map(std::string_view what) const;
  // A map with these keys only.
  void allow_only(const std::vector<std::string_view>& keys, std::string_view what) const;

  // "config.yaml:3: …"
  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return {Errc::invalid, Error::Text{fmt::format("{}:{}: ", file, line) +
                                       fmt::format(format, std::forward<Args>(args)...)}};
  }
};

struct YamlPair {
  Yaml key;
  Yaml value;
};

// Throws `invalid` for what is not YAML, has a key twice, or has more than 10 000 nodes.
Yaml parse_yaml(const std::string& text, const std::string& file);

}  // namespace volary
