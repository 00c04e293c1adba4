// cli/object_names.cc: names of cli/object_names.h.
#include "cli/object_names.h"

#include "core/error.h"
#include "core/file.h"

namespace volary {
namespace {

std::string_view without_leading_slashes(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  return text;
}

}  // namespace

std::string object_name_of(std::string_view path) {
  const std::string normal = Path(path).lexically_normal().native();
  std::string_view name = without_leading_slashes(normal);
  while (name.starts_with("../")) name.remove_prefix(3);
  if (name == "." || name == "..") return "";
  return std::string(name);
}

std::string renamed(std::string_view name, const Renaming& renaming) {
  const std::string_view remove = without_leading_slashes(renaming.remove);
  if (!remove.empty() && name.starts_with(remove)) name = without_leading_slashes(name.substr(remove.size()));
  return renaming.add + std::string(name);
}

ContainerPlace parse_container_place(std::string_view text) {
  const auto wrong = [&] {
    return Error(Errc::invalid, "'{}' names no container: expected CONTAINER@ALIAS, such as 'data@gra'", text);
  };
  if (text.find('@') == std::string_view::npos && text.find(':') == std::string_view::npos) throw wrong();
  const StoreReference reference = parse_store_reference(text, "CONTAINER@ALIAS");
  ContainerPlace place{reference.datastore, reference.container, reference.prefix};
  if (place.container.empty()) {
    const size_t slash = std::min(place.prefix.find('/'), place.prefix.size());
    place.container = place.prefix.substr(0, slash);
    place.prefix.erase(0, slash + 1);
  }
  if (place.container.empty()) throw wrong();
  return place;
}

TrashPlace parse_trash_place(std::string_view text) {
  const std::string_view whole = without_leading_slashes(text);
  const size_t slash = std::min(whole.find('/'), whole.size());
  TrashPlace place{std::string(whole.substr(0, slash)), ""};
  if (place.container.empty())
    throw Error(Errc::invalid, "'{}' is no value for --trash: expected CONTAINER/DIRECTORY", text);
  if (slash < whole.size()) place.directory = whole.substr(slash + 1);
  while (place.directory.ends_with('/')) place.directory.pop_back();
  if (!place.directory.empty()) place.directory += '/';
  return place;
}

}  // namespace volary
