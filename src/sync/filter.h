// sync/filter.h: which files a transfer is about: patterns of paths to include and to exclude. Pure.
//
// A file is taken if one of the include patterns matches it, or there are none, and no exclude pattern matches it. The
// order of patterns means nothing. Paths are those below the directory that is transferred.
//
//   pattern  = [ "/" ] part *( "/" part ) [ "/" ]
//   part     = "**" | 1*( literal | "*" | "?" | class | "\" any )
//   class    = "[" [ "!" | "^" ] 1*( any | any "-" any ) "]"      a "]" that stands first is literal
//
// A pattern names files and directories; of a directory it names all that is below. With a "/" at its end it names
// directories only. With a "/" in front it begins at the top, otherwise in any directory. "**" is any number of
// directories, also none; at the end it is all below. "*" is any text, "?" one character, a class one of its
// characters or, with "!" or "^", another than those; none of these is a "/". Capitals count. "!", "#" and spaces
// have no other meaning than themselves.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace volary {

constexpr size_t patterns_max = 1000;
constexpr size_t pattern_bytes_max = 4096;

class Pattern {
 public:
  // Throws `invalid`, naming the pattern and what is wrong with it.
  explicit Pattern(std::string_view text);
  // `components` are a path's.
  bool matches(const std::vector<std::string_view>& components) const;

 private:
  enum class Kind { literal, wild, any_depth };
  struct Part {
    Kind kind{};
    std::string text;
  };
  bool matches_part(const Part& part, std::string_view name) const;

  std::vector<Part> parts_;
};

class Filter {
 public:
  Filter() = default;  // Takes everything.
  // Throws `invalid` as Pattern, and for more than patterns_max.
  Filter(const std::vector<std::string>& include, const std::vector<std::string>& exclude);

  // `path` need not be a path that a tree could have.
  bool takes(std::string_view path) const;
  bool takes_all() const { return include_.empty() && exclude_.empty() && !only_; }
  // From now on only these paths, as far as it took them.
  using Paths = std::unordered_set<std::string>;
  void keep_only(std::shared_ptr<const Paths> paths) { only_ = std::move(paths); }

 private:
  std::vector<Pattern> include_;
  std::vector<Pattern> exclude_;
  std::shared_ptr<const Paths> only_;  // Shared by the copies of a filter, which may be many paths.
};

}  // namespace volary
