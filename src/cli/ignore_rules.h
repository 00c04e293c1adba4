// cli/ignore_rules.h: the file .ovhaiignore: what of a directory is not uploaded, in the language of .gitignore.
//
//   line     = comment / [ "!" ] [ "/" ] pattern [ "/" ]          "!" takes back what an earlier line said
//   comment  = "#" text
//
// The last line that matches counts. A pattern with a slash before its end is of the whole path, one without of any
// name; with a slash at its end it is of directories only. "*", "?" and "[a-z]" match within a name, "**" any number of
// names. What lies in a directory that is ignored cannot be taken back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace volary {

constexpr const char* ignore_file_name = ".ovhaiignore";

enum class NodeKind { file, directory };

class IgnoreRules {
 public:
  IgnoreRules() = default;
  explicit IgnoreRules(std::string_view text);
  // `path` is relative to where the rules lie. The directories above it are not asked about.
  bool ignores(std::string_view path, NodeKind kind) const;

 private:
  struct Rule {
    std::vector<std::string> parts;
    bool is_negated = false;
    bool is_of_directories = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace volary
