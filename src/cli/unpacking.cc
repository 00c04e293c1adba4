// cli/unpacking.cc: entries of an archive as files, each checked by name and by where it points.
//
// A link's target may begin with as many ".." as there are directories above the link, and have no others: behind a
// name that is itself a link, ".." would lead elsewhere than its text says.
#include "cli/unpacking.h"

#include <algorithm>

#include "core/error.h"
#include "core/fault.h"
#include "core/random.h"
#include "core/tree_path.h"

namespace volary {

Unpacking::Unpacking(const Landing& landing)
    : landing_(landing), hidden_path_(landing.path() / (std::string(unpacking_prefix) + random_hex(8))) {
  volary::make_directory(hidden_path_, 0700);
  hidden_ = std::make_unique<Landing>(hidden_path_);
}

Unpacking::~Unpacking() {
  arrival_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(hidden_path_, ignored);  // Removes links, follows none.
}

// "./a/b/" is "a/b"; "." is "".
std::string Unpacking::checked_name(std::string name) const {
  if (name.starts_with('/'))
    throw Error(Errc::invalid, "the archive's '{}' is absolute: it would be outside of the directory", printable(name));
  while (name.starts_with("./")) name.erase(0, name.find_first_not_of('/', 1));
  while (name.ends_with('/')) name.pop_back();
  if (name == ".") name.clear();
  if (!name.empty())
    during("unpacking '" + printable(name) + "'", [&] { Landing::check(name); });
  return name;
}

void Unpacking::check_target(const std::string& name, const std::string& target) const {
  if (target.empty() || target.find('\0') != std::string::npos)
    throw Error(Errc::invalid, "the archive's link '{}' points to '{}': expected a path", printable(name),
                printable(target));
  const auto depth = static_cast<size_t>(std::count(name.begin(), name.end(), '/'));
  std::string_view left = target;
  size_t ups = 0;
  while (left == ".." || left.starts_with("../")) {
    left.remove_prefix(std::min<size_t>(3, left.size()));
    ++ups;
  }
  const std::string rest = "/" + std::string(left) + "/";
  if (fault::planted("unpacking.any_target")) return;
  if (target.starts_with('/') || ups > depth || rest.find("/../") != std::string::npos)
    throw Error(Errc::invalid, "the archive's link '{}' points to '{}', which may be outside of the directory",
                printable(name), printable(target));
}

void Unpacking::begin(const ArchiveEntry& entry) {
  const std::string name = checked_name(entry.name);
  is_executable_ = entry.is_executable;
  if (name.empty()) {
    if (entry.kind != MemberKind::directory) throw Error(Errc::invalid, "the archive has a file without a name");
    return;
  }
  if (entry.kind != MemberKind::directory && !names_.insert(name).second)
    throw Error(Errc::invalid, "the archive has '{}' twice: expected each name once", printable(name));
  switch (entry.kind) {
    case MemberKind::directory:
      hidden_->make_directory(name);
      directories_.push_back(name);
      return;
    case MemberKind::symlink:
      check_target(name, entry.target);
      hidden_->make_symlink(name, entry.target);
      return;
    case MemberKind::hard_link:
      hidden_->make_hard_link(name, checked_name(entry.target));
      return;
    case MemberKind::file:
      arrival_ = std::make_unique<Arrival>(hidden_->begin(name, ""));
      return;
  }
}

void Unpacking::end() {
  if (!arrival_) return;
  arrival_->finish(is_executable_);
  arrival_.reset();
}

uint64_t Unpacking::finish(Overwrite overwrite) {
  reader_.finish();
  std::vector<std::string> names;
  hidden_->each_file("", [&](const std::string& name) { names.push_back(name); });
  if (overwrite == Overwrite::no) std::erase_if(names, [&](const std::string& name) { return landing_.has(name); });
  for (const std::string& name : directories_) landing_.check_place(name + "/x");
  for (const std::string& name : names) landing_.check_place(name);
  for (const std::string& name : directories_) landing_.make_directory(name);
  for (const std::string& name : names) hidden_->move(name, landing_);
  return names.size();
}

}  // namespace volary
