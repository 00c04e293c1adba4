// cli/object_files.cc: a walk through directories as ovhai makes it: by the paths as they were given.
#include "cli/object_files.h"

#include <algorithm>

#include <dirent.h>

#include "cli/ignore_rules.h"
#include "core/error.h"
#include "core/tree_path.h"

namespace volary {
namespace {

class Walk {
 public:
  explicit Walk(const Renaming& renaming) : renaming_(renaming) {
    if (const auto text = try_read_file(ignore_file_name)) here_ = IgnoreRules(*text);
  }

  void add(const std::string& given) {
    const auto status = stat_of(given, Follow::yes);
    if (!status) throw Error(Errc::not_found, "there is no file '{}'", printable(given));
    const std::string name = object_name_of(given);
    if (!S_ISDIR(status->st_mode)) return add_file(given, name, *status);
    std::string scope = name.empty() || name.ends_with('/') ? name : name + "/";
    const bool is_here = name.empty() && !given.starts_with("/") && given.find("..") == std::string::npos;
    const auto text = is_here ? std::nullopt : try_read_file(Path(given) / ignore_file_name);
    enter(given, scope, "", IgnoreRules(text.value_or("")), given.starts_with("/") ? "" : scope);
    found_.scopes.push_back(renamed(scope, renaming_));
  }

  ObjectFiles finish() {
    auto& files = found_.files;
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (size_t i = 1; i < files.size(); ++i) {
      const ObjectFile& one = files[i - 1];
      const ObjectFile& next = files[i];
      if (one.name == next.name && one.path.lexically_normal() != next.path.lexically_normal())
        throw Error(Errc::invalid, "'{}' and '{}' would both be the object '{}'", printable(one.path.native()),
                    printable(next.path.native()), next.name);
    }
    files.erase(std::unique(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name == b.name; }),
                files.end());
    return std::move(found_);
  }

 private:
  void add_file(const Path& path, const std::string& name, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) {
      found_.left_out.push_back(printable(path.native()) + " is neither a file nor a directory");
      return;
    }
    ObjectFile file{renamed(name, renaming_), path, static_cast<uint64_t>(status.st_size),
                   Time{status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000},
                   (status.st_mode & 0100) != 0};
    if (file.name.empty())
      throw Error(Errc::invalid, "nothing is left of the name of '{}' without '{}'", printable(path.native()),
                  renaming_.remove);
    if (!is_utf8(file.name))
      throw Error(Errc::invalid, "'{}' cannot be the name of an object: expected UTF-8", printable(file.name));
    found_.files.push_back(std::move(file));
  }

  // `below` is relative to the directory that was given, `above` what stands before it for the rules of the working
  // directory, if they apply.
  void enter(const Path& directory, const std::string& name, const std::string& below, const IgnoreRules& rules,
             const std::string& above) {
    for (const DirectoryEntry& entry : list_directory(directory)) {
      if (entry.name == ignore_file_name) continue;
      const Path path = directory / entry.name;
      const std::string relative = below + entry.name;
      const auto status = stat_of(path, Follow::yes);
      if (!status) {
        found_.left_out.push_back(printable(path.native()) + " is a link to nothing");
        continue;
      }
      const NodeKind kind = S_ISDIR(status->st_mode) ? NodeKind::directory : NodeKind::file;
      if (rules.ignores(relative, kind) || here_.ignores(above + relative, kind)) continue;
      if (kind == NodeKind::file) {
        add_file(path, name + entry.name, *status);
      } else if (entry.type == DT_LNK) {
        found_.left_out.push_back(printable(path.native()) + " is a link to a directory");
      } else {
        enter(path, name + entry.name + "/", relative + "/", rules, above);
      }
    }
  }

  const Renaming& renaming_;
  IgnoreRules here_;
  ObjectFiles found_;
};

}  // namespace

ObjectFiles find_object_files(const std::vector<std::string>& paths, const Renaming& renaming) {
  Walk walk(renaming);
  for (const std::string& path : paths) walk.add(path);
  return walk.finish();
}

}  // namespace volary
