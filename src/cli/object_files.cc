// cli/object_files.cc: a walk through directories as ovhai makes it: by the paths as they were given.
#include "cli/object_files.h"

#include <algorithm>

#include <dirent.h>

#include "cli/ignore_rules.h"
#include "cli/landing.h"
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
    const std::string normal = Path(given).lexically_normal().native();
    const bool is_elsewhere = normal.starts_with("/") || normal == ".." || normal.starts_with("../");
    const bool is_here = name.empty() && !is_elsewhere;
    const auto text = is_here ? std::nullopt : try_read_file(Path(given) / ignore_file_name);
    Directory directory{IgnoreRules(text.value_or("")), std::nullopt};
    if (!is_elsewhere) directory.above = scope;
    enter(given, scope, "", directory);
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
    if (!S_ISREG(status.st_mode)) return leave_out(path, name, "neither a file nor a directory");
    ObjectFile file{renamed(name, renaming_), path, static_cast<uint64_t>(status.st_size),
                   modified_of(status), (status.st_mode & 0100) != 0};
    if (file.name.empty())
      throw Error(Errc::invalid, "nothing is left of the name of '{}' without '{}'", printable(path.native()),
                  renaming_.remove);
    if (!is_utf8(file.name))
      throw Error(Errc::invalid, "'{}' cannot be the name of an object: expected UTF-8", printable(file.name));
    found_.files.push_back(std::move(file));
  }

  // One that was given.
  struct Directory {
    IgnoreRules rules;
    std::optional<std::string> above;  // Where it is in the working directory, if it is there.

    bool ignores(const std::string& below, NodeKind kind, const IgnoreRules& here) const {
      return rules.ignores(below, kind) || (above && here.ignores(*above + below, kind));
    }
  };

  void leave_out(const Path& path, const std::string& name, std::string_view why) {
    found_.left_out.push_back(printable(path.native()) + " is " + std::string(why));
    keep(name);
    keep(name + "/");
  }
  void keep(const std::string& name) { found_.kept.insert(renamed(name, renaming_)); }

  // `below` is where that is in the directory that was given.
  void enter(const Path& where, const std::string& name, const std::string& below, const Directory& given) {
    for (const DirectoryEntry& entry : list_directory(where)) {
      if (below.empty() && entry.name == ignore_file_name) continue;
      const Path path = where / entry.name;
      const std::string relative = below + entry.name;
      const auto status = stat_of(path, Follow::yes);
      const bool is_directory = status && S_ISDIR(status->st_mode);
      if (given.ignores(relative, is_directory ? NodeKind::directory : NodeKind::file, here_))
        keep(name + entry.name + (is_directory ? "/" : ""));
      else if (!status) leave_out(path, name + entry.name, "a link to nothing");
      else if (is_unfinished(entry.name)) leave_out(path, name + entry.name, "what an interrupted download left");
      else if (!is_directory) add_file(path, name + entry.name, *status);
      else if (entry.type == DT_LNK) leave_out(path, name + entry.name, "a link to a directory");
      else enter(path, name + entry.name + "/", relative + "/", given);
    }
  }

  const Renaming& renaming_;
  IgnoreRules here_;
  ObjectFiles found_;
};

}  // namespace

Time modified_of(const struct stat& status) {
  return {status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000};
}

void check_unchanged(const ObjectFile& file) {
  const auto status = stat_of(file.path, Follow::yes);
  if (!status || static_cast<uint64_t>(status->st_size) != file.size || modified_of(*status) != file.modified)
    throw Error(Errc::conflict, "'{}' changed while it was uploaded: upload it again", printable(file.path.native()));
}

bool ObjectFiles::keeps(const std::string& name) const {
  if (kept.empty()) return false;
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
    if (kept.contains(name.substr(0, slash + 1))) return true;
  return kept.contains(name);
}

ObjectFiles find_object_files(const std::vector<std::string>& paths, const Renaming& renaming) {
  Walk walk(renaming);
  for (const std::string& path : paths) walk.add(path);
  return walk.finish();
}

}  // namespace volary
